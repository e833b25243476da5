"""GGUF models through llama.cpp. The only import of llama_cpp.

Works on its low-level calls: prompts are token lists, reading can be stopped between two graph
nodes, and no score buffer is kept. What was read is kept as the cells of the KV cache; any of
them can stand before a later prompt. Knows nothing of documents or questions.
"""

import codecs
import ctypes
import math
import re
import threading
import time
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256 as hashed
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import llama_cpp as lc
import numpy as np
from numpy.typing import NDArray

from assistant.backends.cells import Cells, build, head_of, join, parse
from assistant.backends.snapshots import Key, Snapshots
from assistant.backends.templates import PromptPiece, lay_out, lay_out_plain
from assistant.errors import Cancelled, ContextOverflow, UnusableModel
from assistant.models.catalogue import parameter_count
from assistant.models.shelf import GgufFacts
from assistant.protocols import Cancelled as CancelCheck
from assistant.protocols import PrefillReport, never
from assistant.types import Choice, Generation, Message, Reading, Tokens

BATCH_TOKENS = 512  # reads 87, 90 tokens a second with 256, 512 on two cores
REPEAT_PENALTY = 1.05  # small models loop under plain greedy decoding
REPEAT_WINDOW = 256
ABORTED = 2  # what llama_decode returns when the abort callback said so
BLOCKS: Final = re.compile(r"(?<=\n\n)(?=\S)")  # where a text may be cut and stay the same tokens


class _Kept(NamedTuple):
    """A cell that came from a text read by itself: which text, and which of its tokens."""

    text: str
    number: int


_Cell: TypeAlias = int | _Kept  # an int is a token, read behind all cells before it


@lc.llama_log_callback
def _silence(level: int, text: bytes, data: Any) -> None:
    """Swallow llama.cpp's own log: what matters is raised as an error."""


lc.llama_log_set(_silence, ctypes.c_void_p(0))


def build_features() -> list[str]:
    """Return the names of what this build of llama.cpp can use ("AVX512_BF16", "METAL", ...)."""
    text = lc.llama_print_system_info().decode()
    parts = [part.split(":")[-1].strip() for part in text.split("|")]
    return [part.split(" = ")[0] for part in parts if part.endswith("= 1")]


def uses_gpu() -> bool:
    return bool(lc.llama_supports_gpu_offload())


def describe(path: Path) -> GgufFacts:
    """Return what a model file says of itself, without loading its weights.

    Raises:
        UnusableModel: llama.cpp cannot read it.
    """
    with _loaded(path, vocab_only=True) as model:
        architecture = _metadata(model, "general.architecture")
        number = {
            key: int(_metadata(model, f"{architecture}.{key}") or 0)
            for key in ("context_length", "block_count", "embedding_length")
        }
        heads = int(_metadata(model, f"{architecture}.attention.head_count") or 1)
        return GgufFacts(
            architecture=architecture,
            name=_metadata(model, "general.name") or path.stem,
            trained_window_tokens=number["context_length"],
            has_chat_template=lc.llama_model_chat_template(model, None) is not None,
            layers=number["block_count"],
            kv_heads=int(_metadata(model, f"{architecture}.attention.head_count_kv") or heads),
            head_size=int(
                _metadata(model, f"{architecture}.attention.key_length")
                or number["embedding_length"] // heads
            ),
            parameters=int(parameter_count(_metadata(model, "general.size_label"))),
        )


@contextmanager
def _loaded(path: Path, *, vocab_only: bool) -> Iterator[Any]:
    model = _load(path, vocab_only=vocab_only)
    try:
        yield model
    finally:
        lc.llama_model_free(model)


def _load(path: Path, *, vocab_only: bool = False) -> Any:
    params = lc.llama_model_default_params()
    params.vocab_only = vocab_only
    params.n_gpu_layers = -1 if uses_gpu() and not vocab_only else 0
    # GCC before 12.4 and 13.3 builds AMX that crashes (its bug 114098). Without weights laid out
    # for AMX, prompts are read at 0.95 of the speed of a sound build, replies written at 0.89.
    params.use_extra_bufts = "AMX_INT8" not in build_features()
    if not path.is_file():
        raise UnusableModel(path, "the file is not there any more")
    model = lc.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise UnusableModel(path, "llama.cpp cannot read it: it may be damaged or too new")
    return model


def _metadata(model: Any, key: str) -> str:
    buffer = ctypes.create_string_buffer(1 << 16)
    length = lc.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else ""


class LlamaModel:
    """One loaded GGUF with one open context; one reader at a time, the others wait.

    The tokens read last stay in the KV cache, and the next prompt is read from the first
    token that differs.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        window_tokens: int,
        effective_tokens: int,
        threads: int,
        sha256: str = "",
        snapshots: Snapshots | None = None,
    ) -> None:
        """Load the weights and open a context.

        Args:
            sha256: of the file; whatever is kept of a text is kept for these weights alone.
            snapshots: where that is kept; None keeps nothing.

        Raises:
            UnusableModel: the file cannot be read, or there is no memory for the window.
        """
        self._name = name
        self._path = path
        self._model = _load(path)
        self._vocab = lc.llama_model_get_vocab(self._model)
        self._context = self._open_context(path, window_tokens, threads)
        self._memory = lc.llama_get_memory(self._context)
        self._sampler = _greedy_sampler(lc.llama_vocab_n_tokens(self._vocab))
        self._window = int(lc.llama_n_ctx(self._context))
        self._effective = min(effective_tokens, self._window)
        self._template = _chat_template(self._model)
        self._fingerprint = _fingerprint(sha256, self._template)
        self._snapshots = snapshots
        self._in_cache: list[_Cell] = []
        self._placed = 0  # of these cells, put there as kept
        self._shift = 0  # from the number of a cell behind those to its position
        self._lock = threading.Lock()
        self._cancelled: CancelCheck = never

    def _open_context(self, path: Path, window_tokens: int, threads: int) -> Any:
        params = lc.llama_context_default_params()
        params.n_ctx = window_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        # Measured on x86: flash attention decodes 30 % slower at depth; Metal wants it.
        params.flash_attn_type = -1 if uses_gpu() else 0
        self._abort = lc.ggml_abort_callback(lambda _data: self._cancelled())  # kept: C holds it
        params.abort_callback = self._abort
        context = lc.llama_init_from_model(self._model, params)
        if not context:
            raise UnusableModel(path, f"no memory for a window of {window_tokens} tokens")
        return context

    def close(self) -> None:
        """Free the weights and the context; the model cannot be used afterwards."""
        with self._lock:
            lc.llama_sampler_free(self._sampler)
            lc.llama_free(self._context)
            lc.llama_model_free(self._model)

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
    def has_chat_template(self) -> bool:
        return bool(self._template)

    def count(self, text: str) -> int:
        return len(self._tokens([PromptPiece(text, is_content=True)]))

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

    def has_read(self, reading: Reading) -> bool:
        return self._snapshots is not None and self._snapshots.holds(self._key(reading))

    def read(
        self,
        reading: Reading,
        *,
        cancelled: CancelCheck = never,
        report: PrefillReport | None = None,
    ) -> bool:
        self._check_room([], [reading], 0)
        with self._lock:
            self._cancelled = cancelled
            if not self.has_read(reading):
                self._read_apart(reading, report)
        return self.has_read(reading)

    def control_texts(self) -> list[str]:
        """Return the text of every control token of the vocabulary."""
        total = lc.llama_vocab_n_tokens(self._vocab)
        return [
            lc.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")
            for token in range(total)
            if self.is_control(token)
        ]

    def is_control(self, token: int) -> bool:
        return bool(lc.llama_vocab_is_control(self._vocab, token))

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        readings: Sequence[Reading] = (),
        cancelled: CancelCheck = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        self._check_room(prompt, readings, limit_tokens)
        with self._lock:
            self._cancelled = cancelled
            start = time.perf_counter()
            cached = self._bring(prompt, readings, report)
            read = time.perf_counter()
            written, stopped = yield from self._write(limit_tokens)
            return Generation(
                prompt_tokens=sum(r.seen_tokens for r in readings) + len(prompt),
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
        readings: Sequence[Reading] = (),
        cancelled: CancelCheck = never,
    ) -> Choice:
        self._check_room(prompt, readings, 0)
        firsts = [self._tokenize(option, special=False)[0] for option in options]
        with self._lock:
            self._cancelled = cancelled
            start = time.perf_counter()
            cached = self._bring(prompt, readings, None)
            logits = lc.llama_get_logits_ith(self._context, -1)
            scores = [float(logits[token]) for token in firsts]
        weights = [math.exp(score - max(scores)) for score in scores]
        prompt_tokens = sum(r.seen_tokens for r in readings) + len(prompt)
        cost = Generation(prompt_tokens, cached, 0, time.perf_counter() - start, 0.0)
        return Choice(tuple(weight / sum(weights) for weight in weights), cost)

    def _pieces(self, messages: Sequence[Message]) -> list[PromptPiece]:
        if not self._template:
            return lay_out_plain(messages)
        bos, eos = lc.llama_vocab_bos(self._vocab), lc.llama_vocab_eos(self._vocab)
        try:
            return lay_out(self._template, messages, bos=self._text_of(bos), eos=self._text_of(eos))
        except ValueError as error:
            raise UnusableModel(self._path, str(error)) from error

    def _with_bos(self, tokens: Tokens) -> Tokens:
        bos = int(lc.llama_vocab_bos(self._vocab))
        wanted = bool(lc.llama_vocab_get_add_bos(self._vocab))
        return [bos, *tokens] if wanted and tokens[:1] != [bos] else tokens

    def _text_of(self, token: int) -> str:
        return lc.llama_vocab_get_text(self._vocab, token).decode() if token >= 0 else ""

    def _tokens(self, pieces: Sequence[PromptPiece]) -> Tokens:
        """Return the tokens of the pieces; no token reaches over a blank line of a content."""
        return [
            token
            for piece in pieces
            for text in (BLOCKS.split(piece.text) if piece.is_content else [piece.text])
            for token in self._tokenize(text, special=not piece.is_content)
        ]

    def _tokenize(self, text: str, *, special: bool) -> Tokens:
        """Return the tokens of `text`; with `special`, control tokens may come of it."""
        data = text.encode()
        tokens = (lc.llama_token * (len(data) + 8))()
        found = lc.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), False, special)
        return list(tokens[:found])

    def _check_room(self, prompt: Tokens, readings: Sequence[Reading], limit_tokens: int) -> None:
        needed = sum(r.seen_tokens for r in readings) + len(prompt) + limit_tokens
        longest = max([needed, *(len(reading.tokens) for reading in readings)])
        if longest > self._window:
            raise ContextOverflow(longest, self._window)

    def _bring(
        self, prompt: Tokens, readings: Sequence[Reading], report: PrefillReport | None
    ) -> int:
        """Bring readings and prompt into the cache; return how many cells were there or kept."""
        before = [_Kept(_digest(r.tokens), n) for r in readings for n in _numbers(r.seen)]
        wanted: list[_Cell] = [*before, *prompt]
        cached = self._keep(min(_common(self._in_cache, wanted), len(wanted) - 1))
        if cached < len(before):
            self._place(join([self._recalled(r, report) for r in readings]), before)
            cached = len(before)
        self._read(prompt[cached - len(before) :], report)
        return cached

    def _recalled(self, reading: Reading, report: PrefillReport | None) -> Cells:
        """Return the cells that are seen of a reading; one that is not kept is read now."""
        if kept := self._load(reading):
            return kept
        cells = self._read_apart(reading, report)
        return self._load(reading) or cells.at(reading.seen)  # the same as any later time

    def _load(self, reading: Reading) -> Cells | None:
        if self._snapshots is None:
            return None
        return self._snapshots.load(self._key(reading), reading.seen)

    def _read_apart(self, reading: Reading, report: PrefillReport | None) -> Cells:
        """Read a text by itself and keep what comes of it; return its cells."""
        tokens = list(reading.tokens)
        cached = self._keep(_common(self._in_cache, tokens))
        self._read(tokens[cached:], report)
        cells = parse(self._state())
        if self._snapshots:
            self._snapshots.save(self._key(reading), cells, note=reading.note)
        return cells

    def _key(self, reading: Reading) -> Key:
        return Key(reading.document_id, self._fingerprint, _digest(reading.tokens))

    def _state(self) -> memoryview:
        size = lc.llama_state_seq_get_size(self._context, 0)
        state = np.empty(size, np.uint8)
        written = lc.llama_state_seq_get_data(self._context, _pointer(state), size, 0)
        return state[:written].data

    def _place(self, cells: Cells, names: Sequence[_Cell]) -> None:
        """Put these cells in place of all that the cache holds."""
        self._keep(0)
        state = np.frombuffer(build(cells, head_of(self._state())), np.uint8)
        if not lc.llama_state_seq_set_data(self._context, _pointer(state), len(state), 0):
            raise ContextOverflow(len(cells), self._window)
        self._in_cache = list(names)
        self._placed = len(names)
        self._shift = int(cells.positions.max()) + 1 - len(names)

    def _read(self, tokens: Tokens, report: PrefillReport | None) -> None:
        """Read the tokens behind all that the cache holds."""
        total = len(self._in_cache) + len(tokens)
        for start in range(0, len(tokens), BATCH_TOKENS):
            self._decode(tokens[start : start + BATCH_TOKENS])
            if report:
                report(len(self._in_cache), total)

    def _keep(self, cells: int) -> int:
        """Drop all but the first cells; return how many really stay."""
        inside = cells < self._placed  # positions of placed cells are not in order
        start = 0 if inside else cells + self._shift
        if inside or not lc.llama_memory_seq_rm(self._memory, 0, start, -1):
            lc.llama_memory_clear(self._memory, True)
            cells = self._placed = self._shift = 0
        del self._in_cache[cells:]
        return cells

    def _decode(self, tokens: Tokens) -> None:
        """Run the tokens through the model.

        Raises:
            Cancelled: the reader stopped it; the cache holds what was read before.
        """
        if self._cancelled():
            raise Cancelled
        batch = (lc.llama_token * len(tokens))(*tokens)
        status = lc.llama_decode(self._context, lc.llama_batch_get_one(batch, len(tokens)))
        if status != 0:
            self._keep(len(self._in_cache))
            if status == ABORTED:
                raise Cancelled
            raise ContextOverflow(len(self._in_cache) + len(tokens), self._window)
        self._in_cache += tokens

    def _write(self, limit_tokens: int) -> Generator[str, None, tuple[int, bool]]:
        """Yield the reply; return its tokens and whether the limit ended it."""
        text = codecs.getincrementaldecoder("utf-8")("replace")
        lc.llama_sampler_reset(self._sampler)
        for written in range(limit_tokens):
            token = int(lc.llama_sampler_sample(self._sampler, self._context, -1))
            if lc.llama_vocab_is_eog(self._vocab, token):
                return written, False
            if piece := text.decode(self._bytes_of(token)):
                yield piece
            self._decode([token])
        return limit_tokens, True

    def _bytes_of(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        length = lc.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(0, length)]


def _chat_template(model: Any) -> str:
    template = lc.llama_model_chat_template(model, None)
    return template.decode("utf-8", "replace") if template else ""


def _greedy_sampler(vocabulary: int) -> Any:
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    penalties = lc.llama_sampler_init_penalties(vocabulary, REPEAT_WINDOW, REPEAT_PENALTY, 0.0, 0.0)
    lc.llama_sampler_chain_add(chain, penalties)
    lc.llama_sampler_chain_add(chain, lc.llama_sampler_init_greedy())
    return chain


def _fingerprint(sha256: str, template: str) -> str:
    """Name all that decides what a text becomes in the cache, but for the text."""
    # The window is not among it: no supported model rotates otherwise in a larger one.
    cache = ("f16", "f16", -1 if uses_gpu() else 0)
    build = (lc.__version__, lc.LLAMA_STATE_SEQ_VERSION)
    return hashed(repr((sha256, template, cache, build)).encode()).hexdigest()[:16]


def _digest(tokens: Sequence[int]) -> str:
    return hashed(array("i", tokens).tobytes()).hexdigest()[:32]


def _numbers(spans: Sequence[tuple[int, int]]) -> list[int]:
    return [number for start, end in spans for number in range(start, end)]


def _pointer(buffer: NDArray[np.uint8]) -> Any:
    return buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _common(left: Sequence[_Cell], right: Sequence[_Cell]) -> int:
    """Return the length of the common beginning."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
