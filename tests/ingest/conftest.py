"""What several test modules of ingestion share."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with "a.txt" and "folder/b.txt" that may be seen but not opened, even by root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "folder").mkdir()
    (folder / "folder" / "b.txt").write_text("Hello.")
    (folder / "folder").chmod(0)
    (folder / "a.txt").write_text("Hello.")
    (folder / "a.txt").chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    yield folder
    if root:
        os.seteuid(0)
    (folder / "folder").chmod(0o700)
    shutil.rmtree(folder)
