"""A GGUF file: its metadata, its weights in memory, its vocabulary. Knows no context."""

import ctypes
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import llama_cpp as lc

from assistant.errors import Reason, UnusableModel
from assistant.models.catalogue import parameter_count
from assistant.models.installed import GgufFacts

Tokens: TypeAlias = list[int]
PIECE_BYTES = 256


@lc.llama_log_callback
def _silence(level: int, text: bytes, data: Any) -> None:
    """Drop llama.cpp's own log: what matters is raised as an error."""


lc.llama_log_set(_silence, ctypes.c_void_p(0))


def build() -> str:
    """Return the version of llama.cpp and of its state format."""
    return f"{lc.__version__}/{lc.LLAMA_STATE_SEQ_VERSION}"


def build_features() -> list[str]:
    """Return the processor features that this build of llama.cpp uses ("AVX512_BF16", ...)."""
    text = lc.llama_print_system_info().decode()
    parts = [part.split(":")[-1].strip() for part in text.split("|")]
    return [part.split(" = ")[0] for part in parts if part.endswith("= 1")]


def uses_gpu() -> bool:
    """Return whether llama.cpp was built for a GPU."""
    return bool(lc.llama_supports_gpu_offload())


def can_repack() -> bool:
    """Tell whether llama.cpp may repack weights for this processor.

    GCC before 12.4 and 13.3 builds AMX that crashes (its bug 114098), and nothing in a build
    says which compiler made it.
    """
    features = build_features()
    return "REPACK" in features and "AMX_INT8" not in features


def disable_repacking() -> None:
    """Keep llama-cpp-python's own `Llama` from repacking weights where that would crash."""
    if can_repack():
        return
    defaults = lc.llama_model_default_params

    def careful() -> Any:
        params = defaults()
        params.use_extra_bufts = False
        return params

    lc.llama_cpp.llama_model_default_params = careful


def describe(path: Path) -> GgufFacts:
    """Return the metadata of a model file, without loading its weights.

    Raises:
        UnusableModel: llama.cpp cannot read it.
    """
    with _vocabulary_of(path) as model:
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


def template_of(path: Path) -> str:
    """Return the chat template of a model file, "" when it has none.

    Raises:
        UnusableModel: llama.cpp cannot read it.
    """
    with _vocabulary_of(path) as model:
        return _template(model)


class Weights:
    """One loaded GGUF file; freed with the last reference to it."""

    def __init__(self, path: Path, *, repack: bool = False, gpu_layers: int = 0) -> None:
        """Load the file.

        Args:
            repack: copy the weights into the order that this processor multiplies fastest;
                else they are used as they are in the file.
            gpu_layers: how many layers a GPU takes; -1 for all.

        Raises:
            UnusableModel: llama.cpp cannot read it.
        """
        self.path = path
        params = lc.llama_model_default_params()
        params.use_extra_bufts = repack
        params.n_gpu_layers = gpu_layers
        self.handle = _load(path, params)
        self._free = weakref.finalize(self, lc.llama_model_free, self.handle)
        self._free.atexit = False
        self.vocabulary = lc.llama_model_get_vocab(self.handle)
        self.template = _template(self.handle)
        self.vocabulary_size = int(lc.llama_vocab_n_tokens(self.vocabulary))
        self.bos = int(lc.llama_vocab_bos(self.vocabulary))
        self.eos = int(lc.llama_vocab_eos(self.vocabulary))

    def free(self) -> None:
        """Free the weights now; the object cannot be used afterwards."""
        self._free()

    @property
    def begins_with_bos(self) -> bool:
        """Return whether every text starts with the token that begins a sequence."""
        return bool(lc.llama_vocab_get_add_bos(self.vocabulary))

    def tokenize(self, text: str, *, special: bool) -> Tokens:
        """Return the tokens of `text`; with `special`, control tokens may come of it."""
        data = text.encode()
        tokens = (lc.llama_token * (len(data) + 8))()
        found = lc.llama_tokenize(
            self.vocabulary, data, len(data), tokens, len(tokens), False, special
        )
        return list(tokens[:found])

    def text_of(self, token: int) -> str:
        """Return the text of a token in the vocabulary; "" for a missing one (below 0)."""
        if token < 0:
            return ""
        return str(lc.llama_vocab_get_text(self.vocabulary, token).decode("utf-8", "replace"))

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes that a token adds to a reply; none for a control token."""
        buffer = ctypes.create_string_buffer(PIECE_BYTES)
        length = lc.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(0, length)]

    def is_control(self, token: int) -> bool:
        """Return whether a token is a control token."""
        return bool(lc.llama_vocab_is_control(self.vocabulary, token))

    def ends_reply(self, token: int) -> bool:
        """Return whether a token ends the model's turn."""
        return bool(lc.llama_vocab_is_eog(self.vocabulary, token))


@contextmanager
def _vocabulary_of(path: Path) -> Iterator[Any]:
    params = lc.llama_model_default_params()
    params.vocab_only = True
    model = _load(path, params)
    try:
        yield model
    finally:
        lc.llama_model_free(model)


def _template(model: Any) -> str:
    template = lc.llama_model_chat_template(model, None)
    return template.decode("utf-8", "replace") if template else ""


def _load(path: Path, params: Any) -> Any:
    if not path.is_file():
        raise UnusableModel(name=path.name, reason=Reason.NOT_FOUND)
    model = lc.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise UnusableModel(name=path.name, reason=Reason.NOT_LOADED)
    return model


def _metadata(model: Any, key: str) -> str:
    buffer = ctypes.create_string_buffer(1 << 16)
    length = lc.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else ""
