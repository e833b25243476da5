"""One open context of llama.cpp: batches in, logits out, and what its KV cache holds.

The KV cache is one row of cells: first the cells restored from cached prefixes, then those of the
tokens decoded since. A prefix that stays the same is not decoded again. Not safe for two threads.
"""

import ctypes
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias

import llama_cpp as lc
import numpy as np

from assistant.backends.base import PrefillReport
from assistant.backends.llama.cells import Cells, Kind, State, build, head_of, parse
from assistant.backends.llama.tuning import Tuning
from assistant.backends.llama.weights import Tokens, Weights
from assistant.errors import Cancelled, ContextOverflow, Reason, UnusableModel
from assistant.streams import IsCancelled, never

REPEAT_PENALTY: Final = 1.05  # small models loop under plain greedy decoding
REPEAT_WINDOW: Final = 256
ABORTED: Final = 2  # what llama_decode returns when the abort callback said so
READING: Final = 0  # the sequence of the prompt and the reply
SPARE: Final = 1  # empty between calls: for restoring cells and for a second prompt
PLACED_AT_ONCE: Final = 1_024  # cells: limits the memory needed while restoring
KINDS: Final = {"f16": Kind.F16, "q8_0": Kind.Q8_0}


class CachedCell(NamedTuple):
    """A cell of a prefix that was prefilled by itself: which prefix, and which of its tokens."""

    text: str
    number: int


Cell: TypeAlias = int | CachedCell  # an int is a token, decoded behind all cells before it


class _Asked:
    """Holds the cancel check for the abort callback, which must not reference the context."""

    def __init__(self) -> None:
        self.cancelled: IsCancelled = never


class Context:
    """A context window over some weights; freed with the last reference to it."""

    def __init__(self, weights: Weights, tuning: Tuning, window_tokens: int) -> None:
        """Open a context.

        Raises:
            UnusableModel: there is no memory for it.
        """
        asked = self._asked = _Asked()
        self._weights = weights
        self._batch_tokens = tuning.batch_tokens
        params = lc.llama_context_default_params()
        params.n_ctx = window_tokens
        params.n_batch = params.n_ubatch = tuning.batch_tokens
        params.n_threads, params.n_threads_batch = tuning.threads, tuning.batch_threads
        params.n_seq_max, params.kv_unified = 2, True  # which share all cells
        params.no_perf = True
        params.flash_attn_type = int(tuning.flash_attention)
        params.type_k = params.type_v = int(KINDS[tuning.kv])
        abort = lc.ggml_abort_callback(lambda _data: asked.cancelled())
        params.abort_callback = abort
        self._handle = lc.llama_init_from_model(weights.handle, params)
        if not self._handle:
            raise UnusableModel(name=weights.path.name, reason=Reason.NO_MEMORY)
        self._memory = lc.llama_get_memory(self._handle)
        self._samplers = [
            _greedy_sampler(weights.vocabulary_size)
        ]  # the second one obeys a grammar
        kept = (weights, abort)  # llama.cpp holds pointers to them
        self._free = weakref.finalize(self, _free_window, self._handle, self._samplers, kept)
        self._free.atexit = False
        self.window_tokens = int(lc.llama_n_ctx(self._handle))
        self._cells: list[Cell] = []
        self._placed = 0  # of these cells, those that were restored
        self._shift = 0  # from the index of a decoded cell to its position
        self._has_logits = False

    def free(self) -> None:
        """Free the context now; nothing of this object can be used afterwards."""
        self._free()

    @property
    def cancelled(self) -> IsCancelled:
        """Called during a decode; returning True makes it raise `Cancelled`."""
        return self._asked.cancelled

    @cancelled.setter
    def cancelled(self, check: IsCancelled) -> None:
        """Have llama.cpp ask `check` between steps, and stop when it is true."""
        self._asked.cancelled = check

    def keep(self, wanted: Sequence[Cell]) -> int:
        """Keep the longest common prefix with these cells; return its length."""
        return self._cut(common(self._cells, wanted))

    @property
    def has_logits(self) -> bool:
        """Whether the logits of the last cell are available: it was decoded last."""
        return self._has_logits

    @property
    def names(self) -> Sequence[Cell]:
        """The cells of the KV cache, in order."""
        return self._cells

    @property
    def state_bytes(self) -> int:
        """Size of the state that `cells` returns."""
        return int(lc.llama_state_seq_get_size(self._handle, READING))

    def place(self, parts: Iterable[Cells], names: Sequence[Cell]) -> None:
        """Replace all cells by cached ones, part by part.

        Args:
            names: of the cells of all parts; those of prefixes first.

        Raises:
            ContextOverflow: the context has no room for them.
        """
        self._cut(0)
        head = head_of(self._state())
        last = -1
        for cells in (step for part in parts for step in part.in_steps(PLACED_AT_ONCE)):
            state = build(cells, head)
            if not lc.llama_state_seq_set_data(self._handle, _pointer(state), len(state), SPARE):
                self._cut(0)
                raise ContextOverflow(needed_tokens=len(names), window_tokens=self.window_tokens)
            lc.llama_memory_seq_cp(self._memory, SPARE, READING, -1, -1)
            lc.llama_memory_seq_rm(self._memory, SPARE, -1, -1)
            last = max(last, int(cells.positions.max()))
        self._cells = list(names)
        self._placed = sum(isinstance(name, CachedCell) for name in names)
        self._shift = last + 1 - len(names)

    def cells(self) -> Cells:
        """Return all cells with their keys and values."""
        return parse(self._state())

    def decode(self, tokens: Tokens, report: PrefillReport | None = None) -> None:
        """Decode tokens behind all cells, in batches.

        Raises:
            Cancelled: the cache holds the tokens of the batches before.
            ContextOverflow: the context is full.
        """
        total = len(self._cells) + len(tokens)
        for start in range(0, len(tokens), self._batch_tokens):
            self._decode_batch(tokens[start : start + self._batch_tokens])
            if report:
                report(len(self._cells), total)

    def decode_both(
        self,
        tokens: Tokens,
        other: Tokens,
        wanted: Sequence[int],
        report: PrefillReport | None = None,
    ) -> list[float]:
        """Decode tokens, and return the logits that another prompt would have had instead.

        Both are decoded in one pass, in two sequences that share their common prefix.

        Args:
            other: the other prompt; see `share_a_pass`.

        Raises: as `decode`.
        """
        shared = common(tokens, other)
        apart = max(0, len(tokens) + len(other) - shared - self._batch_tokens)
        self.decode(tokens[:apart], report)
        lc.llama_memory_seq_cp(self._memory, READING, SPARE, -1, -1)
        rows = [
            *((tokens[n], n, (READING, SPARE)) for n in range(apart, shared)),
            *((other[n], n, (SPARE,)) for n in range(shared, len(other))),
            *((tokens[n], n, (READING,)) for n in range(shared, len(tokens))),
        ]
        last_other = len(other) - apart - 1
        with _batch(rows, len(self._cells) + self._shift - apart, last_other) as batch:
            try:
                self._run(batch, tokens[apart:])
                if report:
                    report(len(self._cells), len(self._cells))
                return self.scores(wanted, last_other)
            finally:
                lc.llama_memory_seq_rm(self._memory, SPARE, -1, -1)

    def share_a_pass(self, tokens: Tokens, other: Tokens) -> bool:
        """Whether `decode_both` takes these: both have an end, and one pass reads both ends."""
        shared = common(tokens, other)
        ends = (len(tokens) - shared, len(other) - shared)
        return min(ends) > 0 and sum(ends) <= self._batch_tokens

    def begin_reply(self, grammar: str = "") -> None:
        """Reset the sampler for a new reply.

        Args:
            grammar: GBNF that the reply obeys; "" for any reply.

        Raises:
            ValueError: the grammar is broken.
        """
        for sampler in self._samplers[1:]:
            lc.llama_sampler_free(sampler)
        del self._samplers[1:]
        lc.llama_sampler_reset(self._samplers[0])
        if grammar:
            self._samplers.append(_grammar_sampler(self._weights, grammar))

    def next_token(self) -> int:
        """Return the most likely next token; `decode` it to go on."""
        return int(lc.llama_sampler_sample(self._samplers[-1], self._handle, -1))

    def scores(self, tokens: Sequence[int], row: int = -1) -> list[float]:
        """Return the logits of these tokens.

        Args:
            row: of the batch decoded last; the last one by default.
        """
        logits = lc.llama_get_logits_ith(self._handle, row)
        return [float(logits[token]) for token in tokens]

    def _decode_batch(self, tokens: Tokens) -> None:
        array = (lc.llama_token * len(tokens))(*tokens)
        self._run(lc.llama_batch_get_one(array, len(tokens)), tokens)

    def _run(self, batch: Any, tokens: Tokens) -> None:
        """Run a batch; these tokens of it become cells."""
        if self.cancelled():
            raise Cancelled
        status = lc.llama_decode(self._handle, batch)
        self._has_logits = status == 0
        if status != 0:
            self._cut(len(self._cells))
            if status == ABORTED:
                raise Cancelled
            raise ContextOverflow(
                needed_tokens=len(self._cells) + len(tokens), window_tokens=self.window_tokens
            )
        self._cells += tokens

    def _cut(self, cells: int) -> int:
        """Drop all but the first cells; return how many really stay."""
        self._has_logits = False
        inside = cells < self._placed  # positions of restored cells are not in order
        start = 0 if inside else cells + self._shift
        if inside or not lc.llama_memory_seq_rm(self._memory, READING, start, -1):
            lc.llama_memory_clear(self._memory, True)
            cells = self._placed = self._shift = 0
        del self._cells[cells:]
        return cells

    def _state(self) -> State:
        state = np.empty(self.state_bytes, np.uint8)
        written = lc.llama_state_seq_get_data(self._handle, _pointer(state), len(state), READING)
        return state[:written]


@contextmanager
def _batch(
    rows: Sequence[tuple[int, int, Sequence[int]]], start: int, scored: int
) -> Iterator[Any]:
    """Give a batch of (token, position from `start`, sequences), with logits for two rows.

    Args:
        scored: one of the two rows; the other is the last.
    """
    batch = lc.llama_batch_init(len(rows), 0, 2)
    try:
        batch.n_tokens = len(rows)
        for row, (token, position, sequences) in enumerate(rows):
            batch.token[row], batch.pos[row] = token, start + position
            batch.n_seq_id[row] = len(sequences)
            for number, sequence in enumerate(sequences):
                batch.seq_id[row][number] = sequence
            batch.logits[row] = row in (scored, len(rows) - 1)
        yield batch
    finally:
        lc.llama_batch_free(batch)


def _free_window(handle: Any, samplers: list[Any], _kept: object) -> None:
    for sampler in samplers:
        lc.llama_sampler_free(sampler)
    lc.llama_free(handle)


def _grammar_sampler(weights: Weights, grammar: str) -> Any:
    constraint = lc.llama_sampler_init_grammar(weights.vocabulary, grammar.encode(), b"root")
    if not constraint:
        raise ValueError("the grammar is not valid GBNF with a rule named root")
    return _greedy_sampler(weights.vocabulary_size, constraint)


def _greedy_sampler(vocabulary: int, constraint: Any = None) -> Any:
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    if constraint:
        lc.llama_sampler_chain_add(chain, constraint)
    penalties = lc.llama_sampler_init_penalties(vocabulary, REPEAT_WINDOW, REPEAT_PENALTY, 0.0, 0.0)
    lc.llama_sampler_chain_add(chain, penalties)
    lc.llama_sampler_chain_add(chain, lc.llama_sampler_init_greedy())
    return chain


def _pointer(buffer: State) -> Any:
    return buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def common(left: Sequence[Cell], right: Sequence[Cell]) -> int:
    """Return the length of the common prefix."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
