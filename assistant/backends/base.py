"""Contracts between the assistant and what it is built from. Small, and no library's types."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, TypeAlias, TypeVar

from assistant.streams import IsCancelled, never
from assistant.types import (
    Matrix,
    Message,
    Vector,
)

R = TypeVar("R")
Tokens: TypeAlias = list[int]
Count: TypeAlias = Callable[[str], int]  # text -> tokens
PrefillReport: TypeAlias = Callable[[int, int], None]  # tokens read, tokens to read


@dataclass(frozen=True)
class Prefix:
    """A text that a model reads from the start of its window, and what it then still sees of it.

    Attributes:
        tokens: all of the text, with whatever stands before it.
        seen: [start, end) spans of tokens, ascending; the rest is read but hidden afterwards.
        document_id: whose text it is.
        note: what a reader is told it is.
    """

    tokens: tuple[int, ...]
    seen: tuple[tuple[int, int], ...]
    document_id: str
    note: str = ""

    @property
    def seen_tokens(self) -> int:
        return sum(end - start for start, end in self.seen)


@dataclass(frozen=True)
class PrefillState:
    """How much a model read of a document for later questions.

    Attributes:
        tokens: of its body as this model reads it.
    """

    tokens_read: int
    tokens: int

    @property
    def share(self) -> float:
        return self.tokens_read / self.tokens


@dataclass(frozen=True)
class Throughput:
    """Seconds a token: so many with an empty cache, and more for each token before it.

    Attributes:
        read_s: of one token among many that are read at once.
        read_deeper_s: more for each token that stands before it.
        write_s: of one token that is written.
        write_deeper_s: more for each token that stands before it.
        restore_s: of one token that was read before and is put back.
    """

    read_s: float
    read_deeper_s: float
    write_s: float
    write_deeper_s: float
    restore_s: float = 0.0

    def reading(self, tokens: int, *, depth: int = 0) -> float:
        """Return the seconds to read so many tokens behind `depth` others."""
        return tokens * (self.read_s + self.read_deeper_s * (depth + tokens / 2))

    def writing(self, tokens: int, *, depth: int = 0) -> float:
        """Return the seconds to write so many tokens behind `depth` others."""
        return tokens * (self.write_s + self.write_deeper_s * (depth + tokens / 2))

    def readable(self, seconds: float) -> int:
        """Return how many tokens are read in that time, from an empty cache on."""
        half, flat = self.read_deeper_s / 2, self.read_s
        if half <= 0:
            return int(seconds / flat)
        return int((sqrt(flat * flat + 4 * half * seconds) - flat) / (2 * half))


@dataclass(frozen=True)
class CachedPrefix:
    """A text that a model read and that is kept on disk.

    Attributes:
        model: fingerprint of the model and of how it read.
        note: what a reader is told it is.
        used_at: seconds since 1970.
    """

    document_id: str
    model: str
    note: str
    tokens: int
    size_bytes: int
    used_at: float


@dataclass(frozen=True)
class Generation:
    """What one run of the model cost; times in seconds."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prefill_s: float
    decode_s: float
    stopped_by_limit: bool = False


@dataclass(frozen=True)
class Choice:
    """How a model chose; `shares` add up to one, in the order of the options."""

    shares: tuple[float, ...]
    cost: Generation


class ChatModel(Protocol):
    """A chat model with its own tokenizer and window."""

    @property
    def name(self) -> str: ...

    @property
    def window_tokens(self) -> int:
        """Tokens of prompt and answer together that the open context holds."""
        ...

    @property
    def effective_tokens(self) -> int:
        """Tokens up to which the model still reads well; at most `window_tokens`."""
        ...

    @property
    def full_context_limit(self) -> int:
        """Tokens of a whole text from which it answers as well as from passages of it."""
        ...

    @property
    def speeds(self) -> Throughput | None:
        """How fast it reads and writes here; None when that was not measured."""
        ...

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of `text` as content, without special tokens."""
        ...

    def count(self, text: str) -> int:
        """Return how many tokens `text` is as content."""
        ...

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        """Return the prompt. No message's text can become a control token.

        Args:
            messages: may end with the user's; the assistant's turn is opened after it.
            reply_start: text the assistant's turn begins with.
        """
        ...

    def encode_apart(
        self, messages: Sequence[Message], *, reply_start: str = ""
    ) -> tuple[Tokens, Tokens]:
        """Return the prompt as `encode` does, cut where the text of the first message ends."""
        ...

    def has_read(self, reading: Prefix) -> bool:
        """Tell whether `stream` would find this text read."""
        ...

    def read(
        self,
        reading: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        """Read a text for later; return whether it could be kept.

        Raises: as `stream`.
        """
        ...

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        readings: Sequence[Prefix] = (),
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        """Yield the reply piece by piece, greedily; return what it cost.

        Args:
            readings: what stands before the prompt, each read by itself; see `encode_apart`.

        Raises:
            ContextOverflow: prompt and limit exceed the window.
            assistant.errors.Cancelled: `cancelled` said so.
        """
        ...

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
        """Return how likely the reply begins with each option.

        Args:
            ahead: a prompt that is likely to come next, on the same readings. Where it begins as
                this one does, it may be read along, in hardly more time.

        Raises: as `stream`.
        """
        ...


class Embedder(Protocol):
    """Texts to vectors of length one. Knows its own prefixes."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Names weights and prefixes; vectors of different fingerprints must not mix."""
        ...

    @property
    def dimensions(self) -> int: ...

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special tokens."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Matrix: ...

    def embed_queries(self, texts: Sequence[str]) -> Matrix: ...


class Reranker(Protocol):
    """Says how well texts answer a question, having read each with the question."""

    @property
    def name(self) -> str: ...

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        """Return a score for each text, (n,); only their order means something."""
        ...
