"""Starts, watches and ends the limited child process in which files are opened.

The child limits its own memory and processor time, see sandbox_child.py.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from assistant.errors import (
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    MissingFile,
    Reason,
    UnreadableDocument,
    UnsupportedFile,
)
from ingest.pages import MAX_CHARS, Block, Extracted, RawPage
from ingest.readers.registry import READERS

# No working folder and no environment on the child's import path, so that nobody's modules slip
# in. `-I` would also hide packages that the user installed for himself alone.
MB: Final = 1_000_000
MAX_FILE_BYTES: Final = 200 * MB
WALL_S: Final = 180.0
CHILD: Final = (sys.executable, "-E", "-P", "-m", "ingest.sandbox_child")
SECRETS: Final = ("QUIPU_PASSWORD",)  # no business of a process that opens strangers' files
MAX_OUTPUT_BYTES: Final = 12 * MAX_CHARS + (64 << 20)  # JSON writes an astral character in 12


def read(path: Path, *, wall_s: float = WALL_S) -> Extracted:
    """Return what the file holds.

    Raises:
        DocumentError: a subclass that says in one sentence why it cannot be read.
    """
    check(path)
    started = time.monotonic()
    returncode, output = run_limited([*CHILD, "read", str(path.absolute())], wall_s)
    if returncode == 0:
        return _reading(path, json.loads(output))
    if time.monotonic() - started >= wall_s:
        raise UnreadableDocument(name=path.name, reason=Reason.SLOW)
    reason = Reason.TOO_MUCH if returncode < 0 else Reason.BROKE
    raise UnreadableDocument(name=path.name, reason=reason)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Translate what the file system says of a file that cannot be opened."""
    try:
        yield
    except PermissionError as error:
        raise UnreadableDocument(name=path.name, reason=Reason.NO_PERMISSION) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFile(path=str(path)) from error
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise UnreadableDocument(name=path.name, reason=reason) from error


def check(path: Path) -> None:
    """Raise the `DocumentError` that can be told without opening the file's format."""
    with file_errors(path):
        if path.is_dir():  # asked for only when its files could not be listed
            raise UnreadableDocument(name=path.name, reason=Reason.NO_FOLDER_PERMISSION)
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableDocument(name=path.name, reason=Reason.DEVICE)
        with path.open("rb") as file:
            file.read(1)
    if path.suffix.lower() not in READERS:
        raise UnsupportedFile(name=path.name, known=", ".join(sorted(READERS)))
    if size == 0:
        raise EmptyDocument(name=path.name, reason=Reason.NO_BYTES)
    if size > MAX_FILE_BYTES:
        raise _too_large(path, -(-size // MB), Reason.MEGABYTES, MAX_FILE_BYTES // MB)


def run_limited(command: Sequence[str], wall_s: float, *, said: bytes = b"") -> tuple[int, bytes]:
    """Return exit code and output of the child, which is killed when it takes or says too much.

    Args:
        said: what the child finds on its standard input; short.
    """
    with subprocess.Popen(
        command,
        env={name: value for name, value in os.environ.items() if name not in SECRETS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        alarm = threading.Timer(wall_s, child.kill)
        alarm.start()
        try:
            with suppress(BrokenPipeError), child.stdin:
                child.stdin.write(said)
            output = child.stdout.read(MAX_OUTPUT_BYTES + 1)
            if len(output) > MAX_OUTPUT_BYTES:
                child.kill()
            child.wait()
        finally:
            child.kill()  # does nothing to one that has ended
            alarm.cancel()
    return child.returncode, output


def _too_large(path: Path, count: int, unit: Reason, limit: int) -> DocumentTooLarge:
    return DocumentTooLarge(name=path.name, count=count, unit=unit, limit=limit)


def _reading(path: Path, value: dict[str, Any]) -> Extracted:
    match value.get("refused"):
        case "encrypted":
            raise EncryptedDocument(name=path.name)
        case "too large":
            count, unit, limit = value["details"]
            raise _too_large(path, count, Reason(unit), limit)
        case "unreadable":
            raise UnreadableDocument(name=path.name, reason=Reason(value["details"]))
    pages = tuple(
        RawPage(**{**page, "blocks": tuple(Block(**block) for block in page["blocks"])})
        for page in value["pages"]
    )
    return Extracted(pages=pages, title=value["title"])
