"""The vectors of a library: rows of the database, and the vector index that is built from them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from assistant.storage.base import VectorIndex
from assistant.storage.database import Database
from assistant.storage.rows import matrix_of
from assistant.types import Matrix, Passage

INDEX_BATCH: Final = 250  # rows; writing to Chroma gets no faster above about 150
READY: Final = "document_id IN (SELECT id FROM documents WHERE state = 'ready')"


class VectorRows:
    """Keeps a vector index in step with the rows of the database.

    The index holds the chunks of all ready documents, and may hold rows of removed ones until it
    is rebuilt. Except for `of`, `count_ready` and `is_short`, methods need the write lock.
    """

    def __init__(self, database: Database, index: VectorIndex) -> None:
        self._database = database
        self._index = index

    def of(self, passages: Sequence[Passage]) -> Matrix:
        """Return the vectors of the passages' chunks, (n, dim)."""
        marks = ", ".join("(?, ?)" for _ in passages)
        keys = [(p.chunk.document_id, p.chunk.ordinal) for p in passages]
        rows = self._database.rows(
            "SELECT document_id, ordinal, vector FROM chunks "
            f"WHERE (document_id, ordinal) IN (VALUES {marks})",
            *(value for key in keys for value in key),
        )
        found = {(row["document_id"], row["ordinal"]): row["vector"] for row in rows}
        return matrix_of([found[key] for key in keys])

    def count_ready(self) -> int:
        """Return the number of chunks of ready documents."""
        (row,) = self._database.rows(
            "SELECT coalesce(sum(chunk_count), 0) AS chunks FROM documents WHERE state = 'ready'"
        )
        return int(row["chunks"])

    @property
    def is_short(self) -> bool:
        """Whether the index lacks rows: it was lost, or an update was interrupted."""
        return self._index.count() < self.count_ready()

    def repair(self) -> None:
        """Rebuild the index unless it has as many rows as it should."""
        if self._index.count() != self.count_ready():
            self.rebuild()

    def rebuild(self) -> None:
        """Replace the index by one that holds nothing but the ready documents."""
        self._index.rebuild(self._batches(READY))

    def add(self, document_id: str) -> bool:
        """Index the chunks of a staged document; return whether the index holds all rows now."""
        self.repair()  # an interrupted run may have indexed some of them
        added = 0
        for batch in self._batches("document_id = ?", document_id):
            self._index.add(*batch)
            added += len(batch[0])
        return self._index.count() == self.count_ready() + added

    def _batches(self, where: str, *values: Any) -> Iterator[tuple[list[int], Matrix, list[str]]]:
        query = f"SELECT id, document_id, vector FROM chunks WHERE {where} ORDER BY id"
        cursor = self._database.connection().execute(query, values)
        while rows := cursor.fetchmany(INDEX_BATCH):
            vectors = matrix_of([row["vector"] for row in rows])
            yield [row["id"] for row in rows], vectors, [row["document_id"] for row in rows]
