"""Backends that load on first use, so that a command pays only for what it needs."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from assistant.backends.base import (
    Embedder,
    Reranker,
)
from assistant.types import Matrix, Vector

T = TypeVar("T")


class Once(Generic[T]):
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


class LazyEmbedder:
    """An `Embedder` that is loaded when there is something to embed or count."""

    def __init__(self, name: str, fingerprint: str, load: Callable[[], Embedder]) -> None:
        self._name = name
        self._fingerprint = fingerprint
        self._embedder = Once(load)
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
        self._reranker = Once(load)

    @property
    def name(self) -> str:
        return self._name

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        return self._reranker.get().scores(question, texts)
