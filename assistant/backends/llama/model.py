"""A GGUF file as a `ChatModel`: prompts become tokens, and the engine does the work."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from assistant.backends.base import (
    Choice,
    Generation,
    PrefillReport,
    Prefix,
    Prompt,
    Throughput,
)
from assistant.backends.lazy import Once
from assistant.backends.llama.engine import LlamaEngine
from assistant.streams import IsCancelled, never


@dataclass(frozen=True)
class LoadedLlama:
    """A loaded model file, and what is known of it; see `ChatModel` for the attributes."""

    engine: LlamaEngine
    effective_tokens: int
    full_context_limit: int
    throughput: Throughput | None = None


class LlamaModel:
    """A `ChatModel` and a `PrefixCache` over one engine, which is loaded on first use."""

    exact_counts = True

    def __init__(self, name: str, load: Callable[[], LoadedLlama]) -> None:
        self.name = name
        self._loaded = Once(load)

    @property
    def window_tokens(self) -> int:
        return self.engine.window_tokens

    @property
    def effective_tokens(self) -> int:
        return min(self._loaded.get().effective_tokens, self.window_tokens)

    @property
    def full_context_limit(self) -> int:
        return self._loaded.get().full_context_limit

    @property
    def throughput(self) -> Throughput | None:
        return self._loaded.get().throughput

    @property
    def prefix_cache(self) -> "LlamaModel":
        return self

    @property
    def engine(self) -> LlamaEngine:
        """The engine, loaded when it is not yet."""
        return self._loaded.get().engine

    def load(self) -> None:
        self._loaded.get()

    def release(self) -> None:
        self._loaded.forget()

    def count(self, text: str) -> int:
        return self.engine.encoder.count(text)

    def count_prompt(self, prompt: Prompt) -> int:
        prefixes, tokens = self.engine.encoder.prompt(prompt)
        return sum(prefix.seen_tokens for prefix in prefixes) + len(tokens)

    def tokens(self, prefix: Prefix) -> int:
        return len(self.engine.encoder.prefix(prefix).tokens)

    def visible_tokens(self, prefix: Prefix) -> int:
        return self.engine.encoder.prefix(prefix).seen_tokens

    def holds(self, prefix: Prefix) -> bool:
        return self.engine.holds(self.engine.encoder.prefix(prefix))

    def prefill(
        self,
        prefix: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        encoded = self.engine.encoder.prefix(prefix)
        return self.engine.prefill(encoded, cancelled=cancelled, report=report)

    def stream(
        self,
        prompt: Prompt,
        *,
        limit_tokens: int,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        prefixes, tokens = self.engine.encoder.prompt(prompt)
        return self.engine.stream(
            tokens,
            limit_tokens=limit_tokens,
            prefixes=prefixes,
            grammar=prompt.grammar,
            cancelled=cancelled,
            report=report,
        )

    def probabilities(
        self,
        prompt: Prompt,
        options: Sequence[str],
        *,
        next_prompt: Prompt | None = None,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        prefixes, tokens = self.engine.encoder.prompt(prompt)
        ahead = None
        if next_prompt is not None and next_prompt.prefixes == prompt.prefixes:
            ahead = self.engine.encoder.prompt(next_prompt)[1]
        return self.engine.probabilities(
            tokens,
            options,
            prefixes=prefixes,
            ahead=ahead,
            cancelled=cancelled,
            report=report,
        )
