"""Reads a library: its documents, their text, and the passages that a search finds.

Reading never waits for a lock and sees only documents that are ready.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.errors import AmbiguousDocument, UnknownDocument
from assistant.storage.base import VectorIndex
from assistant.storage.database import Database
from assistant.storage.rows import chunk_of, document_of
from assistant.storage.search import PassageSearch
from assistant.storage.vectors import VectorRows
from assistant.types import Chunk, Document, DocumentText, Heading, Matrix, Page, Passage, Vector


class LibraryReader:
    """The reading half of a library; `Library` adds the writing half."""

    def __init__(self, folder: Path, index: VectorIndex) -> None:
        self.folder = folder
        self.database = Database(folder)
        self.index = index
        self._vectors = VectorRows(self.database, index)
        self._search = PassageSearch(self.database, index, self._vectors, self._by_id)
        self._thread = threading.local()  # the documents as this thread last read them

    def documents(self) -> list[Document]:
        return list(self._by_id().values())

    def document(self, reference: str) -> Document:
        every = self.documents()
        wanted = reference.strip()
        if (known := self._by_id().get(wanted)) is not None:
            return known  # also when another document has the id as its title
        found = [d for d in every if wanted in (d.title, d.path, Path(d.path).name)]
        if not found and len(wanted) >= 4:
            found = [d for d in every if d.id.startswith(wanted.lower())]
        if not found:
            raise UnknownDocument(reference=reference)
        if len(found) > 1:
            names = ", ".join(f"{d.short_id} {d.title}" for d in found)
            raise AmbiguousDocument(reference=reference, names=names)
        return found[0]

    def find(self, document_id: str) -> Document | None:
        return next(iter(self._documents("id = ?", document_id)), None)

    def find_path(self, path: str) -> Document | None:
        return next(iter(self._documents("path = ?", path)), None)

    def pages(self, document_id: str) -> list[Page]:
        rows = self.database.rows(
            "SELECT number, text, label FROM pages WHERE document_id = ? ORDER BY number",
            document_id,
        )
        return [Page(**row) for row in rows]

    def document_text(self, document_id: str) -> DocumentText:
        rows = self.database.rows(
            "SELECT level, title, char_start FROM headings WHERE document_id = ? "
            "ORDER BY char_start",
            document_id,
        )
        return DocumentText.of(self.pages(document_id), [Heading(**row) for row in rows])

    def chunks(self, document_id: str) -> list[Chunk]:
        rows = self.database.rows(
            "SELECT * FROM chunks WHERE document_id = ? ORDER BY ordinal", document_id
        )
        return [chunk_of(row) for row in rows]

    def file(self, document: Document) -> Path:
        """Return the path of the stored original of a document."""
        return self.folder / "files" / f"{document.id}{Path(document.path).suffix.lower()}"

    def search_vectors(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Passage]:
        return self._search.by_vector(query, limit=limit, documents=documents)

    def search_words(
        self,
        question: str,
        *,
        limit: int,
        documents: Sequence[str] | None = None,
        shared: bool = False,
    ) -> list[Passage]:
        return self._search.by_words(question, limit=limit, documents=documents, shared=shared)

    def vectors(self, passages: Sequence[Passage]) -> Matrix:
        return self._vectors.of(passages)

    def cached(self, document_id: str, key: str) -> str | None:
        rows = self.database.rows(
            "SELECT text FROM kept WHERE document_id = ? AND key = ?", document_id, key
        )
        return str(rows[0]["text"]) if rows else None

    def _by_id(self) -> dict[str, Document]:
        """Return the ready documents by id; they are read again only after a write."""
        state, known = getattr(self._thread, "known", (None, {}))
        now = self.database.state()
        if state != now:
            known = {document.id: document for document in self._documents("true")}
            self._thread.known = now, known
        return known

    def _documents(self, where: str, *values: Any) -> list[Document]:
        """Return the ready documents that meet an SQL condition."""
        rows = self.database.rows(
            f"SELECT * FROM documents WHERE state = 'ready' AND {where} ORDER BY added_at, title",
            *values,
        )
        return [document_of(row) for row in rows]
