"""The systems under evaluation: Quipu, vectors alone, keywords alone, a model alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from assistant.assistant import Assistant
from assistant.backends.base import ChatModel, Embedder, Prompt
from assistant.generation.citing import without_markers
from assistant.generation.prompts import closed_book_messages
from assistant.storage.base import Store
from assistant.types import Passage, Query
from evaluation.datasets import Question

CANDIDATES: Final = 40  # passages searched for: twenty documents, some of which hold several
ALONE_TOKENS: Final = 200  # of a reply without documents


@dataclass(frozen=True)
class SystemReply:
    """Attributes:
    refused: it says that the documents do not hold the answer.
    cited: (document id, page) of each citation.
    verified_share: of its sentences that a citation supports; None where nobody checks.
    """

    text: str
    refused: bool
    cited: tuple[tuple[str, int], ...]
    verified_share: float | None
    ttft_s: float
    total_s: float
    tokens_per_s: float


class System(Protocol):
    """Something that searches documents and answers questions from them."""

    @property
    def name(self) -> str:
        """Return the name under which its figures are printed."""
        ...

    def search(self, question: Question, documents: Sequence[str]) -> list[str] | None:
        """Return the ids of documents found, best first, each once; None when it never searches.

        Args:
            documents: ids of those to search in; none means all.
        """
        ...

    def answer(self, question: Question, documents: Sequence[str]) -> SystemReply | None:
        """Return the reply; None when it only searches."""
        ...


class Quipu:
    """The assistant as readers have it."""

    name = "quipu"

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def search(self, question: Question, documents: Sequence[str]) -> list[str]:
        return _documents(
            self._assistant.search(
                Query(question.question, documents=tuple(documents)), limit=CANDIDATES
            )
        )

    def answer(self, question: Question, documents: Sequence[str]) -> SystemReply:
        answer = self._assistant.answer(Query(question.question, question.lang, tuple(documents)))
        return SystemReply(
            text=without_markers(answer.text),
            refused=not answer.answerable,
            cited=tuple((citation.document_id, citation.page) for citation in answer.citations),
            verified_share=answer.verified_share if answer.answerable else None,
            ttft_s=answer.timings.ttft_s,
            total_s=answer.timings.total_s,
            tokens_per_s=answer.timings.decode_tokens_per_s,
        )


class Dense:
    """Nearness of vectors alone, as the embedding model gives it."""

    name = "dense"

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    def search(self, question: Question, documents: Sequence[str]) -> list[str]:
        query = self._embedder.embed_queries([question.question])[0]
        within = documents or None
        self._store.open()
        return _documents(self._store.search_vectors(query, limit=CANDIDATES, documents=within))

    def answer(self, question: Question, documents: Sequence[str]) -> None:
        return None


class BM25:
    """BM25 alone, over folded and stemmed words."""

    name = "words"

    def __init__(self, store: Store) -> None:
        self._store = store

    def search(self, question: Question, documents: Sequence[str]) -> list[str]:
        within = documents or None
        found = self._store.search_words(question.question, limit=CANDIDATES, documents=within)
        return _documents(found)

    def answer(self, question: Question, documents: Sequence[str]) -> None:
        return None


class ClosedBook:
    """The model without any document: what it has learned by heart."""

    name = "closed book"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def search(self, question: Question, documents: Sequence[str]) -> None:
        return None

    def answer(self, question: Question, documents: Sequence[str]) -> SystemReply:
        start = time.perf_counter()
        prompt = Prompt.of(closed_book_messages(question.question, question.lang))
        pieces, first = [], 0.0
        for piece in self._model.stream(prompt, limit_tokens=ALONE_TOKENS):
            first = first or time.perf_counter() - start
            pieces.append(piece)
        total = time.perf_counter() - start
        speed = (len(pieces) - 1) / (total - first) if len(pieces) > 1 else 0.0
        return SystemReply("".join(pieces), False, (), None, first, total, speed)


def _documents(passages: Sequence[Passage]) -> list[str]:
    return list(dict.fromkeys(passage.document.id for passage in passages))
