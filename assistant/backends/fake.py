"""A chat model and an embedder that keep their contracts without weights: for tests of logic."""

import re
import zlib
from collections.abc import Callable, Generator, Sequence

import numpy as np

from assistant.backends.base import (
    Choice,
    Generation,
    PrefillReport,
    Prefix,
    PrefixCache,
    Prompt,
    Throughput,
)
from assistant.errors import Cancelled, ContextOverflow
from assistant.streams import IsCancelled, never
from assistant.types import Matrix, Message

TEMPLATE_TOKENS = 4  # around a message


class ScriptedModel:
    """Says what it is told to say, word by word; a token is a word or a mark.

    Attributes:
        prompts: every prompt that was answered, in order.

    Args of the constructor:
        knows: whether it prefers the first of the options it is given to choose from.
    """

    exact_counts = True

    def __init__(
        self,
        reply: str | Callable[[Sequence[Message]], str],
        *,
        window_tokens: int = 8192,
        name: str = "scripted",
        knows: bool = True,
        throughput: Throughput | None = None,
    ) -> None:
        self._reply = reply if callable(reply) else lambda messages: reply
        self._knows = knows
        self.name = name
        self.window_tokens = window_tokens
        self.effective_tokens = window_tokens
        self.full_context_limit = window_tokens // 4
        self.throughput = throughput
        self.prompts: list[Prompt] = []
        self._cached: set[tuple[str, ...]] = set()

    @property
    def asked(self) -> list[list[Message]]:
        """The messages of every prompt, without the text of prefixes."""
        return [list(prompt.messages) for prompt in self.prompts]

    @property
    def prefix_cache(self) -> PrefixCache | None:
        return self

    def load(self) -> None:
        """Nothing to load."""

    def release(self) -> None:
        """Nothing to free."""

    def count(self, text: str) -> int:
        return len(_words(text))

    def count_prompt(self, prompt: Prompt) -> int:
        texts = [message.text for message in prompt.flat.messages]
        template = TEMPLATE_TOKENS * (len(texts) + 1)
        return template + sum(map(self.count, [*texts, prompt.reply_start]))

    def tokens(self, prefix: Prefix) -> int:
        return sum(map(self.count, prefix.blocks))

    def visible_tokens(self, prefix: Prefix) -> int:
        return self.count(prefix.text)

    def holds(self, prefix: Prefix) -> bool:
        return prefix.blocks in self._cached

    def prefill(
        self,
        prefix: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        if cancelled():
            raise Cancelled
        if report:
            report(self.tokens(prefix), self.tokens(prefix))
        self._cached.add(prefix.blocks)
        return True

    def stream(
        self,
        prompt: Prompt,
        *,
        limit_tokens: int,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        tokens = self._begin(prompt, limit_tokens, cancelled, report)
        words = re.findall(r"\s*\S+", self._reply(prompt.flat.messages))
        for piece in words[:limit_tokens]:
            if cancelled():
                raise Cancelled
            yield piece
        written = min(len(words), limit_tokens)
        return Generation(tokens, 0, written, 0.01, 0.01, len(words) > limit_tokens)

    def probabilities(
        self,
        prompt: Prompt,
        options: Sequence[str],
        *,
        next_prompt: Prompt | None = None,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        tokens = self._begin(prompt, 0, cancelled, report)
        others = 0.1 / max(1, len(options) - 1)
        chosen = 0 if self._knows else len(options) - 1
        found = tuple(0.9 if i == chosen else others for i in range(len(options)))
        return Choice(found, Generation(tokens, 0, 0, 0.01, 0.0))

    def _begin(
        self, prompt: Prompt, limit: int, cancelled: IsCancelled, report: PrefillReport | None
    ) -> int:
        """Note a prompt; return its tokens."""
        tokens = self.count_prompt(prompt)
        if tokens + limit > self.window_tokens:
            raise ContextOverflow(needed_tokens=tokens + limit, window_tokens=self.window_tokens)
        if cancelled():
            raise Cancelled
        for prefix in prompt.prefixes:
            self._cached.add(prefix.blocks)
        self.prompts.append(prompt)
        if report:
            report(tokens, tokens)
        return tokens


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
