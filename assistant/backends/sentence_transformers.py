"""Texts to vectors and scores with sentence-transformers. The only import of it, and of torch.

Knows the model folder and its prefixes; does not know where the texts come from.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers.utils import logging

from assistant.types import Matrix, Vector

logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would write over ours

BATCH_TEXTS = 16  # of about 350 tokens: larger batches gain nothing on CPUs


class SentenceTransformerEmbedder:
    """An embedding model in a folder, with the prefixes it was trained with."""

    def __init__(
        self, folder: Path, *, name: str, fingerprint: str, query_prefix: str, passage_prefix: str
    ) -> None:
        self._name = name
        self._fingerprint = fingerprint
        self._query_prefix = query_prefix
        self._passage_prefix = passage_prefix
        self._model: Any = SentenceTransformer(
            str(folder), device=_device(), model_kwargs={"dtype": _dtype()}, local_files_only=True
        )
        self._embed([""])  # the first time takes ten times as long: it belongs to the loading

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension())

    def counts(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        encoded = self._model.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )
        return [len(ids) for ids in encoded["input_ids"]]

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return self._embed([self._passage_prefix + text for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return self._embed([self._query_prefix + text for text in texts])

    def _embed(self, texts: list[str]) -> Matrix:
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        vectors = self._model.encode(
            texts,
            batch_size=BATCH_TEXTS,
            normalize_embeddings=True,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        rows: Matrix = vectors.float().cpu().numpy()
        return rows


class CrossEncoderReranker:
    """A cross-encoder in a folder: reads a question and a text together."""

    def __init__(self, folder: Path, *, name: str, limit_tokens: int) -> None:
        self._name = name
        self._model: Any = CrossEncoder(
            str(folder),
            device=_device(),
            model_kwargs={"dtype": _dtype()},
            max_length=limit_tokens,
            local_files_only=True,
        )

    @property
    def name(self) -> str:
        return self._name

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        if not texts:
            return np.zeros(0, dtype=np.float32)
        pairs = [(question, text) for text in texts]
        scores: Vector = (
            self._model.predict(
                pairs,
                batch_size=BATCH_TEXTS,
                convert_to_numpy=False,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
            .float()
            .cpu()
            .numpy()
        )
        return scores


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype() -> "torch.dtype":
    """Return bfloat16 where the CPU computes in it (2.4 times float32 measured), else float32."""
    has_bf16 = _device() == "cpu" and "avx512_bf16" in _cpu_flags()
    return torch.bfloat16 if has_bf16 else torch.float32


def _cpu_flags() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""
