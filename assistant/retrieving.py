"""Question to passages: nearness of meaning and shared words, fused by rank. Knows no prompt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from assistant.protocols import Embedder, Store
from assistant.types import Passage

RRF_K: Final = 60  # Cormack, Clarke and Büttcher 2009
OVERFETCH: Final = 5  # candidates per wanted passage: the fusion needs a choice
# Words cannot cross languages: with equal weights they push the right foreign page out.
WORDS_SAME_LANGUAGE: Final = 0.8
WORDS_OTHER_LANGUAGE: Final = 0.2


def retrieve(
    question: str,
    language: str,
    *,
    store: Store,
    embedder: Embedder,
    limit: int,
    documents: Sequence[str] | None = None,
) -> list[Passage]:
    """Return at most `limit` passages, best first.

    Args:
        language: of the question.
        documents: ids to search in; None searches all.
    """
    query = embedder.embed_queries([question])[0]
    near = store.search_vectors(query, limit=limit * OVERFETCH, documents=documents)
    worded = store.search_words(question, limit=limit * OVERFETCH, documents=documents)
    return fuse(near, worded, language)[:limit]


def fuse(near: Sequence[Passage], worded: Sequence[Passage], language: str) -> list[Passage]:
    """Return the passages of both lists, best first, by weighted reciprocal ranks."""
    scores: dict[tuple[str, int], float] = {}
    found: dict[tuple[str, int], Passage] = {}
    for passages, is_words in ((near, False), (worded, True)):
        for rank, passage in enumerate(passages, start=1):
            key = (passage.document.id, passage.chunk.ordinal)
            weight = _weight(passage, language) if is_words else 1.0
            found.setdefault(key, passage)
            scores[key] = scores.get(key, 0.0) + weight / (RRF_K + rank)
    ranked = sorted(found, key=lambda key: -scores[key])
    return [replace(found[key], score=scores[key]) for key in ranked]


def _weight(passage: Passage, language: str) -> float:
    same = passage.document.language == language
    return WORDS_SAME_LANGUAGE if same else WORDS_OTHER_LANGUAGE
