"""What several test modules share: the small Llama 3.1, and documents made in a line."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ui.words  # noqa: F401  gives errors their sentences
from assistant.backends.llama.engine import LlamaEngine
from assistant.backends.llama.kv_cache import DiskKVCache
from assistant.backends.llama.model import LlamaModel, LoadedLlama
from assistant.backends.llama.tuning import Tuning
from tests.tiny_llama import NotToBeHad, tiny_llama

TWO_THREADS = Tuning(2, 2)
os.environ["QUIPU_CONFIG"] = os.devnull  # whatever settings file the user has
EVALDATA = Path(__file__).resolve().parents[2] / "shared" / "evaldata"


@pytest.fixture(scope="session")
def evaldata() -> Path:
    """Real documents from elsewhere, which are not part of the project."""
    if not EVALDATA.is_dir():
        pytest.skip(f"there are no evaluation data at {EVALDATA}")
    return EVALDATA


def _built(*, template: bool) -> Path:
    try:
        return tiny_llama(template=template)
    except NotToBeHad as error:
        pytest.skip(f"the tokenizer of Llama 3.1 is not to be had: {error}")


@pytest.fixture(scope="session")
def tiny_llama_path() -> Path:
    """A Llama 3.1 of two random layers with the real tokenizer and template."""
    return _built(template=True)


@pytest.fixture(scope="session")
def tiny_base_path() -> Path:
    """The same without a chat template."""
    return _built(template=False)


@pytest.fixture
def llama(tiny_llama_path: Path) -> Iterator[LlamaEngine]:
    """A fresh engine with a window of 4,096 tokens."""
    engine = open_engine(tiny_llama_path)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tokenizer(tiny_llama_path: Path) -> Iterator[LlamaModel]:
    """A model for tests that only encode and count."""
    model = open_llama(tiny_llama_path, window_tokens=512)
    yield model
    model.engine.close()


@pytest.fixture(scope="session")
def count(tokenizer: LlamaModel) -> Callable[[str], int]:
    """Text to the number of its Llama 3.1 tokens."""
    return tokenizer.count


def open_engine(
    path: Path,
    *,
    window_tokens: int = 4096,
    sha256: str = "",
    kv_cache: DiskKVCache | None = None,
    tuning: Tuning = TWO_THREADS,
) -> LlamaEngine:
    return LlamaEngine(
        path, window_tokens=window_tokens, tuning=tuning, sha256=sha256, kv_cache=kv_cache
    )


def open_llama(path: Path, *, window_tokens: int = 4096, **options: Any) -> LlamaModel:
    """Return a model over `open_engine`."""

    def load() -> LoadedLlama:
        engine = open_engine(path, window_tokens=window_tokens, **options)
        return LoadedLlama(engine, window_tokens, window_tokens)

    return LlamaModel("tiny", load)
