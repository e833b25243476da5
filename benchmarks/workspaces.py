"""A library that lasts as long as a measurement, with documents added as a user's are."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.settings import Settings
from assistant.wiring import open_workspace
from assistant.workspace import Workspace
from ingest.indexing import add_documents


@contextmanager
def temporary_workspace(path: Path, model: str | None) -> Iterator[Workspace]:
    """Yield a workspace with a file, or all files of a folder; say what became of each."""
    with tempfile.TemporaryDirectory() as home:
        workspace = open_workspace(Settings(home=Path(home), model=model))
        for outcome in add_documents(workspace, [path]):
            print(outcome.status, outcome.error or outcome.document)
        yield workspace
