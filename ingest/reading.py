"""A file to its pages, whatever its format: the table of readers and the child that runs them.

Files are strangers' work, so a reader only ever runs in a child process with limits on memory,
processor time, output and wall clock; what comes back is JSON, never pickles. A file that kills
the child is an `UnreadableDocument`, and the parent goes on.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    Why,
)
from ingest.limited import CHILD, MAX_CHARS, run_limited

MB: Final = 1_000_000
MAX_FILE_BYTES: Final = 200 * MB
MAX_PAGES: Final = 5_000
WALL_S: Final = 180.0


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a list item or a table of a page, in reading order.

    Attributes:
        level: of a heading, from 1; 0 for everything else.
        top: whether it stands at the upper edge of its page, where headers run.
        bottom: whether it stands at the lower edge.
    """

    text: str
    level: int = 0
    top: bool = False
    bottom: bool = False


@dataclass(frozen=True)
class RawPage:
    """Attributes:
    needs: why there is little or no text, see `Why`; "" when there is enough.
    """

    number: int
    blocks: tuple[Block, ...]
    label: str = ""
    needs: str = ""

    @property
    def chars(self) -> int:
        return sum(len(block.text) for block in self.blocks)


@dataclass(frozen=True)
class Reading:
    """What a reader found in a file, before cleaning."""

    pages: tuple[RawPage, ...]
    title: str = ""


class EncryptedError(Exception):
    """A reader's word that the file wants a password."""


class TooLargeError(Exception):
    """A reader's word that the file exceeds a limit: (how many, of what, the limit)."""


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
    started = time.monotonic()
    returncode, output = run_limited([*CHILD, "read", str(path.absolute())], wall_s)
    if returncode == 0:
        return _reading(path, json.loads(output))
    if time.monotonic() - started >= wall_s:
        raise UnreadableDocument(path, Why.SLOW)
    raise UnreadableDocument(path, Why.TOO_MUCH if returncode < 0 else Why.BROKE)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Translate what the file system says of a file that cannot be opened."""
    try:
        yield
    except PermissionError as error:
        raise UnreadableDocument(path, Why.NO_PERMISSION) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFile(path) from error
    except OSError as error:
        raise UnreadableDocument(path, str(error.strerror or error).lower()) from error


def check(path: Path) -> None:
    """Raise the `DocumentError` that can be told without opening the file's format."""
    with file_errors(path):
        if path.is_dir():  # asked for only when its files could not be listed
            raise UnreadableDocument(path, Why.NO_FOLDER_PERMISSION)
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableDocument(path, Why.DEVICE)
        with path.open("rb") as file:
            file.read(1)
    if path.suffix.lower() not in READERS:
        raise UnsupportedFile(path, sorted(READERS))
    if size == 0:
        raise EmptyDocument(path, Why.NO_BYTES)
    if size > MAX_FILE_BYTES:
        raise DocumentTooLarge(path, -(-size // MB), Why.MEGABYTES, MAX_FILE_BYTES // MB)


def run_reader(path: Path) -> dict[str, Any]:
    """Read in this very process and return a JSON value; only the child calls this."""
    module, name = READERS[path.suffix.lower()]
    try:
        reader: Reader = getattr(import_module(module), name)
        reading = reader(path)
        _check_size(reading)
    except EncryptedError:
        return {"refused": "encrypted"}
    except TooLargeError as error:
        return {"refused": "too large", "details": error.args}
    except (MemoryError, RecursionError):
        return {"refused": "unreadable", "details": Why.TOO_MUCH}
    except Exception as error:  # any parser may fail in any way on a stranger's file
        return {"refused": "unreadable", "details": _one_line(error)}
    return asdict(reading)


def _check_size(reading: Reading) -> None:
    if len(reading.pages) > MAX_PAGES:
        raise TooLargeError(len(reading.pages), Why.PAGES, MAX_PAGES)
    if (chars := sum(page.chars for page in reading.pages)) > MAX_CHARS:
        raise TooLargeError(chars, Why.CHARACTERS, MAX_CHARS)


def _reading(path: Path, value: dict[str, Any]) -> Reading:
    match value.get("refused"):
        case "encrypted":
            raise EncryptedDocument(path)
        case "too large":
            count, unit, limit = value["details"]
            raise DocumentTooLarge(path, count, Why(unit), limit)
        case "unreadable":
            raise UnreadableDocument(path, value["details"])
    pages = tuple(
        RawPage(**{**page, "blocks": tuple(Block(**block) for block in page["blocks"])})
        for page in value["pages"]
    )
    return Reading(pages=pages, title=value["title"])


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:160].rstrip(" .")
