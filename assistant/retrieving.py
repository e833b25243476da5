"""Question to passages: nearness of meaning and shared words, fused by rank. Knows no prompt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from assistant.centring import Centring
from assistant.protocols import Embedder, Store
from assistant.types import Document, Passage

RRF_K: Final = 60  # Cormack, Clarke and Büttcher 2009
OVERFETCH: Final = 5  # candidates per wanted passage: the fusion needs a choice
# Words cannot cross languages: with more weight they push the right foreign page out. Measured as
# in centring.py, same / other language: 0 .908 / .786, 0.2 .942 / .714, 0.8 .958 / .581.
WORDS: Final = 0.2
WORD_PLACE: Final = 3  # from 0: where the first by words stands at the latest


class Retriever:
    """Searches a library for what a question asks."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._centring = Centring(embedder)

    def retrieve(
        self, question: str, language: str, *, limit: int, documents: Sequence[Document]
    ) -> list[Passage]:
        """Return at most `limit` passages, best first.

        Args:
            language: of the question.
            documents: to search in.
        """
        near = self._near(question, language, limit * OVERFETCH, documents)
        ids = [document.id for document in documents]
        worded = self._store.search_words(question, limit=limit * OVERFETCH, documents=ids)
        fused = fuse(near, worded)
        one_language = len({document.language for document in documents}) == 1
        return (_with_best_word(fused, worded) if one_language else fused)[:limit]

    def _near(
        self, question: str, language: str, limit: int, documents: Sequence[Document]
    ) -> list[Passage]:
        """Return the nearest; those of several languages are compared without their language."""
        query = self._embedder.embed_queries([question])[0]
        groups: dict[str, list[str]] = {}
        for document in documents:
            groups.setdefault(document.language, []).append(document.id)
        found = [
            passage
            for ids in groups.values()
            for passage in self._store.search_vectors(query, limit=limit, documents=ids)
        ]
        if len(groups) < 2 or not found:
            return found
        spoken = [passage.document.language for passage in found]
        cosines = self._centring.compare(query, language, self._store.vectors(found), spoken)
        return [found[i] for i in np.argsort(-cosines, kind="stable")[:limit]]


def _with_best_word(fused: Sequence[Passage], worded: Sequence[Passage]) -> list[Passage]:
    """Bring the first by words forward: a name or a code may be all there is to go by.

    Not among several languages, where it is the one in the question's language that has the words.
    """
    best = [p for p in fused if p.chunk == worded[0].chunk] if worded else []
    others = [p for p in fused if p not in best]
    place = min(fused.index(best[0]), WORD_PLACE) if best else 0
    return [*others[:place], *best, *others[place:]]


def fuse(near: Sequence[Passage], worded: Sequence[Passage]) -> list[Passage]:
    """Return the passages of both lists, best first, by weighted reciprocal ranks."""
    scores: dict[tuple[str, int], float] = {}
    found: dict[tuple[str, int], Passage] = {}
    for passages, weight in ((near, 1.0), (worded, WORDS)):
        for rank, passage in enumerate(passages, start=1):
            key = (passage.document.id, passage.chunk.ordinal)
            found.setdefault(key, passage)
            scores[key] = scores.get(key, 0.0) + weight / (RRF_K + rank)
    ranked = sorted(found, key=lambda key: -scores[key])
    return [replace(found[key], score=scores[key]) for key in ranked]
