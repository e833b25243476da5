"""From the 4-bit file of multilingual-e5-small to a normal sentence-transformers folder.

The file, little-endian throughout:

    magic `E5S1`, u32 version
    i32 hidden, layers, heads, feed-forward, vocabulary, positions, token types
    f32 layer-norm epsilon, i32 block size
    i32 pieces, bos, eos, pad, unk; u64 blob bytes
    u32 offsets[pieces + 1], f32 scores[pieces], blob
    i32 entries and u32 bytes of a character map, then the map (not used: NFKC and BLANKS)
    i32 tensors; for each: u16 name bytes, name, u8 kind, u32 count, u64 offset, u64 bytes

Knows this layout and the folder's. Knows nothing of where the file came from.
"""

import json
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assistant.errors import Reason, UnusableModel

FLOAT32, Q4_0 = 0, 1
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # ggml's Q4_0: 32 weights

# What the model's own character map does beyond NFKC: these vanish, those become a space.
CONTROLS = r"[\x01-\x08\x0B\x0E-\x1F\x7F\x{8F}\x{9F}]"
BLANKS = r"[\t\n\f\r\x{1680}\x{200B}-\x{200F}\x{2028}\x{2029}\x{2581}\x{FEFF}\x{FFFD}]"

TILDE, ASIDE = "\uff5e", "\ue000"  # the fullwidth tilde, which the model's map keeps, NFKC does not

TENSORS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER_TENSORS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
SUFFIXES = {"w": "weight", "b": "bias"}


@dataclass(frozen=True)
class Shape:
    """The model's sizes, in the order of the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    block: int


@dataclass(frozen=True)
class Vocabulary:
    """The pieces with their log probabilities; a piece's place is its id."""

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies in the file."""

    name: str
    kind: int
    count: int
    offset: int


class ByteReader:
    """Takes fields off the front of a buffer."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.position = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Return the next values of a `struct` layout."""
        values = struct.unpack_from(f"<{layout}", self.data, self.position)
        self.position += struct.calcsize(f"<{layout}")
        return values

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        """Return the next `count` numbers."""
        values = np.frombuffer(self.data, dtype, count, self.position).copy()
        self.position += values.nbytes
        return values

    def text(self, length: int) -> bytes:
        """Return the next `length` bytes."""
        self.position += length
        return self.data[self.position - length : self.position]


def expand_e5(source: Path, folder: Path) -> None:
    """Write the model in `source` to `folder` as sentence-transformers reads it, in float32.

    float32 because a Q4_0 weight (11-bit scale times 4-bit number) fits neither half type.

    Raises:
        UnusableModel: `source` is no such file.
    """
    with source.open("rb") as file:
        if file.read(4) != b"E5S1":
            raise UnusableModel(name=source.name, reason=Reason.INVALID)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            shape, vocabulary, tensors = read_header(data)
            weights = {hf_name(t.name): shaped(dequantised(data, t), t, shape) for t in tensors}
    write_folder(folder, shape, vocabulary, weights)


def read_header(data: mmap.mmap) -> tuple[Shape, Vocabulary, list[Tensor]]:
    """Return everything before the tensors' own bytes."""
    reader = ByteReader(data)
    reader.take("4sI")
    shape = Shape(*reader.take("7ifi"))
    vocabulary = read_vocabulary(reader)
    _, map_bytes = reader.take("iI")
    reader.position += map_bytes
    return shape, vocabulary, list(read_tensors(reader))


def read_vocabulary(reader: ByteReader) -> Vocabulary:
    """Take the tokenizer's pieces."""
    count, bos, eos, pad, unk = reader.take("5i")
    (blob_bytes,) = reader.take("Q")
    offsets = reader.array("<u4", count + 1).tolist()
    scores = reader.array("<f4", count).tolist()
    blob = reader.text(blob_bytes)
    texts = (blob[start:end].decode("utf-8") for start, end in pairwise(offsets))
    return Vocabulary(list(zip(texts, scores, strict=True)), bos, eos, pad, unk)


def read_tensors(reader: ByteReader) -> Iterator[Tensor]:
    """Take the tensor directory."""
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        name = reader.text(length).decode("ascii")
        kind, values, offset, _ = reader.take("BIQQ")
        yield Tensor(name, kind, values, offset)


def dequantised(data: mmap.mmap, tensor: Tensor) -> npt.NDArray[np.float32]:
    """Return a tensor's values, flat."""
    if tensor.kind == FLOAT32:
        return np.frombuffer(data, "<f4", tensor.count, tensor.offset).copy()
    blocks = np.frombuffer(data, BLOCK, tensor.count // 32, tensor.offset)
    nibbles = blocks["nibbles"]
    halves = np.concatenate([nibbles & 15, nibbles >> 4], axis=1)  # (blocks, 32)
    numbers = halves.astype(np.float32) - np.float32(8)
    numbers *= blocks["scale"].astype(np.float32)[:, None]
    return numbers.reshape(-1)


def hf_name(name: str) -> str:
    """Return a tensor's name in transformers: `l3.ao.w` is layer 3's attention output."""
    if name in TENSORS:
        return TENSORS[name]
    layer, part, suffix = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER_TENSORS[part]}.{SUFFIXES[suffix]}"


def shaped(
    values: npt.NDArray[np.float32], tensor: Tensor, shape: Shape
) -> npt.NDArray[np.float32]:
    """Return matrices as (outputs, inputs), biases and norms flat."""
    if tensor.name.endswith((".b", "ln.w")):
        return values
    inputs = shape.feed_forward if tensor.name.endswith("fo.w") else shape.hidden
    return values.reshape(-1, inputs)


def write_folder(
    folder: Path, shape: Shape, vocabulary: Vocabulary, weights: dict[str, npt.NDArray[np.float32]]
) -> None:
    """Write the files of a sentence-transformers model."""
    from safetensors.numpy import save_file

    (folder / "1_Pooling").mkdir(parents=True)
    path = folder / "model.safetensors"
    save_file(weights | pooler(shape.hidden), path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes 0600
    tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    for name, value in settings(shape, vocabulary).items():
        text = json.dumps(value, indent=2, ensure_ascii=False)
        (folder / name).write_text(text, encoding="utf-8")


def pooler(hidden: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return a pooler of zeros: nothing uses it, but without one BertModel warns at each load."""
    return {
        "pooler.dense.weight": np.zeros((hidden, hidden), np.float32),
        "pooler.dense.bias": np.zeros(hidden, np.float32),
    }


def tokenizer(vocabulary: Vocabulary) -> Any:
    """Return the Unigram tokenizer: `<s> … </s>` around the pieces."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.normalizers import NFKC, Replace, Sequence
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing

    made = Tokenizer(Unigram(vocabulary.pieces, unk_id=vocabulary.unk, byte_fallback=False))
    rules = [(ASIDE, TILDE), (CONTROLS, ""), (BLANKS, " "), (" {2,}", " ")]
    after = [Replace(Regex(pattern), text) for pattern, text in rules]
    made.normalizer = Sequence([Replace(TILDE, ASIDE), NFKC(), *after])
    made.pre_tokenizer = Metaspace(prepend_scheme="always")
    made.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", vocabulary.bos), ("</s>", vocabulary.eos)],
    )
    made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return made


def settings(shape: Shape, vocabulary: Vocabulary) -> dict[str, object]:
    """Return the folder's JSON files by name."""
    st = "sentence_transformers.models"
    return {
        "config.json": bert_config(shape, vocabulary),
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{st}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{st}.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{st}.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden,
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {"max_seq_length": shape.positions, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "clean_up_tokenization_spaces": False,
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
        },
    }


def bert_config(shape: Shape, vocabulary: Vocabulary) -> dict[str, object]:
    """Return transformers' description of the network."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.token_types,
        "layer_norm_eps": shape.epsilon,
        "pad_token_id": vocabulary.pad,
        "position_embedding_type": "absolute",
    }
