"""One open context of llama.cpp: what it reads, what it writes, and what its cache holds.

The cache is one row of cells. Some may be put there as they were kept; behind them stand tokens
that were read. A beginning that stays the same is never read again. Not safe for two threads.
"""

import ctypes
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias

import llama_cpp as lc
import numpy as np

from assistant.backends.base import PrefillReport, Tokens
from assistant.backends.llama.cells import Cells, Kind, State, build, head_of, parse
from assistant.backends.llama.tuning import Tuning
from assistant.backends.llama.weights import Weights
from assistant.errors import Cancelled, ContextOverflow, Reason, UnusableModel
from assistant.streams import IsCancelled, never

REPEAT_PENALTY: Final = 1.05  # small models loop under plain greedy decoding
REPEAT_WINDOW: Final = 256
ABORTED: Final = 2  # what llama_decode returns when the abort callback said so
READING: Final = 0  # the sequence that is read and written
SPARE: Final = 1  # empty between calls: cells come through it, and tokens are tried in it
PLACED_AT_ONCE: Final = 1_024  # cells: so little memory is needed beside the cache
KINDS: Final = {"f16": Kind.F16, "q8_0": Kind.Q8_0}


class Kept(NamedTuple):
    """A cell that came from a text read by itself: which text, and which of its tokens."""

    text: str
    number: int


Cell: TypeAlias = int | Kept  # an int is a token, read behind all cells before it


class _Asked:
    """Whom the engine asks; apart from the window, which would hold itself through it."""

    def __init__(self) -> None:
        self.cancelled: IsCancelled = never


class Context:
    """A window of tokens over some weights; freed with the last reference to it."""

    def __init__(self, weights: Weights, tuning: Tuning, window_tokens: int) -> None:
        """Open a window.

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
        self._sampler = _greedy_sampler(weights.vocabulary_size)
        kept = (weights, abort)  # C holds them
        self._free = weakref.finalize(self, _free_window, self._handle, self._sampler, kept)
        self._free.atexit = False
        self.window_tokens = int(lc.llama_n_ctx(self._handle))
        self._cells: list[Cell] = []
        self._placed = 0  # of these cells, put there as kept
        self._shift = 0  # from the number of a cell behind those to its position
        self._expects = False

    def free(self) -> None:
        """Free the window now; nothing of this object can be used afterwards."""
        self._free()

    @property
    def cancelled(self) -> IsCancelled:
        """Asked while the model works; saying yes makes it raise `Cancelled`."""
        return self._asked.cancelled

    @cancelled.setter
    def cancelled(self, check: IsCancelled) -> None:
        self._asked.cancelled = check

    def keep(self, wanted: Sequence[Cell]) -> int:
        """Drop what differs from the beginning of these; return how many cells stay."""
        return self._cut(common(self._cells, wanted))

    @property
    def expects(self) -> bool:
        """Whether it is known what follows the last cell: it was read last."""
        return self._expects

    @property
    def names(self) -> Sequence[Cell]:
        """What the cache holds, cell by cell."""
        return self._cells

    @property
    def state_bytes(self) -> int:
        """What `cells` would take."""
        return int(lc.llama_state_seq_get_size(self._handle, READING))

    def place(self, parts: Iterable[Cells], names: Sequence[Cell]) -> None:
        """Put these cells in place of all that the cache holds, part by part.

        Args:
            names: of the cells of all parts; those that were kept stand first.

        Raises:
            ContextOverflow: the window does not hold them.
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
        self._placed = sum(isinstance(name, Kept) for name in names)
        self._shift = last + 1 - len(names)

    def cells(self) -> Cells:
        """Return all that the cache holds."""
        return parse(self._state())

    def read(self, tokens: Tokens, report: PrefillReport | None = None) -> None:
        """Read these behind all that the cache holds.

        Raises:
            Cancelled: somebody stopped it; the cache holds what was read before.
            ContextOverflow: the window is full.
        """
        total = len(self._cells) + len(tokens)
        for start in range(0, len(tokens), self._batch_tokens):
            self._decode(tokens[start : start + self._batch_tokens])
            if report:
                report(len(self._cells), total)

    def read_both(
        self,
        tokens: Tokens,
        other: Tokens,
        wanted: Sequence[int],
        report: PrefillReport | None = None,
    ) -> list[float]:
        """Read tokens as `read` does; return `scores` as if others had been read in their place.

        What both begin with is read once, and where they part, both in one pass.

        Args:
            other: see `share_a_pass`.

        Raises: as `read`.
        """
        shared = common(tokens, other)
        apart = max(0, len(tokens) + len(other) - shared - self._batch_tokens)
        self.read(tokens[:apart], report)
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
        """Whether `read_both` takes these: both have an end, and one pass reads both ends."""
        shared = common(tokens, other)
        ends = (len(tokens) - shared, len(other) - shared)
        return min(ends) > 0 and sum(ends) <= self._batch_tokens

    def begin_reply(self) -> None:
        """Forget what was written before."""
        lc.llama_sampler_reset(self._sampler)

    def next_token(self) -> int:
        """Return the likeliest token to follow; `read` it to go on."""
        return int(lc.llama_sampler_sample(self._sampler, self._handle, -1))

    def scores(self, tokens: Sequence[int], row: int = -1) -> list[float]:
        """Return how strongly each of these is expected next, as logits.

        Args:
            row: of the batch read last, behind which; the last one by default.
        """
        logits = lc.llama_get_logits_ith(self._handle, row)
        return [float(logits[token]) for token in tokens]

    def _decode(self, tokens: Tokens) -> None:
        array = (lc.llama_token * len(tokens))(*tokens)
        self._run(lc.llama_batch_get_one(array, len(tokens)), tokens)

    def _run(self, batch: Any, tokens: Tokens) -> None:
        """Read a batch, of which these become cells."""
        if self.cancelled():
            raise Cancelled
        status = lc.llama_decode(self._handle, batch)
        self._expects = status == 0
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
        self._expects = False
        inside = cells < self._placed  # positions of placed cells are not in order
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
    """Give a batch of (token, position from `start`, sequences); two of its rows are scored.

    Args:
        scored: one of them; the other is the last.
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


def _free_window(handle: Any, sampler: Any, _kept: object) -> None:
    lc.llama_sampler_free(sampler)
    lc.llama_free(handle)


def _greedy_sampler(vocabulary: int) -> Any:
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    penalties = lc.llama_sampler_init_penalties(vocabulary, REPEAT_WINDOW, REPEAT_PENALTY, 0.0, 0.0)
    lc.llama_sampler_chain_add(chain, penalties)
    lc.llama_sampler_chain_add(chain, lc.llama_sampler_init_greedy())
    return chain


def _pointer(buffer: State) -> Any:
    return buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def common(left: Sequence[Cell], right: Sequence[Cell]) -> int:
    """Return the length of the common beginning."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
