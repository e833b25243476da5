"""Backends that load on first use, so that a command pays only for what it needs."""

import threading
from collections.abc import Callable, Generator, Sequence
from typing import Generic, TypeVar

from assistant.backends.base import (
    ChatModel,
    Choice,
    Embedder,
    Generation,
    PrefillReport,
    Prefix,
    Reranker,
    Throughput,
    Tokens,
)
from assistant.streams import IsCancelled, never
from assistant.types import Matrix, Message, Vector

T = TypeVar("T")


class _Once(Generic[T]):
    """Calls a loader once, whichever thread comes first."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._loaded: list[T] = []

    def get(self) -> T:
        with self._lock:
            if not self._loaded:
                self._loaded.append(self._load())
            return self._loaded[0]

    def forget(self) -> None:
        """Let what was loaded go once nobody works with it; it is loaded again when needed."""
        with self._lock:
            self._loaded.clear()


class LazyModel:
    """A `ChatModel` that is loaded when it is first asked for more than its name."""

    def __init__(self, name: str, load: Callable[[], ChatModel]) -> None:
        self._name = name
        self._model = _Once(load)

    @property
    def name(self) -> str:
        return self._name

    def release(self) -> None:
        """Free the memory as soon as nobody works with it."""
        self._model.forget()

    @property
    def window_tokens(self) -> int:
        return self._model.get().window_tokens

    @property
    def effective_tokens(self) -> int:
        return self._model.get().effective_tokens

    @property
    def full_context_limit(self) -> int:
        return self._model.get().full_context_limit

    @property
    def speeds(self) -> Throughput | None:
        return self._model.get().speeds

    def tokens(self, text: str) -> Tokens:
        return self._model.get().tokens(text)

    def count(self, text: str) -> int:
        return self._model.get().count(text)

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        return self._model.get().encode(messages, reply_start=reply_start)

    def encode_apart(
        self, messages: Sequence[Message], *, reply_start: str = ""
    ) -> tuple[Tokens, Tokens]:
        return self._model.get().encode_apart(messages, reply_start=reply_start)

    def has_read(self, reading: Prefix) -> bool:
        return self._model.get().has_read(reading)

    def read(
        self,
        reading: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        return self._model.get().read(reading, cancelled=cancelled, report=report)

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        readings: Sequence[Prefix] = (),
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        return self._model.get().stream(
            prompt,
            limit_tokens=limit_tokens,
            readings=readings,
            cancelled=cancelled,
            report=report,
        )

    def choose(
        self,
        prompt: Tokens,
        options: Sequence[str],
        *,
        readings: Sequence[Prefix] = (),
        ahead: Tokens | None = None,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        return self._model.get().choose(
            prompt,
            options,
            readings=readings,
            ahead=ahead,
            cancelled=cancelled,
            report=report,
        )


class LazyEmbedder:
    """An `Embedder` that is loaded when there is something to embed or count."""

    def __init__(self, name: str, fingerprint: str, load: Callable[[], Embedder]) -> None:
        self._name = name
        self._fingerprint = fingerprint
        self._embedder = _Once(load)
        self._last: tuple[str, Matrix] | None = None  # a question is looked at more than once

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        return self._embedder.get().dimensions

    def counts(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.get().counts(texts)

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return self._embedder.get().embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        if len(texts) != 1:
            return self._embedder.get().embed_queries(texts)
        last = self._last
        if last is None or last[0] != texts[0]:
            last = self._last = (texts[0], self._embedder.get().embed_queries(texts))
        return last[1]


class LazyReranker:
    """A `Reranker` that is loaded when there is something to score."""

    def __init__(self, name: str, load: Callable[[], Reranker]) -> None:
        self._name = name
        self._reranker = _Once(load)

    @property
    def name(self) -> str:
        return self._name

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        return self._reranker.get().scores(question, texts)
