"""Adds files to the library, one after the other: read, clean, chunk, embed, publish.

A document is staged first and shown at the end in one step, so that no half-added document answers
and a changed file stays until its new version is ready. Interrupted embedding goes on
where it stopped.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np

from assistant.backends.base import Embedder
from assistant.errors import Cancelled, DocumentError, EmptyDocument, Notice, Reason
from assistant.languages.detection import identify_document
from assistant.storage.base import DocumentWriter
from assistant.streams import IsCancelled, never
from assistant.types import Chunk, Document, DocumentText, Matrix
from ingest.chunking import chunk
from ingest.cleaning import CleanText, clean, clean_line
from ingest.pages import Extracted
from ingest.readers.registry import READERS
from ingest.sandbox import check, file_errors, read

EMBED_BATCH = 32  # chunks between two checkpoints: about two seconds on two cores


class Status(StrEnum):
    """What became of a file."""

    ADDED = "added"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """The result of adding one file.

    Attributes:
        path: of the file.
        document: None when the file could not be added.
        failure: why it could not.
    """

    path: str
    status: Status
    document: Document | None = None
    failure: Notice | None = None

    @property
    def error(self) -> str:
        """Why it failed, in English; "" when it did not."""
        return str(self.failure) if self.failure else ""


@dataclass(frozen=True)
class AddingProgress:
    """Attributes:
    step: "reading", "embedding" or "waiting" for another process that adds.
    pages_done: of `pages_total`; 0 of 0 while the file is being read.
    seconds_left: None until it can be told.
    """

    path: Path
    step: str
    pages_done: int = 0
    pages_total: int = 0
    seconds_left: float | None = None


Report = Callable[[AddingProgress], None]


class IndexingWriter(DocumentWriter, Protocol):
    """The library as this module needs it."""

    def adding(self, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the right to add documents; call `waiting` once if another process has it."""
        ...

    def discard_unfinished(self, *, but: str) -> None:
        """Discard every staged document but the one with this id."""
        ...

    def store_file(self, document: Document, source: Path) -> None:
        """Copy the original of a document into the library."""
        ...

    def remove(self, document: Document) -> None:
        """Remove a document with everything that was made of it."""
        ...


class Destination(Protocol):
    """Where documents are added, such as a workspace."""

    @property
    def library(self) -> IndexingWriter: ...

    @property
    def embedder(self) -> Embedder: ...


def silent(progress: AddingProgress) -> None:
    """Ignore the progress: the default `Report`."""


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files named, and those in named folders whose type can be read, sorted.

    What is missing or may not be opened is yielded too: adding it tells so, and the others still
    go in. What is hidden below a named folder is left out, and so are Word's lock files.
    """
    for path in paths:
        yield from sorted(_inside(path)) if os.path.isdir(path) else [path]  # noqa: PTH112


def _inside(folder: Path) -> Iterator[Path]:
    refused: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = (name for name in names if not name.startswith((".", "~$")))
        yield from (Path(where, name) for name in visible if Path(name).suffix.lower() in READERS)
    yield from (Path(error.filename) for error in refused)


def located(path: Path) -> str:
    """Return the full path under the name given: a link keeps its own, which tells the type."""
    return _printable(str(path.parent.resolve() / path.name))


def _printable(text: str) -> str:
    """Return text that a database and a screen take, whatever bytes a file name holds."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def add(
    paths: Sequence[Path],
    *,
    writer: IndexingWriter,
    embedder: Embedder,
    report: Report = silent,
    cancelled: IsCancelled = never,
) -> Iterator[Outcome]:
    """Add each file and yield its outcome as soon as it is known.

    Raises:
        Cancelled: `cancelled` returned True. Embedded chunks are kept for the next run.
    """
    adder = _Adder(writer, embedder, report, cancelled)
    for path in files(paths):
        try:
            yield adder.add(path)
        except DocumentError as error:
            yield Outcome(_printable(str(path)), Status.FAILED, failure=_told(error))


def _told(error: DocumentError) -> Notice:
    """Return an error as a notice that can be stored and shown, whatever a file name holds."""
    facts = error.notice.facts.items()
    told = {name: _printable(fact) if isinstance(fact, str) else fact for name, fact in facts}
    return Notice(error.notice.kind, told)


def add_documents(
    workspace: Destination,
    paths: Iterable[str | Path],
    *,
    report: Report = silent,
    cancelled: IsCancelled = never,
) -> list[Outcome]:
    """Add files, and the readable files in folders, to the library of a workspace.

    Returns when all of them can be searched; embedding a long report takes about a minute. A file
    that cannot be read does not stop the others. A file that is in the library already is left as
    it is, and a changed one replaces its older version.

    Args:
        report: called with the progress.
        cancelled: checked between batches of chunks.

    Raises:
        Cancelled: `cancelled` returned True. Embedded chunks are kept for the next call.
        LibraryError: the library cannot be written.
    """
    return [
        *add(
            [Path(path) for path in paths],
            writer=workspace.library,
            embedder=workspace.embedder,
            report=report,
            cancelled=cancelled,
        )
    ]


def sha256(path: Path) -> str:
    """Return the hash of the file's bytes, which is the document's id."""
    with file_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Adder:
    """Carries what adding one file needs through its steps."""

    def __init__(
        self,
        writer: IndexingWriter,
        embedder: Embedder,
        report: Report,
        cancelled: IsCancelled,
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._report = report
        self._cancelled = cancelled

    def add(self, path: Path) -> Outcome:
        check(path)  # first: a pipe would never end, and a huge file takes minutes to hash
        document_id = sha256(path)
        if self._is_there(path, document_id):
            return self._outcome(path, Status.UNCHANGED, self._writer.find(document_id))
        with self._writer.adding(lambda: self._report(AddingProgress(path, "waiting"))):
            if known := self._writer.find(document_id):  # or the process we waited for added it
                return self._outcome(path, self._drop_older(path, known), known)
            self._writer.discard_unfinished(but=document_id)
            return self._take_in(path, document_id)

    def _is_there(self, path: Path, document_id: str) -> bool:
        """Tell whether these bytes are known and no others of this path are."""
        older = self._writer.find_path(located(path))
        known = self._writer.find(document_id) is not None
        return known and (older is None or older.id == document_id)

    def _drop_older(self, path: Path, known: Document) -> Status:
        """Remove what stood at this path before it became the same as a known document."""
        older = self._writer.find_path(located(path))
        if older is None or older.id == known.id:
            return Status.UNCHANGED
        self._writer.remove(older)
        return Status.REPLACED

    @staticmethod
    def _outcome(path: Path, status: Status, document: Document | None) -> Outcome:
        return Outcome(_printable(str(path)), status, document)

    def _take_in(self, path: Path, document_id: str) -> Outcome:
        self._report(AddingProgress(path, "reading"))
        reading = read(path)
        cleaned = clean(reading.pages)
        text = DocumentText.of(cleaned.pages, cleaned.headings)
        if not text.text.strip():
            raise EmptyDocument(name=path.name, reason=_why_empty(reading))
        document = self._describe(path, document_id, reading, cleaned, text)
        replaces = self._writer.find_path(document.path) is not None
        chunks = chunk(document_id, text, self._embedder.counts)
        document = replace(document, chunk_count=len(chunks))
        self._writer.stage(document, cleaned.pages, cleaned.headings)
        self._embed(path, chunks, document)
        self._writer.store_file(document, path)
        self._writer.publish(document)
        return self._outcome(path, Status.REPLACED if replaces else Status.ADDED, document)

    def _describe(
        self,
        path: Path,
        document_id: str,
        reading: Extracted,
        cleaned: CleanText,
        text: DocumentText,
    ) -> Document:
        first_heading = next((h.title for h in cleaned.headings if h.level == 1), "")
        return Document(
            id=document_id,
            title=_title(reading.title, first_heading, _printable(path.stem)),
            path=located(path),
            language=identify_document(text.text),
            page_count=len(cleaned.pages),
            word_count=len(text.text.split()),
            chunk_count=0,
            added_at=datetime.now(UTC).isoformat(timespec="seconds"),
            notes=_notes(reading),
        )

    def _embed(self, path: Path, chunks: Sequence[Chunk], document: Document) -> None:
        """Embed what an interrupted run has not, and stage it batch by batch."""
        known = self._writer.staged_vectors(document.id)
        missing = [c for c in chunks if known.get(c.ordinal, ("", None))[0] != c.text]
        start = time.monotonic()
        for first in range(0, len(missing), EMBED_BATCH):
            if self._cancelled():
                raise Cancelled
            batch = missing[first : first + EMBED_BATCH]
            self._writer.stage_chunks(batch, self._vectors(batch))
            done = first + len(batch)
            left = (time.monotonic() - start) / done * (len(missing) - done)
            page = batch[-1].pages[-1]
            self._report(AddingProgress(path, "embedding", page, document.page_count, left))
        self._report(
            AddingProgress(path, "embedding", document.page_count, document.page_count, 0.0)
        )

    def _vectors(self, chunks: Sequence[Chunk]) -> Matrix:
        """Embed each chunk with the headings it stands under."""
        texts = [f"{c.heading}\n{c.text}" if c.heading else c.text for c in chunks]
        return self._embedder.embed_passages(texts).astype(np.float32)


def _title(*candidates: str) -> str:
    """Return the first that says something, on one line."""
    return next((title[:200] for title in map(clean_line, candidates) if title), "")


def _notes(reading: Extracted) -> tuple[Notice, ...]:
    """Say which pages gave no text, so that nobody takes them for read."""
    without: dict[str, list[int]] = {}
    for page in reading.pages:
        if page.needs:
            without.setdefault(page.needs, []).append(page.number)
    return tuple(
        Notice("PagesWithoutText", {"pages": ranges(pages), "reason": reason})
        for reason, pages in without.items()
    )


def _why_empty(reading: Extracted) -> Reason:
    needs = {page.needs for page in reading.pages if page.needs}
    if not needs:
        return Reason.NO_WORDS
    return Reason.ALL_DAMAGED if needs == {Reason.DAMAGED} else Reason.PICTURES


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as "1-3, 7"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, dict.fromkeys(part))) for part in parts)
