"""A model and an embedder that keep their contracts without weights: for tests of logic."""

import re
import zlib
from collections.abc import Callable, Generator, Sequence

import numpy as np

from assistant.backends.base import Choice, Generation, PrefillReport, Prefix, Throughput, Tokens
from assistant.errors import Cancelled, ContextOverflow
from assistant.streams import IsCancelled, never
from assistant.types import Matrix, Message


class ScriptedModel:
    """Says what it is told to say, word by word; a token is a word or a mark.

    Attributes:
        asked: the messages of every prompt that was answered, in order.
        seen: the readings that stood before every prompt that was answered, in order.

    Args of the constructor:
        knows: whether it prefers the first of the options it is given to choose from.
    """

    def __init__(
        self,
        reply: str | Callable[[Sequence[Message]], str],
        *,
        window_tokens: int = 8192,
        name: str = "scripted",
        knows: bool = True,
        speeds: Throughput | None = None,
    ) -> None:
        self._reply = reply if callable(reply) else lambda messages: reply
        self._window = window_tokens
        self._name = name
        self._knows = knows
        self._speeds = speeds
        self.asked: list[list[Message]] = []
        self.seen: list[tuple[Prefix, ...]] = []
        self._read: set[tuple[int, ...]] = set()
        self._encoded: list[Message] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def window_tokens(self) -> int:
        return self._window

    @property
    def effective_tokens(self) -> int:
        return self._window

    @property
    def full_context_limit(self) -> int:
        return self._window // 4

    @property
    def speeds(self) -> Throughput | None:
        return self._speeds

    def tokens(self, text: str) -> Tokens:
        return [zlib.crc32(word.encode()) for word in _words(text)]

    def count(self, text: str) -> int:
        return len(_words(text))

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        self._encoded = list(messages)
        text = " ".join([*(message.text for message in messages), reply_start])
        return self.tokens(text)

    def encode_apart(
        self, messages: Sequence[Message], *, reply_start: str = ""
    ) -> tuple[Tokens, Tokens]:
        tokens = self.encode(messages, reply_start=reply_start)
        first = self.count(messages[0].text)
        return tokens[:first], tokens[first:]

    def has_read(self, reading: Prefix) -> bool:
        return reading.tokens in self._read

    def read(
        self,
        reading: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        if cancelled():
            raise Cancelled
        if report:
            report(len(reading.tokens), len(reading.tokens))
        self._read.add(reading.tokens)
        return True

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        readings: Sequence[Prefix] = (),
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        if len(prompt) + limit_tokens > self._window:
            raise ContextOverflow(
                needed_tokens=len(prompt) + limit_tokens, window_tokens=self._window
            )
        self._note(readings)
        if report:
            report(len(prompt), len(prompt))
        pieces = re.findall(r"\s*\S+", self._reply(self.asked[-1]))[:limit_tokens]
        for piece in pieces:
            if cancelled():
                raise Cancelled
            yield piece
        return Generation(len(prompt), 0, len(pieces), 0.01, 0.01)

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
        if len(prompt) > self._window:
            raise ContextOverflow(needed_tokens=len(prompt), window_tokens=self._window)
        if cancelled():
            raise Cancelled
        self._note(readings)
        if report:
            report(len(prompt), len(prompt))
        others = 0.1 / max(1, len(options) - 1)
        chosen = 0 if self._knows else len(options) - 1
        shares = tuple(0.9 if i == chosen else others for i in range(len(options)))
        return Choice(shares, Generation(len(prompt), 0, 0, 0.01, 0.0))

    def _note(self, readings: Sequence[Prefix]) -> None:
        self.asked.append(self._encoded)
        self.seen.append(tuple(readings))


class HashEmbedder:
    """Texts as bags of words: texts that share words are near each other."""

    name = "hash"
    fingerprint = "hash:1"
    dimensions = 256

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [len(_words(text)) for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self._vector(text) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return self.embed_passages(texts)

    def _vector(self, text: str) -> Matrix:
        vector = np.zeros(self.dimensions, dtype=np.float32)
        for word in _words(text.lower()):
            vector[zlib.crc32(word.encode()) % self.dimensions] += 1.0
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector + self.dimensions**-0.5


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)
