"""Uploaded files: stored until they are in the library, then deleted. Knows no screen."""

import re
import time
import unicodedata
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from assistant.backends.base import Embedder
from assistant.errors import Cancelled
from assistant.jobs import Jobs
from assistant.streams import Events, IsCancelled, Progress, Step, Stream, with_progress
from ingest.indexing import AddingProgress, IndexingWriter, Outcome, add, located, sha256

NAME_BYTES: Final = 180  # in UTF-8; file systems take 255
SUFFIX_CHARS: Final = 10
STEPS: Final = {
    "waiting": Step.WAITING, "reading": Step.EXTRACTING, "embedding": Step.EMBEDDING,
}  # fmt: skip
LEFT_S: Final = 86_400.0  # after which a file waits for nobody any more


class Uploads:
    """Adds uploaded files in the background, one after the other.

    Attributes:
        jobs: a job for each file, by a key of its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        writer: IndexingWriter,
        embedder: Embedder,
    ) -> None:
        """Args:
        folder: where files wait; made when there is the first.
        """
        self._folder = folder
        self._writer = writer
        self._embedder = embedder
        self._names: dict[str, str] = {}
        self.jobs: Jobs[str, Outcome] = Jobs(workers=1)
        for left in folder.glob("*.waiting"):  # of a process that ended before their turn came
            if left.stat().st_mtime < time.time() - LEFT_S:  # or of another page at work
                left.unlink(missing_ok=True)

    def put(self, given_name: str, content: bytes) -> str:
        """Keep a file and take it in when its turn comes; return its key."""
        key = uuid.uuid4().hex
        self._names[key] = file_name(given_name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._waiting(key).write_bytes(content)
        self.jobs.start(key, Stream(partial(self._events, key)))
        return key

    def cancel(self, key: str) -> None:
        """Do not add a file; it is deleted."""
        if job := self.jobs.last(key):
            job.cancel()
        self._waiting(key).unlink(missing_ok=True)

    def name(self, key: str) -> str:
        """Return the name that the uploaded file had."""
        return self._names[key]

    def _waiting(self, key: str) -> Path:
        return self._folder / f"{key}.waiting"

    def _events(self, key: str, cancelled: IsCancelled) -> Events[Outcome]:
        if cancelled():
            raise Cancelled
        return (yield from with_progress(partial(self._add, key), cancelled))

    def _add(self, key: str, cancelled: IsCancelled, report: Callable[[Progress], None]) -> Outcome:
        waiting = self._waiting(key)
        path = waiting
        try:
            path = self._free_place(self._names[key], sha256(waiting))
            waiting.rename(path)
            (outcome,) = add(
                [path],
                writer=self._writer,
                embedder=self._embedder,
                report=lambda now: report(_progress(now)),
                cancelled=cancelled,
            )
            return outcome
        finally:
            for left in (path, waiting):
                left.unlink(missing_ok=True)  # the library has its own copy

    def _free_place(self, name: str, document_id: str) -> Path:
        """Return where the file may lie: another file of the same name is another document."""
        path, number = self._folder / name, 1
        while (known := self._writer.find_path(located(path))) and known.id != document_id:
            number += 1
            path = self._folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
        return path


def _progress(now: AddingProgress) -> Progress:
    return Progress(STEPS[now.step], now.pages_done, now.pages_total, "", now.seconds_left)


def file_name(given: str) -> str:
    """Return a browser's file name without folders or characters that hide something."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        return "document.txt"
    kept = stem.encode()[:NAME_BYTES].decode(errors="ignore")
    return f"{kept}{dot}{suffix[:SUFFIX_CHARS]}"
