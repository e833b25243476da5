"""Llama 3.1 without its weights: the real tokenizer and template round two small random layers.

The tokenizer and the template are files of llama.cpp, which the source archive of
llama-cpp-python holds. pip fetches the archive once; what was built of it stays in the user's
cache folder.
"""

import math
import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
from platformdirs import user_cache_path

WINDOW: Final = 131_072
LAYERS: Final = 2
WIDTH: Final = 64
HEADS: Final = 2
KV_HEADS: Final = 1
HEAD_SIZE: Final = WIDTH // HEADS
FEED_FORWARD: Final = 128
ROPE_BASE: Final = 500_000.0
EOT: Final = 128_009  # <|eot_id|>
RECIPE: Final = 2  # of the files built here: another number, another file
VOCABULARY: Final = "vendor/llama.cpp/models/ggml-vocab-llama-bpe.gguf"
TEMPLATE: Final = "vendor/llama.cpp/models/templates/meta-llama-Llama-3.1-8B-Instruct.jinja"


class NotToBeHad(Exception):
    """The archive could not be fetched; its text says why."""


def tiny_llama(*, template: bool = True) -> Path:
    """Return a small Llama 3.1 as GGUF, made when it is not in the cache yet.

    Args:
        template: False leaves the chat template out, as base models do.

    Raises:
        NotToBeHad: pip could not fetch the archive.
    """
    folder = user_cache_path("quipu") / "tests"
    target = folder / f"tiny-llama-{'instruct' if template else 'base'}-{RECIPE}.gguf"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary, chat_template = _parts(folder)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        _build(partial, vocabulary, chat_template.read_text() if template else None)
        partial.rename(target)
    return target


def _parts(folder: Path) -> tuple[Path, Path]:
    """Return the tokenizer and the template, fetched when they are not there."""
    vocabulary, template = folder / Path(VOCABULARY).name, folder / Path(TEMPLATE).name
    if not (vocabulary.exists() and template.exists()):
        with tempfile.TemporaryDirectory() as scratch:
            archive = _fetch(Path(scratch))
            with tarfile.open(archive) as files:
                root = files.next()
                assert root is not None
                base = root.name.split("/")[0]
                for inside, outside in ((VOCABULARY, vocabulary), (TEMPLATE, template)):
                    stream = files.extractfile(f"{base}/{inside}")
                    assert stream is not None
                    partial = outside.with_suffix(f".{os.getpid()}.partial")
                    partial.write_bytes(stream.read())
                    partial.rename(outside)
    return vocabulary, template


def _fetch(folder: Path) -> Path:
    """Let pip fetch the source archive; it builds nothing but the archive's metadata."""
    wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
    command = [
        *(sys.executable, "-m", "pip", "download", wanted, "--no-deps", "--quiet"),
        *("--no-binary", "llama-cpp-python", "--dest", str(folder)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotToBeHad("pip took more than five minutes") from error
    found = sorted(folder.glob("llama_cpp_python-*.tar.gz"))
    if not found:
        raise NotToBeHad((done.stderr.strip().splitlines() or ["pip found no archive"])[-1])
    return found[0]


def _build(target: Path, vocabulary: Path, template: str | None) -> None:
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_name("Tiny Llama 3.1")
    writer.add_size_label("16M")
    writer.add_context_length(WINDOW)
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(1e-5)
    size = _copy_tokenizer(writer, gguf.GGUFReader(vocabulary))
    if template is not None:
        writer.add_chat_template(template)
    for name, tensor in _weights(size).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_tokenizer(writer: Any, reader: Any) -> int:
    """Copy the tokenizer and return how many tokens it has; a turn ends with `<|eot_id|>`."""

    def value(key: str) -> Any:
        return reader.fields[f"tokenizer.ggml.{key}"].contents()

    tokens = value("tokens")
    writer.add_tokenizer_model(value("model"))
    writer.add_tokenizer_pre(value("pre"))
    writer.add_token_list(tokens)
    writer.add_token_types(value("token_type"))
    writer.add_token_merges(value("merges"))
    writer.add_bos_token_id(value("bos_token_id"))
    writer.add_eos_token_id(EOT)
    writer.add_vocab_size(len(tokens))
    return len(tokens)


def _weights(vocabulary: int) -> dict[str, Any]:
    random = np.random.default_rng(31)

    def matrix(rows: int, columns: int) -> Any:
        return random.normal(0.0, columns**-0.5, (rows, columns)).astype(np.float16)

    weights: dict[str, Any] = {
        "token_embd.weight": matrix(vocabulary, WIDTH),
        "output_norm.weight": np.ones(WIDTH, dtype=np.float32),
        "rope_freqs.weight": rope_factors(),
    }
    kv_width = KV_HEADS * HEAD_SIZE
    for layer in range(LAYERS):
        block = {
            "attn_norm": np.ones(WIDTH, dtype=np.float32),
            "attn_q": matrix(WIDTH, WIDTH),
            "attn_k": matrix(kv_width, WIDTH),
            "attn_v": matrix(kv_width, WIDTH),
            "attn_output": matrix(WIDTH, WIDTH),
            "ffn_norm": np.ones(WIDTH, dtype=np.float32),
            "ffn_gate": matrix(FEED_FORWARD, WIDTH),
            "ffn_up": matrix(FEED_FORWARD, WIDTH),
            "ffn_down": matrix(WIDTH, FEED_FORWARD),
        }
        weights |= {f"blk.{layer}.{name}.weight": tensor for name, tensor in block.items()}
    return weights


def rope_factors() -> Any:
    """Return Llama 3.1's frequency factors, as llama.cpp's converter computes them.

    Its `rope_scaling`: factor 8, low frequencies 1, high frequencies 4, trained on 8,192 tokens.
    """
    factor, low, high, trained = 8.0, 1.0, 4.0, 8192
    factors = []
    for index in range(0, HEAD_SIZE, 2):
        wavelength = 2 * math.pi * ROPE_BASE ** (index / HEAD_SIZE)
        if wavelength < trained / high:
            factors.append(1.0)
        elif wavelength > trained / low:
            factors.append(factor)
        else:
            smooth = (trained / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)
