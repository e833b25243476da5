"""Files that were sent to Quipu: kept until they are in the library, then gone. Knows no screen."""

import re
import time
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from assistant.backends.base import Embedder
from assistant.jobs import Line
from assistant.streams import IsCancelled
from ingest.indexing import AddingProgress, IndexingWriter, Outcome, add, located, sha256

NAME_BYTES: Final = 180  # in UTF-8; file systems take 255
SUFFIX_CHARS: Final = 10
LEFT_S: Final = 86_400.0  # after which a file waits for nobody any more


class Uploads:
    """Takes sent files in, one after the other, beside everything else.

    Attributes:
        line: a key for each file -> how far it is, and what became of it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shelf: IndexingWriter,
        embedder: Embedder,
        language_of: Callable[[str], str],
    ) -> None:
        """Args:
        folder: where files wait; made when there is the first.
        """
        self._folder = folder
        self._shelf = shelf
        self._embedder = embedder
        self._language_of = language_of
        self._names: dict[str, str] = {}
        self.line: Line[AddingProgress, Outcome] = Line(self._take_in)
        for left in folder.glob("*.waiting"):  # of a process that ended before their turn came
            if left.stat().st_mtime < time.time() - LEFT_S:  # or of another page at work
                left.unlink(missing_ok=True)

    def put(self, given_name: str, content: bytes) -> str:
        """Keep a file and take it in when its turn comes; return its key."""
        key = uuid.uuid4().hex
        self._names[key] = file_name(given_name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._waiting(key).write_bytes(content)
        self.line.want(key, AddingProgress(Path(self._names[key]), "queued"))
        return key

    def cancel(self, key: str) -> None:
        """Let a file not go in; it is dropped."""
        self.line.stop(key)
        self._waiting(key).unlink(missing_ok=True)

    def name(self, key: str) -> str:
        return self._names[key]

    def _waiting(self, key: str) -> Path:
        return self._folder / f"{key}.waiting"

    def _take_in(
        self, key: str, report: Callable[[AddingProgress], None], cancelled: IsCancelled
    ) -> Outcome:
        waiting = self._waiting(key)
        path = waiting
        try:
            path = self._free_place(self._names[key], sha256(waiting))
            waiting.rename(path)
            (outcome,) = add(
                [path],
                shelf=self._shelf,
                embedder=self._embedder,
                language_of=self._language_of,
                report=report,
                cancelled=cancelled,
            )
            return outcome
        finally:
            for left in (path, waiting):
                left.unlink(missing_ok=True)  # the library has its own copy

    def _free_place(self, name: str, document_id: str) -> Path:
        """Return where the file may lie: another file of the same name is another document."""
        path, number = self._folder / name, 1
        while (known := self._shelf.find_path(located(path))) and known.id != document_id:
            number += 1
            path = self._folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
        return path


def file_name(given: str) -> str:
    """Return a browser's file name without folders or characters that hide something."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        return "document.txt"
    kept = stem.encode()[:NAME_BYTES].decode(errors="ignore")
    return f"{kept}{dot}{suffix[:SUFFIX_CHARS]}"
