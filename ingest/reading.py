"""A file to its pages, whatever its format: the table of readers and the child that runs them.

Files are strangers' work, so a reader only ever runs in a child process with limits on memory,
processor time, output and wall clock; what comes back is JSON, never pickles. A file that kills
the child is an `UnreadableDocument`, and the parent goes on.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

from assistant.errors import (
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    MissingFile,
    UnreadableDocument,
    UnsupportedFile,
)

MAX_FILE_BYTES: Final = 200_000_000
MAX_PAGES: Final = 5_000
MAX_CHARS: Final = 20_000_000
WALL_S: Final = 180.0


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a list item or a table of a page, in reading order.

    Attributes:
        level: of a heading, from 1; 0 for everything else.
        top: whether it starts in the first tenth of its page; `bottom`: ends in the last tenth.
    """

    text: str
    level: int = 0
    top: bool = False
    bottom: bool = False


@dataclass(frozen=True)
class RawPage:
    """Attributes:
    needs: why there is little or no text ("scanned", ...), or "".
    """

    number: int
    blocks: tuple[Block, ...]
    label: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Reading:
    """What a reader found in a file, before cleaning."""

    pages: tuple[RawPage, ...]
    title: str = ""
    notes: tuple[str, ...] = ()


class EncryptedError(Exception):
    """A reader's word that the file wants a password."""


class TooLargeError(Exception):
    """A reader's word that the file exceeds a limit: (what it has, the limit)."""


Reader: TypeAlias = Callable[[Path], Reading]

# Suffix -> (module, reader). A new format is one entry here and one function there. Modules are
# named, not imported: their libraries load in the child alone.
READERS: Final[dict[str, tuple[str, str]]] = {
    ".docx": ("ingest.office", "read_docx"),
    ".htm": ("ingest.web", "read_html"),
    ".html": ("ingest.web", "read_html"),
    ".markdown": ("ingest.plain", "read_markdown"),
    ".md": ("ingest.plain", "read_markdown"),
    ".pdf": ("ingest.pdf", "read_pdf"),
    ".text": ("ingest.plain", "read_text"),
    ".txt": ("ingest.plain", "read_text"),
}


def read(path: Path, *, wall_s: float = WALL_S) -> Reading:
    """Return what the file holds.

    Raises:
        DocumentError: a subclass that says in one sentence why it cannot be read.
    """
    check(path)
    command = [sys.executable, "-I", "-m", "ingest.child", str(path.resolve())]
    try:
        child = subprocess.run(command, capture_output=True, timeout=wall_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnreadableDocument(path, f"it was not read within {wall_s:.0f} seconds") from error
    if child.returncode != 0:
        raise UnreadableDocument(path, _cause_of_death(child))
    return _reading(path, json.loads(child.stdout))


def check(path: Path) -> None:
    """Raise the `DocumentError` that can be told without opening the file's format."""
    try:
        if not path.is_file():
            raise MissingFile(path)
        size = path.stat().st_size
        with path.open("rb") as file:
            file.read(1)
    except PermissionError as error:
        raise UnreadableDocument(path, "there is no permission to open it") from error
    if path.suffix.lower() not in READERS:
        raise UnsupportedFile(path, sorted(READERS))
    if size == 0:
        raise EmptyDocument(path, "the file has no bytes")
    if size > MAX_FILE_BYTES:
        raise DocumentTooLarge(path, f"{size / 1e6:.0f} MB", f"{MAX_FILE_BYTES / 1e6:.0f} MB")


def run_reader(path: Path) -> dict[str, Any]:
    """Read in this very process and return a JSON value; only the child calls this."""
    module, name = READERS[path.suffix.lower()]
    reader: Reader = getattr(import_module(module), name)
    try:
        reading = reader(path)
    except EncryptedError:
        return {"refused": "encrypted"}
    except TooLargeError as error:
        return {"refused": "too large", "details": error.args}
    except Exception as error:  # any parser may fail in any way on a stranger's file
        return {"refused": "unreadable", "details": _one_line(error)}
    return asdict(reading)


def _reading(path: Path, value: dict[str, Any]) -> Reading:
    match value.get("refused"):
        case "encrypted":
            raise EncryptedDocument(path)
        case "too large":
            raise DocumentTooLarge(path, *value["details"])
        case "unreadable":
            raise UnreadableDocument(path, value["details"])
    pages = tuple(
        RawPage(**{**page, "blocks": tuple(Block(**block) for block in page["blocks"])})
        for page in value["pages"]
    )
    return Reading(pages=pages, title=value["title"], notes=tuple(value["notes"]))


def _cause_of_death(child: "subprocess.CompletedProcess[bytes]") -> str:
    if child.returncode < 0 or b"MemoryError" in child.stderr or b"bad_alloc" in child.stderr:
        return "it needs more memory or time than one file may use"
    return "its reader broke down"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:160].rstrip(" .")
