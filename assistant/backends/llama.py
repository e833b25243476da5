"""GGUF models through llama.cpp. The only import of llama_cpp.

Works on its low-level calls: prompts are token lists, reading can be stopped between two graph
nodes, and no score buffer is kept. Knows nothing of documents or questions.
"""

import codecs
import ctypes
import math
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp as lc

from assistant.backends.templates import PromptPiece, lay_out, lay_out_plain
from assistant.errors import Cancelled, ContextOverflow, UnusableModel
from assistant.models.catalogue import parameter_count
from assistant.models.shelf import GgufFacts
from assistant.protocols import Cancelled as CancelCheck
from assistant.protocols import PrefillReport, never
from assistant.types import Choice, Generation, Message, Tokens

BATCH_TOKENS = 512  # reads 87, 90 tokens a second with 256, 512 on two cores
REPEAT_PENALTY = 1.05  # small models loop under plain greedy decoding
REPEAT_WINDOW = 256
ABORTED = 2  # what llama_decode returns when the abort callback said so


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
    ) -> None:
        """Load the weights and open a context.

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
        self._in_cache: Tokens = []
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
        return len(self._tokenize(text, special=False))

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        pieces = self._pieces(messages)
        if reply_start:
            pieces.append(PromptPiece(reply_start, is_content=True))
        tokens = [
            token
            for piece in pieces
            for token in self._tokenize(piece.text, special=not piece.is_content)
        ]
        return self._with_bos(tokens)

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
        cancelled: CancelCheck = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        if len(prompt) + limit_tokens > self._window:
            raise ContextOverflow(len(prompt) + limit_tokens, self._window)
        with self._lock:
            self._cancelled = cancelled
            start = time.perf_counter()
            cached = self._read(prompt, report)
            read = time.perf_counter()
            written, stopped = yield from self._write(limit_tokens)
            return Generation(
                prompt_tokens=len(prompt),
                cached_tokens=cached,
                completion_tokens=written,
                prefill_s=read - start,
                decode_s=time.perf_counter() - read,
                stopped_by_limit=stopped,
            )

    def choose(
        self, prompt: Tokens, options: Sequence[str], *, cancelled: CancelCheck = never
    ) -> Choice:
        if len(prompt) > self._window:
            raise ContextOverflow(len(prompt), self._window)
        firsts = [self._tokenize(option, special=False)[0] for option in options]
        with self._lock:
            self._cancelled = cancelled
            start = time.perf_counter()
            cached = self._read(prompt, None)
            logits = lc.llama_get_logits_ith(self._context, -1)
            scores = [float(logits[token]) for token in firsts]
        weights = [math.exp(score - max(scores)) for score in scores]
        cost = Generation(len(prompt), cached, 0, time.perf_counter() - start, 0.0)
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

    def _tokenize(self, text: str, *, special: bool) -> Tokens:
        """Return the tokens of `text`; with `special`, control tokens may come of it."""
        data = text.encode()
        tokens = (lc.llama_token * (len(data) + 8))()
        found = lc.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), False, special)
        return list(tokens[:found])

    def _read(self, prompt: Tokens, report: PrefillReport | None) -> int:
        """Bring the prompt into the cache; return how many of its tokens were there already."""
        cached = self._keep(min(_common(self._in_cache, prompt), len(prompt) - 1))
        for start in range(cached, len(prompt), BATCH_TOKENS):
            self._decode(prompt[start : start + BATCH_TOKENS])
            if report:
                report(len(self._in_cache), len(prompt))
        return cached

    def _keep(self, tokens: int) -> int:
        """Drop all but the first `tokens` cells; return how many really stay."""
        if not lc.llama_memory_seq_rm(self._memory, 0, tokens, -1):
            lc.llama_memory_clear(self._memory, True)
            tokens = 0
        del self._in_cache[tokens:]
        return tokens

    def _decode(self, tokens: Tokens) -> None:
        """Run the tokens through the model.

        Raises:
            Cancelled: the reader stopped it; the cache holds what was read before.
        """
        if self._cancelled():
            raise Cancelled
        array = (lc.llama_token * len(tokens))(*tokens)
        status = lc.llama_decode(self._context, lc.llama_batch_get_one(array, len(tokens)))
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


def _common(left: Tokens, right: Tokens) -> int:
    """Return the length of the common beginning."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
