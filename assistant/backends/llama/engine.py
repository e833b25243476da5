"""One loaded GGUF file that prefills and decodes token lists, and caches the KV of prefixes.

A prefix is prefilled by itself; the cells of its KV cache are stored, and any of its spans can
stand before a later prompt. Knows nothing of texts, templates, documents or questions.
"""

import codecs
import math
import threading
import time
from array import array
from collections.abc import Generator, Sequence
from hashlib import sha256 as hashed
from pathlib import Path
from typing import Final

from assistant.backends.base import Choice, Generation, PrefillReport
from assistant.backends.llama.cells import Cells
from assistant.backends.llama.context import CachedCell, Cell, Context, common
from assistant.backends.llama.encoding import Encoder, TokenPrefix
from assistant.backends.llama.kv_cache import CacheKey, DiskKVCache
from assistant.backends.llama.tuning import Tuning
from assistant.backends.llama.weights import Tokens, Weights, build
from assistant.errors import Cancelled, ContextOverflow
from assistant.streams import IsCancelled, never

FIRST_WINDOW: Final = 4_096  # tokens of the first context; it grows when a prompt needs more
GROWTH: Final = 2
PARKED: Final = 2  # states of other conversations that stay in memory
PARKED_BYTES: Final = 500_000_000  # of one of them, at most
WORTH_TOKENS: Final = 256  # prefilled tokens that make it worth to park a state
CHECKPOINT_S: Final = 60.0  # of prefill between two times that what is done is stored


class LlamaEngine:
    """One loaded GGUF with one open context; one caller at a time, the others wait.

    The context grows up to the window that was allowed. The tokens of the last call stay in the
    KV cache, and the next prompt is prefilled from the first token that differs.
    """

    def __init__(
        self,
        path: Path,
        *,
        window_tokens: int,
        tuning: Tuning,
        sha256: str = "",
        kv_cache: DiskKVCache | None = None,
    ) -> None:
        """Load the weights and open a first context.

        Args:
            window_tokens: the largest context that may be opened.
            sha256: of the file; cached KV is valid for these weights alone.
            kv_cache: where the KV of prefixes is stored; None stores nothing.

        Raises:
            UnusableModel: the file cannot be read, or there is no memory for the context.
        """
        self._tuning = tuning
        self._window = window_tokens
        self._weights = Weights(path, repack=tuning.repack, gpu_layers=tuning.gpu_layers)
        self.encoder = Encoder(self._weights)
        self._context = Context(self._weights, tuning, min(FIRST_WINDOW, window_tokens))
        self._fingerprint = _fingerprint(sha256, self._weights.template, tuning)
        self._kv_cache = kv_cache
        self._parked: list[tuple[list[Cell], Cells]] = []  # the last parked first
        self._lock = threading.Lock()

    def close(self) -> None:
        """Free weights and context. Happens by itself with the last reference."""
        with self._lock:
            self._context.free()
            self._weights.free()

    @property
    def window_tokens(self) -> int:
        """Tokens of the largest context that may be opened."""
        return self._window

    @property
    def open_tokens(self) -> int:
        """Tokens of the context that is open now."""
        return self._context.window_tokens

    @property
    def has_chat_template(self) -> bool:
        """Return whether the file has a chat template."""
        return bool(self._weights.template)

    def holds(self, prefix: TokenPrefix) -> bool:
        """Tell whether the KV of a prefix is cached on disk."""
        return self._kv_cache is not None and self._kv_cache.holds(self._key(prefix))

    def prefill(
        self,
        prefix: TokenPrefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        """Prefill a prefix and cache it; return whether it could be stored."""
        self._check_room([], [prefix], 0)
        with self._lock:
            if not self.holds(prefix):
                self._open(len(prefix.tokens), cancelled)
                self._prefill_apart(prefix, report)
        return self.holds(prefix)

    def control_texts(self) -> list[str]:
        """Return the text of every control token of the vocabulary."""
        every = range(self._weights.vocabulary_size)
        return [self._weights.text_of(token) for token in every if self.is_control(token)]

    def is_control(self, token: int) -> bool:
        """Return whether a token is a control token."""
        return self._weights.is_control(token)

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        prefixes: Sequence[TokenPrefix] = (),
        grammar: str = "",
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        """Yield the reply in pieces; see `ChatModel.stream`."""
        needed = self._check_room(prompt, prefixes, limit_tokens)
        with self._lock:
            self._open(needed, cancelled)
            start = time.perf_counter()
            cached = self._bring(prompt, prefixes, report)
            prefilled = time.perf_counter()
            written, stopped = yield from self._decode(limit_tokens, grammar)
            return Generation(
                prompt_tokens=_seen(prefixes) + len(prompt),
                cached_tokens=cached,
                completion_tokens=written,
                prefill_s=prefilled - start,
                decode_s=time.perf_counter() - prefilled,
                stopped_by_limit=stopped,
            )

    def probabilities(
        self,
        prompt: Tokens,
        options: Sequence[str],
        *,
        prefixes: Sequence[TokenPrefix] = (),
        ahead: Tokens | None = None,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        """Return how likely the reply begins with each option; see `ChatModel.probabilities`.

        Args:
            ahead: the prompt that will probably be streamed next, behind the same prefixes.
        """
        along = ahead if ahead and self._context.share_a_pass(ahead, prompt) else []
        shared = common(along, prompt)
        needed = self._check_room(prompt, prefixes, len(along) - shared)
        firsts = [self._weights.tokenize(option, special=False)[0] for option in options]
        with self._lock:
            self._open(needed, cancelled)
            start = time.perf_counter()
            if along:
                cached = self._find(along[:shared], prefixes, report)
                begun = cached - _seen(prefixes)
                scores = self._context.decode_both(along[begun:], prompt[begun:], firsts, report)
            else:
                cached = self._bring(prompt, prefixes, report)
                scores = self._context.scores(firsts)
        weights = [math.exp(score - max(scores)) for score in scores]
        took = time.perf_counter() - start
        cost = Generation(_seen(prefixes) + len(prompt), cached, 0, took, 0.0)
        return Choice(tuple(weight / sum(weights) for weight in weights), cost)

    def _check_room(
        self, prompt: Tokens, prefixes: Sequence[TokenPrefix], limit_tokens: int
    ) -> int:
        """Return the tokens of context that all this needs at once."""
        needed = _seen(prefixes) + len(prompt) + limit_tokens
        longest = max([needed, *(len(prefix.tokens) for prefix in prefixes)])
        if longest > self._window:
            raise ContextOverflow(needed_tokens=longest, window_tokens=self._window)
        return longest

    def _open(self, needed_tokens: int, cancelled: IsCancelled) -> None:
        """Open a larger context when this one is too small; ask `cancelled` from now on."""
        if needed_tokens > self._context.window_tokens:
            self._context.free()
            wanted = max(needed_tokens, GROWTH * self._context.window_tokens)
            window = min(wanted, self._window)
            self._context = Context(self._weights, self._tuning, window)
        self._context.cancelled = cancelled

    def _bring(
        self, prompt: Tokens, prefixes: Sequence[TokenPrefix], report: PrefillReport | None
    ) -> int:
        """Bring prefixes and prompt into the KV cache; return how many tokens were cached."""
        cached = self._find(prompt, prefixes, report)
        self._context.decode(prompt[cached - _seen(prefixes) :], report)
        return cached

    def _find(
        self, prompt: Tokens, prefixes: Sequence[TokenPrefix], report: PrefillReport | None
    ) -> int:
        """Reuse the longest cached beginning of all this; return its length in tokens.

        The last token is prefilled again unless its logits are available.
        """
        before = [cell for prefix in prefixes for cell in _cells(prefix)]
        wanted = [*before, *prompt]
        self._swap(wanted)
        if self._context.has_logits and self._context.names == wanted:
            return len(wanted)
        cached = self._context.keep(wanted[:-1])
        if cached < len(before):
            self._context.place([self._restored(p, report) for p in prefixes], before)
            cached = len(before)
        return cached

    def _swap(self, wanted: Sequence[Cell]) -> None:
        """Park the KV state when it took long to prefill; restore a parked one that fits better."""
        held = self._context.names
        shared = common(held, wanted)
        read = sum(not isinstance(cell, CachedCell) for cell in held[shared:])
        if read >= WORTH_TOKENS and self._context.state_bytes <= PARKED_BYTES:
            self._parked = [(list(held), self._context.cells()), *self._parked[: PARKED - 1]]
        for number, (names, cells) in enumerate(self._parked):
            if common(names, wanted) >= shared + WORTH_TOKENS:
                self._context.place([cells], names)
                del self._parked[number]
                return

    def _restored(self, prefix: TokenPrefix, report: PrefillReport | None) -> Cells:
        """Return the visible cells of a prefix; one that is not cached is prefilled now."""
        if kept := self._load(prefix):
            return kept
        cells = self._prefill_apart(prefix, report)
        return self._load(prefix) or cells.at(
            prefix.seen
        )  # as packed on disk, so that every run sees the same values

    def _load(self, prefix: TokenPrefix) -> Cells | None:
        if self._kv_cache is None:
            return None
        return self._kv_cache.load(self._key(prefix), prefix.seen)

    def _prefill_apart(self, prefix: TokenPrefix, report: PrefillReport | None) -> Cells:
        """Prefill a prefix by itself and store its KV; return its cells.

        The part that is done is stored from time to time, and when the call is cancelled.
        """
        tokens = list(prefix.tokens)
        begun = self._key(prefix).begun
        saved_at = time.monotonic()

        def note(done: int, total: int) -> None:
            nonlocal saved_at
            if report:
                report(done, total)
            if time.monotonic() - saved_at > CHECKPOINT_S:
                self._save(begun, prefix)
                saved_at = time.monotonic()

        try:
            self._context.decode(tokens[self._resume(begun, tokens) :], note)
        except Cancelled:
            if self._context.names:  # something of it is done
                self._save(begun, prefix)
            raise
        cells = self._save(self._key(prefix), prefix)
        if self._kv_cache:
            self._kv_cache.drop(begun)
        return cells

    def _resume(self, begun: CacheKey, tokens: Tokens) -> int:
        """Restore the part of a prefix that was stored before; return its length in tokens."""
        cached = self._context.keep(tokens)
        cells = self._kv_cache.load(begun) if self._kv_cache else None
        if cells is None or len(cells) <= cached:
            return cached
        self._context.place([cells], tokens[: len(cells)])
        return len(cells)

    def _save(self, key: CacheKey, prefix: TokenPrefix) -> Cells:
        """Store all cells of the context; return them."""
        cells = self._context.cells()
        if self._kv_cache:
            self._kv_cache.save(key, cells, note=prefix.note)
        return cells

    def _key(self, prefix: TokenPrefix) -> CacheKey:
        return CacheKey(prefix.document_id, self._fingerprint, _digest(prefix.tokens))

    def _decode(self, limit_tokens: int, grammar: str) -> Generator[str, None, tuple[int, bool]]:
        """Yield the reply; return its tokens and whether the limit ended it."""
        text = codecs.getincrementaldecoder("utf-8")("replace")
        self._context.begin_reply(grammar)
        for written in range(limit_tokens):
            token = self._context.next_token()
            if self._weights.ends_reply(token):
                return written, False
            if piece := text.decode(self._weights.bytes_of(token)):
                yield piece
            self._context.decode([token])
        return limit_tokens, True


def _fingerprint(sha256: str, template: str, tuning: Tuning) -> str:
    """Identify everything but the text that decides the KV of a text."""
    # Not the window: no supported model changes its RoPE with the size of the context.
    cache = (tuning.kv, tuning.flash_attention, tuning.gpu_layers)
    return hashed(repr((sha256, template, cache, build())).encode()).hexdigest()[:16]


def _digest(tokens: Sequence[int]) -> str:
    return hashed(array("i", tokens).tobytes()).hexdigest()[:32]


def _seen(prefixes: Sequence[TokenPrefix]) -> int:
    return sum(prefix.seen_tokens for prefix in prefixes)


def _cells(prefix: TokenPrefix) -> list[Cell]:
    text = _digest(prefix.tokens)
    return [CachedCell(text, number) for start, end in prefix.seen for number in range(start, end)]
