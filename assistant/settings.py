"""Where things are kept and how much may be used: one frozen value."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path, user_data_path


def default_home() -> Path:
    """The library's folder: `QUIPU_HOME`, or the platform's folder for user data."""
    return Path(os.environ.get("QUIPU_HOME") or user_data_path("quipu"))


def default_models() -> Path:
    """The models' folder: `QUIPU_MODELS`, or `models` in the user's cache folder."""
    return Path(os.environ.get("QUIPU_MODELS") or user_cache_path("quipu") / "models")


def default_quota() -> int:
    """Bytes for what models kept of documents: `QUIPU_QUOTA_GB`, or 20 GB."""
    return int(float(os.environ.get("QUIPU_QUOTA_GB") or 20) * 1e9)


@dataclass(frozen=True)
class Settings:
    """Attributes:
    home: folder of the library.
    models: folder of the model files.
    model: name of the chat model; None takes the best installed one that fits.
    embedder: name of the embedding model; None takes the library's own, else the starter.
    reranker: name of the re-ranking model; None takes an installed one, "none" none.
    window_tokens: size of the context to open; None takes the model's effective window.
    kv: type of the KV cache, "f16" or "q8_0"; the second takes half the memory.
    quota_bytes: of the disk, for what models kept of the documents they read.
    """

    home: Path = field(default_factory=default_home)
    models: Path = field(default_factory=default_models)
    model: str | None = None
    embedder: str | None = None
    reranker: str | None = None
    window_tokens: int | None = None
    kv: str = "f16"
    quota_bytes: int = field(default_factory=default_quota)
