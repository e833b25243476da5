"""A GGUF file as a `ChatModel`: prompts are token lists, and what was read is kept.

A text that is read by itself is kept as the cells of the KV cache; any of them can stand before a
later prompt. Knows nothing of documents or questions.
"""

import codecs
import math
import re
import threading
import time
from array import array
from collections.abc import Generator, Sequence
from hashlib import sha256 as hashed
from pathlib import Path
from typing import Final

from assistant.backends.base import Choice, Generation, PrefillReport, Prefix, Throughput, Tokens
from assistant.backends.llama.cells import Cells
from assistant.backends.llama.context import Cell, Context, Kept, common
from assistant.backends.llama.kv_cache import CacheKey, DiskKVCache
from assistant.backends.llama.templates import PromptPiece, lay_out, lay_out_plain
from assistant.backends.llama.tuning import Tuning
from assistant.backends.llama.weights import Weights, build
from assistant.errors import Cancelled, ContextOverflow, Reason, UnusableModel
from assistant.streams import IsCancelled, never
from assistant.types import Message

BLOCKS: Final = re.compile(r"(?<=\n\n)(?=\S)")  # where a text may be cut and stay the same tokens
FIRST_WINDOW: Final = 4_096  # of tokens; it grows when a prompt needs more
GROWTH: Final = 2
ASIDE: Final = 2  # states of other conversations that stay in memory
ASIDE_BYTES: Final = 500_000_000  # of one of them, at most
WORTH_TOKENS: Final = 256  # that were read, before a state is put aside
CHECKPOINT_S: Final = 60.0  # of reading, between two times that what was read so far is kept


class LlamaModel:
    """One loaded GGUF with one open context; one reader at a time, the others wait.

    The window that is open grows up to the one that was allowed. The tokens read last stay in the
    KV cache, and the next prompt is read from the first token that differs.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        window_tokens: int,
        effective_tokens: int,
        full_context_limit: int = 0,
        tuning: Tuning,
        speeds: Throughput | None = None,
        sha256: str = "",
        snapshots: DiskKVCache | None = None,
    ) -> None:
        """Load the weights and open a first window.

        Args:
            window_tokens: the most that may be opened.
            full_context_limit: see `ChatModel`; 0 takes what is effective.
            sha256: of the file; whatever is kept of a text is kept for these weights alone.
            snapshots: where that is kept; None keeps nothing.

        Raises:
            UnusableModel: the file cannot be read, or there is no memory for the window.
        """
        self._name = name
        self._tuning = tuning
        self._speeds = speeds
        self._window = window_tokens
        self._effective = min(effective_tokens, window_tokens)
        self._whole = full_context_limit or self._effective
        self._weights = Weights(path, laid_out=tuning.laid_out, gpu_layers=tuning.gpu_layers)
        self._context = Context(self._weights, tuning, min(FIRST_WINDOW, window_tokens))
        self._fingerprint = _fingerprint(sha256, self._weights.template, tuning)
        self._snapshots = snapshots
        self._aside: list[tuple[list[Cell], Cells]] = []  # the last put aside first
        self._lock = threading.Lock()

    def close(self) -> None:
        """Free the weights and the context; the model cannot be used afterwards.

        With the last reference to the model, that is done by itself.
        """
        with self._lock:
            self._context.free()
            self._weights.free()

    @property
    def name(self) -> str:
        return self._name

    @property
    def window_tokens(self) -> int:
        return self._window

    @property
    def effective_tokens(self) -> int:
        return self._effective

    @property
    def open_tokens(self) -> int:
        """Tokens of the window that is open now."""
        return self._context.window_tokens

    @property
    def full_context_limit(self) -> int:
        return self._whole

    @property
    def speeds(self) -> Throughput | None:
        return self._speeds

    @property
    def has_chat_template(self) -> bool:
        return bool(self._weights.template)

    def tokens(self, text: str) -> Tokens:
        return self._tokens([PromptPiece(text, is_content=True)])

    def count(self, text: str) -> int:
        return len(self.tokens(text))

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        text, rest = self.encode_apart(messages, reply_start=reply_start)
        return text + rest

    def encode_apart(
        self, messages: Sequence[Message], *, reply_start: str = ""
    ) -> tuple[Tokens, Tokens]:
        pieces = self._pieces(messages)
        if reply_start:
            pieces.append(PromptPiece(reply_start, is_content=True))
        first = next(i for i, piece in enumerate(pieces) if piece.is_content) + 1
        return self._with_bos(self._tokens(pieces[:first])), self._tokens(pieces[first:])

    def has_read(self, reading: Prefix) -> bool:
        return self._snapshots is not None and self._snapshots.holds(self._key(reading))

    def read(
        self,
        reading: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        self._check_room([], [reading], 0)
        with self._lock:
            if not self.has_read(reading):
                self._open(len(reading.tokens), cancelled)
                self._read_apart(reading, report)
        return self.has_read(reading)

    def control_texts(self) -> list[str]:
        """Return the text of every control token of the vocabulary."""
        every = range(self._weights.vocabulary_size)
        return [self._weights.text_of(token) for token in every if self.is_control(token)]

    def is_control(self, token: int) -> bool:
        return self._weights.is_control(token)

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        readings: Sequence[Prefix] = (),
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        needed = self._check_room(prompt, readings, limit_tokens)
        with self._lock:
            self._open(needed, cancelled)
            start = time.perf_counter()
            cached = self._bring(prompt, readings, report)
            read = time.perf_counter()
            written, stopped = yield from self._write(limit_tokens)
            return Generation(
                prompt_tokens=_seen(readings) + len(prompt),
                cached_tokens=cached,
                completion_tokens=written,
                prefill_s=read - start,
                decode_s=time.perf_counter() - read,
                stopped_by_limit=stopped,
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
        along = ahead if ahead and self._context.share_a_pass(ahead, prompt) else []
        shared = common(along, prompt)
        needed = self._check_room(prompt, readings, len(along) - shared)
        firsts = [self._weights.tokenize(option, special=False)[0] for option in options]
        with self._lock:
            self._open(needed, cancelled)
            start = time.perf_counter()
            if along:
                cached = self._find(along[:shared], readings, report)
                begun = cached - _seen(readings)
                scores = self._context.read_both(along[begun:], prompt[begun:], firsts, report)
            else:
                cached = self._bring(prompt, readings, report)
                scores = self._context.scores(firsts)
        weights = [math.exp(score - max(scores)) for score in scores]
        took = time.perf_counter() - start
        cost = Generation(_seen(readings) + len(prompt), cached, 0, took, 0.0)
        return Choice(tuple(weight / sum(weights) for weight in weights), cost)

    def _pieces(self, messages: Sequence[Message]) -> list[PromptPiece]:
        weights = self._weights
        if not weights.template:
            return lay_out_plain(messages)
        bos, eos = weights.text_of(weights.bos), weights.text_of(weights.eos)
        try:
            return lay_out(weights.template, messages, bos=bos, eos=eos)
        except ValueError as error:
            raise UnusableModel(name=weights.path.name, reason=Reason.BAD_TEMPLATE) from error

    def _with_bos(self, tokens: Tokens) -> Tokens:
        bos = self._weights.bos
        wanted = self._weights.begins_with_bos and tokens[:1] != [bos]
        return [bos, *tokens] if wanted else tokens

    def _tokens(self, pieces: Sequence[PromptPiece]) -> Tokens:
        """Return the tokens of the pieces; no token reaches over a blank line of a content."""
        return [
            token
            for piece in pieces
            for text in (BLOCKS.split(piece.text) if piece.is_content else [piece.text])
            for token in self._weights.tokenize(text, special=not piece.is_content)
        ]

    def _check_room(self, prompt: Tokens, readings: Sequence[Prefix], limit_tokens: int) -> int:
        """Return the tokens of the window that all this needs at once."""
        needed = _seen(readings) + len(prompt) + limit_tokens
        longest = max([needed, *(len(reading.tokens) for reading in readings)])
        if longest > self._window:
            raise ContextOverflow(needed_tokens=longest, window_tokens=self._window)
        return longest

    def _open(self, needed_tokens: int, cancelled: IsCancelled) -> None:
        """Open a larger window when this one is too small, and listen to who asks now."""
        if needed_tokens > self._context.window_tokens:
            self._context.free()
            wanted = max(needed_tokens, GROWTH * self._context.window_tokens)
            window = min(wanted, self._window)
            self._context = Context(self._weights, self._tuning, window)
        self._context.cancelled = cancelled

    def _bring(
        self, prompt: Tokens, readings: Sequence[Prefix], report: PrefillReport | None
    ) -> int:
        """Bring readings and prompt into the cache; return how many cells were there or kept."""
        cached = self._find(prompt, readings, report)
        self._context.read(prompt[cached - _seen(readings) :], report)
        return cached

    def _find(
        self, prompt: Tokens, readings: Sequence[Prefix], report: PrefillReport | None
    ) -> int:
        """Bring into the cache what was read of all this before; return how many cells that is.

        The last token is not among it, unless it is known what follows.
        """
        before = [cell for reading in readings for cell in _cells(reading)]
        wanted = [*before, *prompt]
        self._swap(wanted)
        if self._context.expects and self._context.names == wanted:
            return len(wanted)
        cached = self._context.keep(wanted[:-1])
        if cached < len(before):
            self._context.place([self._recalled(r, report) for r in readings], before)
            cached = len(before)
        return cached

    def _swap(self, wanted: Sequence[Cell]) -> None:
        """Put what the cache holds aside when it took long to read, and back what fits better."""
        held = self._context.names
        shared = common(held, wanted)
        read = sum(not isinstance(cell, Kept) for cell in held[shared:])
        if read >= WORTH_TOKENS and self._context.state_bytes <= ASIDE_BYTES:
            self._aside = [(list(held), self._context.cells()), *self._aside[: ASIDE - 1]]
        for number, (names, cells) in enumerate(self._aside):
            if common(names, wanted) >= shared + WORTH_TOKENS:
                self._context.place([cells], names)
                del self._aside[number]
                return

    def _recalled(self, reading: Prefix, report: PrefillReport | None) -> Cells:
        """Return the cells that are seen of a reading; one that is not kept is read now."""
        if kept := self._load(reading):
            return kept
        cells = self._read_apart(reading, report)
        return self._load(reading) or cells.at(reading.seen)  # the same as any later time

    def _load(self, reading: Prefix) -> Cells | None:
        if self._snapshots is None:
            return None
        return self._snapshots.load(self._key(reading), reading.seen)

    def _read_apart(self, reading: Prefix, report: PrefillReport | None) -> Cells:
        """Read a text by itself and keep what comes of it; return its cells.

        What was read is kept from time to time, and when somebody stops it.
        """
        tokens = list(reading.tokens)
        begun = self._key(reading).begun
        saved_at = time.monotonic()

        def note(done: int, total: int) -> None:
            nonlocal saved_at
            if report:
                report(done, total)
            if time.monotonic() - saved_at > CHECKPOINT_S:
                self._save(begun, reading)
                saved_at = time.monotonic()

        try:
            self._context.read(tokens[self._resume(begun, tokens) :], note)
        except Cancelled:
            self._save(begun, reading)
            raise
        cells = self._save(self._key(reading), reading)
        if self._snapshots:
            self._snapshots.drop(begun)
        return cells

    def _resume(self, begun: CacheKey, tokens: Tokens) -> int:
        """Bring the beginning that was read before into the cache; return how much that is."""
        cached = self._context.keep(tokens)
        cells = self._snapshots.load(begun) if self._snapshots else None
        if cells is None or len(cells) <= cached:
            return cached
        self._context.place([cells], tokens[: len(cells)])
        return len(cells)

    def _save(self, key: CacheKey, reading: Prefix) -> Cells:
        """Keep all that the cache holds; return it."""
        cells = self._context.cells()
        if self._snapshots:
            self._snapshots.save(key, cells, note=reading.note)
        return cells

    def _key(self, reading: Prefix) -> CacheKey:
        return CacheKey(reading.document_id, self._fingerprint, _digest(reading.tokens))

    def _write(self, limit_tokens: int) -> Generator[str, None, tuple[int, bool]]:
        """Yield the reply; return its tokens and whether the limit ended it."""
        text = codecs.getincrementaldecoder("utf-8")("replace")
        self._context.begin_reply()
        for written in range(limit_tokens):
            token = self._context.next_token()
            if self._weights.ends_reply(token):
                return written, False
            if piece := text.decode(self._weights.bytes_of(token)):
                yield piece
            self._context.read([token])
        return limit_tokens, True


def _fingerprint(sha256: str, template: str, tuning: Tuning) -> str:
    """Name all that decides what a text becomes in the cache, but for the text."""
    # The window is not among it: no supported model rotates otherwise in a larger one.
    cache = (tuning.kv, tuning.flash_attention, tuning.gpu_layers)
    return hashed(repr((sha256, template, cache, build())).encode()).hexdigest()[:16]


def _digest(tokens: Sequence[int]) -> str:
    return hashed(array("i", tokens).tobytes()).hexdigest()[:32]


def _seen(readings: Sequence[Prefix]) -> int:
    return sum(reading.seen_tokens for reading in readings)


def _cells(reading: Prefix) -> list[Cell]:
    text = _digest(reading.tokens)
    return [Kept(text, number) for start, end in reading.seen for number in range(start, end)]
