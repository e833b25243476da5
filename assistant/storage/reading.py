"""Reads a library: its documents, their text, and the passages that a query finds.

Reading never waits for a lock, and sees the documents that are ready, nothing half-added.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.errors import AmbiguousDocument, UnknownDocument
from assistant.storage.base import VectorIndex
from assistant.storage.database import Database
from assistant.storage.keywords import Terms, match_expression, query_terms, rarity
from assistant.storage.rows import chunk_of, document_of, matrix_of
from assistant.types import Chunk, Document, DocumentText, Heading, Matrix, Page, Passage, Vector

OVERFETCH = 4  # hits asked of the index per wanted one: rows of removed documents are skipped


class LibraryReader:
    """The reading half of a library; `Library` adds the writing half."""

    def __init__(self, folder: Path, index: VectorIndex):
        self.folder = folder
        self.database = Database(folder)
        self._index = index
        self._thread = threading.local()  # the documents as this thread last saw them

    def documents(self) -> list[Document]:
        return list(self._by_id().values())

    def document(self, reference: str) -> Document:
        every = self.documents()
        wanted = reference.strip()
        if (known := self._by_id().get(wanted)) is not None:
            return known  # whatever others are called
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
        """Return where the original of a document is kept."""
        return self.folder / "files" / f"{document.id}{Path(document.path).suffix.lower()}"

    def search_vectors(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Passage]:
        hits = self._index.search(query, limit=limit * OVERFETCH, documents=documents)
        found: list[Passage] = []
        while hits and len(found) < limit:  # hardly ever a second time
            found += self._passages(hits[:limit], documents)
            hits = hits[limit:]
        return found[:limit]

    def search_words(
        self,
        question: str,
        *,
        limit: int,
        documents: Sequence[str] | None = None,
        shared: bool = False,
    ) -> list[Passage]:
        words = query_terms(question, self._languages(), shared=shared)
        held, values = _held_to(documents)
        rows = self.database.rows(
            "SELECT words.rowid AS id, -bm25(words) AS score FROM words "
            "JOIN chunks ON chunks.id = words.rowid "
            f"WHERE words MATCH ? {held} ORDER BY score DESC LIMIT ?",
            *(match_expression(words), *values, limit),
        )
        weight = max(self._rarity(words), 1e-6)
        hits = [(int(row["id"]), float(row["score"]) / weight) for row in rows]
        return self._passages(hits, documents)

    def _by_id(self) -> dict[str, Document]:
        """Return the documents that everybody sees; read again when something was written."""
        state, known = getattr(self._thread, "known", (None, {}))
        now = self.database.state()
        if state != now:
            known = {document.id: document for document in self._documents("true")}
            self._thread.known = now, known
        return known

    def _documents(self, where: str, *values: Any) -> list[Document]:
        """Return the documents that everybody sees, of those that the condition names."""
        rows = self.database.rows(
            f"SELECT * FROM documents WHERE state = 'ready' AND {where} ORDER BY added_at, title",
            *values,
        )
        return [document_of(row) for row in rows]

    def _rarity(self, words: Sequence[Terms]) -> float:
        terms = sorted({term for each in words for term in each})
        marks = ", ".join("?" for _ in terms)
        found = self.database.rows(f"SELECT term, doc FROM terms WHERE term IN ({marks})", *terms)
        counts = {str(row["term"]): int(row["doc"]) for row in found}
        return rarity(words, counts, self._count_ready())

    def vectors(self, passages: Sequence[Passage]) -> Matrix:
        marks = ", ".join("(?, ?)" for _ in passages)
        keys = [(p.chunk.document_id, p.chunk.ordinal) for p in passages]
        rows = self.database.rows(
            "SELECT document_id, ordinal, vector FROM chunks "
            f"WHERE (document_id, ordinal) IN (VALUES {marks})",
            *(value for key in keys for value in key),
        )
        found = {(row["document_id"], row["ordinal"]): row["vector"] for row in rows}
        return matrix_of([found[key] for key in keys])

    def cached(self, document_id: str, key: str) -> str | None:
        rows = self.database.rows(
            "SELECT text FROM kept WHERE document_id = ? AND key = ?", document_id, key
        )
        return str(rows[0]["text"]) if rows else None

    def _count_ready(self) -> int:
        return int(
            self.database.rows(
                "SELECT coalesce(sum(chunk_count), 0) FROM documents WHERE state = 'ready'"
            )[0][0]
        )

    def _languages(self) -> list[str]:
        rows = self.database.rows("SELECT DISTINCT language FROM documents WHERE state = 'ready'")
        return sorted(str(row["language"]) for row in rows)

    def _passages(
        self, hits: Sequence[tuple[int, float]], documents: Sequence[str] | None
    ) -> list[Passage]:
        """Return the hits that are chunks of ready documents, in the order of the hits."""
        marks = ", ".join("?" for _ in hits)
        rows = self.database.rows(
            f"SELECT * FROM chunks WHERE id IN ({marks})", *[i for i, _ in hits]
        )
        known = self._by_id()
        wanted = known.keys() if documents is None else known.keys() & set(documents)
        chunks = {row["id"]: chunk_of(row) for row in rows if row["document_id"] in wanted}
        return [
            Passage(chunk=chunks[i], document=known[chunks[i].document_id], score=score)
            for i, score in hits
            if i in chunks
        ]


def _held_to(documents: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    """Return a condition that holds rows of chunks to these documents, and its values."""
    if documents is None:
        return "", ()
    return f"AND document_id IN ({', '.join('?' for _ in documents)})", documents
