"""An exact vector index in memory, against which other indexes are tested."""

from collections.abc import Iterable, Sequence

import numpy as np

from assistant.types import Matrix, Vector


class ExactIndex:
    """A `VectorIndex` that compares the query with every vector."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[Vector, str]] = {}

    def add(self, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
        for number, vector, document in zip(ids, vectors, documents, strict=True):
            self._rows[number] = (vector, document)

    def rebuild(self, rows: Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]) -> None:
        self._rows = {}
        for batch in rows:
            self.add(*batch)

    def count(self) -> int:
        return len(self._rows)

    def search(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        ids = [i for i, (_, d) in self._rows.items() if documents is None or d in documents]
        if not ids:
            return []
        scores = np.stack([self._rows[i][0] for i in ids]) @ query  # (n, dim) @ (dim,) -> (n,)
        best = np.argsort(-scores, kind="stable")[:limit]
        return [(ids[i], float(scores[i])) for i in best]
