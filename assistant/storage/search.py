"""Searches the chunks of a library by vectors and by keywords (BM25). Knows no language model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from assistant.storage.base import VectorIndex
from assistant.storage.database import Database
from assistant.storage.keywords import Terms, match_expression, query_terms, rarity
from assistant.storage.rows import chunk_of
from assistant.storage.vectors import VectorRows
from assistant.types import Document, Passage, Vector

OVERFETCH: Final = 4  # hits per wanted one: rows of removed documents are skipped


class PassageSearch:
    """Finds passages in the documents that are ready."""

    def __init__(
        self,
        database: Database,
        index: VectorIndex,
        vectors: VectorRows,
        documents: Callable[[], Mapping[str, Document]],
    ) -> None:
        """Args:
        documents: returns the ready documents by id.
        """
        self._database = database
        self._index = index
        self._vectors = vectors
        self._documents = documents

    def by_vector(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None
    ) -> list[Passage]:
        """Return the passages with the highest cosine, best first; see `Store`."""
        hits = self._index.search(query, limit=limit * OVERFETCH, documents=documents)
        found: list[Passage] = []
        while hits and len(found) < limit:  # rarely more than once
            found += self._passages(hits[:limit], documents)
            hits = hits[limit:]
        return found[:limit]

    def by_words(
        self, question: str, *, limit: int, documents: Sequence[str] | None, shared: bool
    ) -> list[Passage]:
        """Return the passages with the highest BM25, best first; see `Store`."""
        words = query_terms(question, self._languages(), shared=shared)
        condition, values = _within(documents)
        rows = self._database.rows(
            "SELECT words.rowid AS id, -bm25(words) AS score FROM words "
            "JOIN chunks ON chunks.id = words.rowid "
            f"WHERE words MATCH ? {condition} ORDER BY score DESC LIMIT ?",
            *(match_expression(words), *values, limit),
        )
        weight = max(self._rarity(words), 1e-6)
        hits = [(int(row["id"]), float(row["score"]) / weight) for row in rows]
        return self._passages(hits, documents)

    def _languages(self) -> list[str]:
        return sorted({document.language for document in self._documents().values()})

    def _rarity(self, words: Sequence[Terms]) -> float:
        terms = sorted({term for each in words for term in each})
        marks = ", ".join("?" for _ in terms)
        found = self._database.rows(f"SELECT term, doc FROM terms WHERE term IN ({marks})", *terms)
        counts = {str(row["term"]): int(row["doc"]) for row in found}
        return rarity(words, counts, self._vectors.count_ready())

    def _passages(
        self, hits: Sequence[tuple[int, float]], documents: Sequence[str] | None
    ) -> list[Passage]:
        """Return the hits (chunk id, score) in ready documents, in the order of the hits."""
        marks = ", ".join("?" for _ in hits)
        rows = self._database.rows(
            f"SELECT * FROM chunks WHERE id IN ({marks})", *[number for number, _ in hits]
        )
        known = self._documents()
        wanted = known.keys() if documents is None else known.keys() & set(documents)
        chunks = {row["id"]: chunk_of(row) for row in rows if row["document_id"] in wanted}
        return [
            Passage(chunk=chunks[number], document=known[chunks[number].document_id], score=score)
            for number, score in hits
            if number in chunks
        ]


def _within(documents: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    """Return the SQL condition that restricts chunks to documents, and its values."""
    if documents is None:
        return "", ()
    return f"AND document_id IN ({', '.join('?' for _ in documents)})", documents
