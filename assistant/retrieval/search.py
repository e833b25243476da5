"""From a question to passages, by vectors and keywords, compared across languages.

A passage is compared with others of its language first, and then across languages. A score well
above those of its neighbours is a sign of relevance in any language, whereas the cosine alone
favours texts in the question's language. Knows no prompt.

Measured in docs/quality.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from assistant.backends.base import Embedder, Reranker
from assistant.retrieval.centering import LanguageCentering
from assistant.storage.base import Store
from assistant.types import NO_FILTERS, Document, Filters, Passage, Vector

POOL: Final = 20  # candidates of each language by vectors, and as many by keywords
RERANKED: Final = 20  # best candidates that the reranker scores, if there is one
NEIGHBOURS: Final = 10  # next best candidates that a score is compared with
# Share of a language's offset that is subtracted: within one language, and between languages.
WITHIN_SHARE: Final = 0.4
BETWEEN_SHARE: Final = 0.7
# Weights of the lead over the neighbours: cosine, keywords, keywords that two languages share.
MEANING: Final = 2.5
OWN_WORDS: Final = 0.3
SHARED_WORDS: Final = 0.2
OWN_LANGUAGE: Final = 0.07  # same-language bias of the cosine that is left after centering
EVERY: Final = 1_000_000  # more than all passages of the pages asked for
SAME_WORDS: Final = 0.9  # share of common words from which two passages say the same
WORD_PLACE: Final = 3  # from 0: the lowest place of the best passage by keywords

WORD: Final = re.compile(r"\w+")

Found: TypeAlias = dict[tuple[str, int], Passage]  # by document and ordinal


@dataclass(frozen=True)
class _Group:
    """The candidates of one language with their scores.

    Attributes:
        own: whether it is the language of the question.
        words: keyword scores, see `Store.search_words`, (n,).
        within, between: cosines with `WITHIN_SHARE` and `BETWEEN_SHARE` of the offsets of languages
            subtracted, (n,).
    """

    own: bool
    passages: tuple[Passage, ...]
    words: Vector
    within: Vector
    between: Vector


@dataclass(frozen=True)
class _Search:
    """How many candidates of a language are retrieved, and from which pages."""

    limit: int
    filters: Filters


class Retriever:
    """Finds the passages that may answer a question, in any language."""

    def __init__(self, store: Store, embedder: Embedder, reranker: Reranker | None = None) -> None:
        self._store = store
        self._embedder = embedder
        self._reranker = reranker
        self._centering = LanguageCentering(embedder)

    def retrieve(
        self,
        question: str,
        language: str,
        *,
        limit: int,
        documents: Sequence[Document],
        filters: Filters = NO_FILTERS,
    ) -> list[Passage]:
        """Return at most `limit` passages, best first.

        Args:
            language: of the question.
            documents: to search in; their languages and dates are filtered already.
            filters: restrict the pages.
        """
        self._store.open()
        spoken: dict[str, list[Document]] = {}
        for document in documents:
            spoken.setdefault(document.language, []).append(document)
        query = self._embedder.embed_queries([question])[0]
        each = _Search(max(POOL, limit), filters)
        worded = self._by_words(question, language, spoken, each)
        found = []
        for code, written in spoken.items():
            near = self._by_meaning(query, written, each)
            if group := self._group(query, (language, code), near, worded.get(code, [])):
                found.append(group)
        ranked = sorted(_scored(found), key=lambda passage: -passage.score)
        if len(found) == 1:
            ranked = _with_best_word(ranked, found[0])
        if self._reranker is None:
            return _without_copies(ranked, limit)
        several = _without_copies(ranked, max(RERANKED, limit))
        return self._reranked(self._reranker, question, several)[:limit]

    def _reranked(
        self, reranker: Reranker, question: str, ranked: Sequence[Passage]
    ) -> list[Passage]:
        """Return the passages, the first `RERANKED` in the order of the reranker's scores."""
        read, others = ranked[:RERANKED], ranked[RERANKED:]
        scores = reranker.scores(question, [passage.chunk.text for passage in read])
        order = np.argsort(-scores, kind="stable")
        return [*(read[place] for place in order), *others]

    def _by_meaning(
        self, query: Vector, documents: Sequence[Document], search: _Search
    ) -> list[Passage]:
        """Return the nearest passages; if pages are restricted, all on them are compared."""
        if search.filters.pages is None:
            ids = [document.id for document in documents]
            return self._store.search_vectors(query, limit=search.limit, documents=ids)
        on_pages = passages_of(self._store, documents, search.filters)
        if not on_pages:
            return []
        cosines = self._store.vectors(on_pages) @ query  # (n, dim) @ (dim,) -> (n,)
        best = np.argsort(-cosines, kind="stable")[: search.limit]
        return [replace(on_pages[i], score=float(cosines[i])) for i in best]

    def _by_words(
        self,
        question: str,
        language: str,
        spoken: Mapping[str, Sequence[Document]],
        search: _Search,
    ) -> dict[str, list[Passage]]:
        """Return the best passages by keywords, by language."""
        own = [document.id for document in spoken.get(language, ())]
        foreign = [d.id for code, each in spoken.items() if code != language for d in each]
        found: list[Passage] = []
        for ids, many, shared in ((own, 1, False), (foreign, len(spoken), True)):
            if ids:
                limit = EVERY if search.filters.pages else many * search.limit
                found += self._store.search_words(
                    question, limit=limit, documents=ids, shared=shared
                )
        grouped: dict[str, list[Passage]] = {}
        for passage in found:
            if search.filters.takes_chunk(passage.chunk):
                grouped.setdefault(passage.document.language, []).append(passage)
        return {code: passages[: search.limit] for code, passages in grouped.items()}

    def _group(
        self,
        query: Vector,
        languages: tuple[str, str],
        near: Sequence[Passage],
        worded: Sequence[Passage],
    ) -> _Group | None:
        """Return the candidates of one language with their scores; None when there are none.

        Args:
            languages: of the question, and of the candidates.
            near, worded: candidates found by vectors, and by keywords.
        """
        held = {_key(passage): passage.score for passage in worded}
        found: Found = {_key(passage): passage for passage in (*near, *worded)}
        if not found:
            return None
        passages = tuple(found.values())
        vectors = self._store.vectors(passages)
        return _Group(
            own=languages[0] == languages[1],
            passages=passages,
            words=np.array([held.get(key, 0.0) for key in found], np.float32),
            within=self._centering.compare(query, vectors, *languages, share=WITHIN_SHARE),
            between=self._centering.compare(query, vectors, *languages, share=BETWEEN_SHARE),
        )


def passages_of(store: Store, documents: Sequence[Document], filters: Filters) -> list[Passage]:
    """Return all passages of the documents that the filters permit, in reading order."""
    return [
        Passage(chunk, document)
        for document in documents
        for chunk in store.chunks(document.id)
        if filters.takes_chunk(chunk)
    ]


def _without_copies(ranked: Sequence[Passage], limit: int) -> list[Passage]:
    """Return at most `limit` passages without near-duplicates of better ones."""
    kept: list[tuple[Passage, frozenset[str]]] = []
    for passage in ranked:
        words = frozenset(WORD.findall(passage.chunk.text.lower()))
        if not any(_same(words, others) for _, others in kept):
            kept.append((passage, words))
            if len(kept) == limit:
                break
    return [passage for passage, _ in kept]


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether texts with these words are near-duplicates; they differ if a figure differs."""
    if abs(len(one) - len(other)) > (1 - SAME_WORDS) * max(len(one), len(other)):
        return False
    differing = one ^ other
    return len(differing) <= (1 - SAME_WORDS) * len(one | other) and not any(
        character.isdigit() for word in differing for character in word
    )


def _scored(groups: Sequence[_Group]) -> list[Passage]:
    """Return all candidates with scores that are comparable across languages."""
    if not groups:
        return []
    usual_within = float(np.concatenate([group.within for group in groups]).mean())
    usual_between = float(np.concatenate([group.between for group in groups]).mean())
    scored = []
    for group in groups:
        scores = (
            _neighbours(group.between, usual_between)
            + MEANING * (group.within - _neighbours(group.within, usual_within))
            + (OWN_WORDS if group.own else SHARED_WORDS) * (group.words - _neighbours(group.words))
            - (OWN_LANGUAGE if group.own else 0.0)
        )
        pairs = zip(group.passages, scores, strict=True)
        scored += [replace(passage, score=float(score)) for passage, score in pairs]
    return scored


def _with_best_word(ranked: Sequence[Passage], group: _Group) -> list[Passage]:
    """Move the best passage by keywords up to `WORD_PLACE`: a name or a code may decide.

    Only for candidates of one language; among several, keywords favour the question's language.
    """
    first = _key(group.passages[int(group.words.argmax())])
    place = next(place for place, passage in enumerate(ranked) if _key(passage) == first)
    best, others = ranked[place], [*ranked[:place], *ranked[place + 1 :]]
    place = min(place, WORD_PLACE)
    return [*others[:place], best, *others[place:]]


def _neighbours(values: Vector, usual: float = 0.0) -> float:
    """Return the mean of the `NEIGHBOURS` values after the best.

    Args:
        usual: value in the place of those missing in a small group.
    """
    next_best = np.sort(values)[::-1][1 : NEIGHBOURS + 1]
    missing = NEIGHBOURS - len(next_best)
    return float((next_best.sum() + missing * usual) / NEIGHBOURS)


def _key(passage: Passage) -> tuple[str, int]:
    return passage.document.id, passage.chunk.ordinal
