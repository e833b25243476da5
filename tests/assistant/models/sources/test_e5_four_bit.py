"""The 4-bit file's layout, on a small one made here; and the real one where it is installed."""

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from assistant.errors import Reason, UnusableModel
from assistant.models.catalogue import load_catalogue
from assistant.models.installed import InstalledModels
from assistant.models.sources.e5_four_bit import expand_e5
from assistant.settings import Settings
from tests.refusals import refused

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "b", "▁ab", "～", "fi"]
SCORES = [0.0, 0.0, 0.0, 0.0, -3.0, -2.0, -2.0, -1.0, -4.0, -4.0]
MATRICES = {"emb.word": 320, "l0.q.w": 1024, "l0.fi.w": 2048, "l0.fo.w": 2048}
VECTORS = {"emb.pos": 64, "emb.type": 64, "emb.ln.w": 32, "l0.q.b": 32, "l0.fi.b": 64}


def e5_file(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Write a file of one narrow layer; return its flat tensors as they should be read."""
    random = np.random.default_rng(7)
    encoded: dict[str, tuple[int, bytes]] = {}
    expected: dict[str, npt.NDArray[np.float32]] = {}
    for name, count in MATRICES.items():
        blocks = [random_block(random) for _ in range(count // 32)]
        encoded[name] = 1, b"".join(raw for raw, _ in blocks)
        expected[name] = np.array([w for _, ws in blocks for w in ws], np.float32)
    for name, count in VECTORS.items():
        expected[name] = random.standard_normal(count).astype(np.float32)
        encoded[name] = 0, expected[name].tobytes()
    path.write_bytes(header(encoded, expected) + b"".join(raw for _, raw in encoded.values()))
    return expected


def random_block(random: np.random.Generator) -> tuple[bytes, list[float]]:
    """A Q4_0 block and its 32 weights, worked out one by one."""
    scale = float(np.float16(random.standard_normal()))
    nibbles = random.integers(0, 256, 16).tolist()
    low, high = [n % 16 for n in nibbles], [n // 16 for n in nibbles]
    return struct.pack("<e16B", scale, *nibbles), [scale * (n - 8) for n in low + high]


def header(
    encoded: dict[str, tuple[int, bytes]], values: dict[str, npt.NDArray[np.float32]]
) -> bytes:
    """Everything before the tensors; offsets count from the start of the file."""
    start = len(before_directory())
    directory_bytes = 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in encoded)
    offset, rows = start + directory_bytes, [struct.pack("<i", len(encoded))]
    for name, (kind, raw) in encoded.items():
        facts = struct.pack("<BIQQ", kind, values[name].size, offset, len(raw))
        rows.append(struct.pack("<H", len(name)) + name.encode() + facts)
        offset += len(raw)
    return before_directory() + b"".join(rows)


def before_directory() -> bytes:
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4").tobytes()
    blob = b"".join(texts)
    return b"".join(
        [
            b"E5S1",
            struct.pack("<I7ifi", 1, 32, 1, 2, 64, len(PIECES), 2, 2, 1e-12, 32),
            struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)),
            offsets,
            np.array(SCORES, "<f4").tobytes(),
            blob,
            struct.pack("<iI", 1, 9),
            b"map to skip"[:9],
        ]
    )


def test_weights_are_dequantised_named_and_shaped(tmp_path: Path) -> None:
    expected = e5_file(tmp_path / "e5.bin")
    expand_e5(tmp_path / "e5.bin", tmp_path / "out")
    weights = load_file(tmp_path / "out" / "model.safetensors")
    layer = "encoder.layer.0"
    pairs = {
        "embeddings.word_embeddings.weight": ("emb.word", (10, 32)),
        "embeddings.position_embeddings.weight": ("emb.pos", (2, 32)),
        "embeddings.token_type_embeddings.weight": ("emb.type", (2, 32)),
        "embeddings.LayerNorm.weight": ("emb.ln.w", (32,)),
        f"{layer}.attention.self.query.weight": ("l0.q.w", (32, 32)),
        f"{layer}.attention.self.query.bias": ("l0.q.b", (32,)),
        f"{layer}.intermediate.dense.weight": ("l0.fi.w", (64, 32)),
        f"{layer}.intermediate.dense.bias": ("l0.fi.b", (64,)),
        f"{layer}.output.dense.weight": ("l0.fo.w", (32, 64)),
    }
    assert set(weights) == {*pairs, "pooler.dense.weight", "pooler.dense.bias"}
    for name, (source, shape) in pairs.items():
        np.testing.assert_array_equal(weights[name], expected[source].reshape(shape))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("ab", ["<s>", "▁ab", "</s>"]),
        ("  ab \t ab", ["<s>", "▁ab", "▁ab", "</s>"]),
        ("ａb", ["<s>", "▁ab", "</s>"]),
        ("a\u200bab", ["<s>", "▁a", "▁ab", "</s>"]),
        ("a\x07b", ["<s>", "▁ab", "</s>"]),
        ("a～", ["<s>", "▁a", "～", "</s>"]),
        ("aﬁ", ["<s>", "▁a", "fi", "</s>"]),
    ],
)
def test_the_tokenizer_normalises_as_the_model_was_trained(
    tmp_path: Path, text: str, tokens: list[str]
) -> None:
    e5_file(tmp_path / "e5.bin")
    expand_e5(tmp_path / "e5.bin", tmp_path / "out")
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert tokenizer.encode(text).tokens == tokens


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"GGUF")
    with refused(UnusableModel(name="other", reason=Reason.INVALID)):
        expand_e5(tmp_path / "other", tmp_path / "out")


INSTALLED = Settings().models / "multilingual-e5-small.json"


@pytest.mark.model
@pytest.mark.skipif(not INSTALLED.exists(), reason="multilingual-e5-small is not installed")
def test_the_real_model_loads_quietly_and_gives_the_c_engines_vectors(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from sentence_transformers import SentenceTransformer

    path = InstalledModels(Settings().models, load_catalogue()).find("multilingual-e5-small").path
    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    assert "MISSING" not in capfd.readouterr().err
    vectors = model.encode(["passage: " + text for text in ENGINE_VECTORS])
    starts = np.array(list(ENGINE_VECTORS.values()))
    assert vectors.shape == (len(ENGINE_VECTORS), 384)
    np.testing.assert_allclose(vectors[:, :6], starts, atol=2e-3)


# The first six numbers that the 4-bit model's own C engine gives for passages.
ENGINE_VECTORS = {
    "¿Cuánta proteína necesito al día?": [-0.0028, -0.0162, -0.0598, -0.0754, 0.0566, -0.0780],
    "L’été dernier, nous avons visité le château.": [
        0.0470,
        -0.0067,
        -0.0272,
        -0.0588,
        0.0636,
        -0.0477,
    ],
    "How much protein do I need a day?": [0.0128, -0.0195, -0.0614, -0.0726, 0.0955, -0.0714],
    "日本国憲法は1947年に施行された。": [0.0788, -0.0121, -0.0078, -0.0659, 0.0419, -0.0092],
    "भारत का संविधान 1950 में लागू हुआ।": [0.0476, -0.0375, -0.0005, -0.0587, 0.0488, -0.0297],
}
