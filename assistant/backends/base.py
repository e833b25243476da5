"""Contracts of the models: chat model, prefix cache, embedder, reranker, and what goes in and out.

Texts go in, never token ids: each backend has its own tokenizer. The same contract tests
run over every chat model (`tests/assistant/backends/contract.py`).
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Protocol, TypeAlias

from assistant.streams import IsCancelled, never
from assistant.types import Matrix, Message, Vector

Count: TypeAlias = Callable[[str], int]  # text -> tokens
PrefillReport: TypeAlias = Callable[[int, int], None]  # tokens prefilled, tokens to prefill


@dataclass(frozen=True)
class Prefix:
    """The beginning of a prompt, prefilled by itself, and the blocks of it that are attended to.

    Blocks that are not visible were prefilled, so that those after them know their content, but
    the prompt behind the prefix does not attend to them.

    Attributes:
        blocks: consecutive texts of the first message. Each ends with a blank line, except the
            last one of a prompt; see `ChatModel` for why.
        visible: indexes of the blocks that the prompt attends to, ascending.
        document_id: the document whose text it is. The cached KV is removed with the document.
        note: what it is, for people ("Report, p. 3-9").
    """

    blocks: tuple[str, ...]
    visible: tuple[int, ...]
    document_id: str
    note: str = ""

    @property
    def text(self) -> str:
        """The visible text."""
        return "".join(self.blocks[index] for index in self.visible)


@dataclass(frozen=True)
class Prompt:
    """What a chat model is asked.

    Attributes:
        messages: may start with a system message and end with the user's. The assistant's turn is
            opened behind them.
        prefixes: text that stands before the text of the first message, in this order.
        reply_start: text that the assistant's turn begins with.
        grammar: GBNF that the reply obeys, with the rule `root`; "" for any reply.
    """

    messages: tuple[Message, ...]
    prefixes: tuple[Prefix, ...] = ()
    reply_start: str = ""
    grammar: str = ""

    @classmethod
    def of(cls, messages: Sequence[Message], *, reply_start: str = "") -> "Prompt":
        """Return the prompt of a list of messages."""
        return cls(tuple(messages), reply_start=reply_start)

    @property
    def flat(self) -> "Prompt":
        """The same text without prefixes, for backends that keep no KV cache."""
        if not self.prefixes:
            return self
        first = self.messages[0]
        text = "".join(prefix.text for prefix in self.prefixes) + first.text
        messages = (replace(first, text=text), *self.messages[1:])
        return replace(self, messages=messages, prefixes=())


@dataclass(frozen=True)
class Throughput:
    """Seconds a token takes: a part for an empty context, and more for each token before it.

    Attributes:
        prefill_s: of one token of a long prompt.
        prefill_deeper_s: added for each token of context.
        decode_s: of one token that is generated.
        decode_deeper_s: added for each token of context.
        restore_s: of one token whose KV is loaded from the cache.
    """

    prefill_s: float
    prefill_deeper_s: float
    decode_s: float
    decode_deeper_s: float
    restore_s: float = 0.0

    def prefill_time(self, tokens: int, *, depth: int = 0) -> float:
        """Return the seconds to prefill so many tokens behind `depth` others."""
        return tokens * (self.prefill_s + self.prefill_deeper_s * (depth + tokens / 2))

    def decode_time(self, tokens: int, *, depth: int = 0) -> float:
        """Return the seconds to generate so many tokens behind `depth` others."""
        return tokens * (self.decode_s + self.decode_deeper_s * (depth + tokens / 2))

    def prefill_tokens(self, seconds: float) -> int:
        """Return how many tokens are prefilled in that time, from an empty context on."""
        half, flat = self.prefill_deeper_s / 2, self.prefill_s
        if half <= 0:
            return int(seconds / flat)
        return int((sqrt(flat * flat + 4 * half * seconds) - flat) / (2 * half))


@dataclass(frozen=True)
class CachedPrefix:
    """KV of a prefix on disk.

    Attributes:
        model: fingerprint of the weights, the template and the settings that decide the KV.
        note: what it is, for people.
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
    """What one call of a model cost; times in seconds.

    Attributes:
        cached_tokens: of the prompt, those whose KV was there already.
        stopped_by_limit: the reply reached the token limit before its end.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prefill_s: float
    decode_s: float
    stopped_by_limit: bool = False


@dataclass(frozen=True)
class Choice:
    """How likely a reply begins with each option.

    Attributes:
        probabilities: in the order of the options; they add up to one.
    """

    probabilities: tuple[float, ...]
    cost: Generation


def collect(stream: Generator[str, None, Generation]) -> tuple[str, Generation]:
    """Return the whole text of a model's stream, and what it cost."""
    text = ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value


class PrefixCache(Protocol):
    """KV state of prefixes that outlives a prompt and the process. A backend may have none."""

    def tokens(self, prefix: Prefix) -> int:
        """Return the length of all blocks, visible or not."""
        ...

    def visible_tokens(self, prefix: Prefix) -> int:
        """Return the length of the blocks that a prompt attends to."""
        ...

    def holds(self, prefix: Prefix) -> bool:
        """Tell whether the whole prefix is cached, whichever of its blocks are visible."""
        ...

    def prefill(
        self,
        prefix: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        """Prefill all blocks and cache them; return whether they could be stored.

        Raises: as `ChatModel.stream`. What was prefilled until then is kept for the next call.
        """
        ...


class TokenCounter(Protocol):
    """Counts as the model does."""

    def count(self, text: str) -> int:
        """Return the number of tokens of a text as content of a message."""
        ...

    def count_prompt(self, prompt: Prompt) -> int:
        """Return the number of tokens that the model attends to, template included."""
        ...


class ChatModel(TokenCounter, Protocol):
    """A chat model with its own tokenizer, template and context window.

    Texts never become control tokens, wherever in a message they stand. Counts of texts that end
    with a blank line add up: no token crosses a blank line, so that the KV of one block can be
    used without its neighbours. A backend that has a `prefix_cache` must keep this rule.
    """

    @property
    def name(self) -> str:
        """The name of the model; known without loading it."""
        ...

    @property
    def window_tokens(self) -> int:
        """The largest context window: prompt and reply together."""
        ...

    @property
    def effective_tokens(self) -> int:
        """The context length up to which it answers well; at most `window_tokens`."""
        ...

    @property
    def full_context_limit(self) -> int:
        """The length up to which a whole text serves as well as passages retrieved from it."""
        ...

    @property
    def throughput(self) -> Throughput | None:
        """How fast it runs on this machine; None when that was not measured."""
        ...

    @property
    def exact_counts(self) -> bool:
        """Whether `count` and `count_prompt` are exact and not estimates."""
        ...

    @property
    def prefix_cache(self) -> PrefixCache | None:
        """The cache of prefixes; None when the backend has none."""
        ...

    def load(self) -> None:
        """Load the weights; returns at once when they are loaded.

        Raises:
            ModelError: they cannot be loaded.
        """
        ...

    def release(self) -> None:
        """Free the memory once no call is running; the next call loads again."""
        ...

    def stream(
        self,
        prompt: Prompt,
        *,
        limit_tokens: int,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        """Yield the reply in pieces, decoded greedily; return what it cost.

        Args:
            limit_tokens: of the reply.

        Raises:
            ContextOverflow: prompt and limit exceed the window.
            UnusableModel: the chat template or the grammar is broken.
            Cancelled: `cancelled` returned True.
        """
        ...

    def probabilities(
        self,
        prompt: Prompt,
        options: Sequence[str],
        *,
        next_prompt: Prompt | None = None,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        """Return how likely the reply begins with each of the options.

        Args:
            next_prompt: a prompt that will probably be streamed next. A hint: a backend may
                prefill it in the same pass where both begin alike, or ignore it.

        Raises: as `stream`.
        """
        ...


class Embedder(Protocol):
    """Texts to vectors of length one. Knows its own prefixes."""

    @property
    def name(self) -> str:
        """Return the model's name in the catalogue."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies weights and prefixes; vectors of different fingerprints must not mix."""
        ...

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        ...

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special tokens."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of texts to be found, (n, dim)."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of questions, (n, dim)."""
        ...


class Reranker(Protocol):
    """Scores how well texts answer a question, reading each together with the question."""

    @property
    def name(self) -> str:
        """Return the model's name in the catalogue."""
        ...

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        """Return a score for each text, (n,); only their order means something."""
        ...
