"""llama.cpp keeps the contract of every chat model: on small random weights, and on real ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.backends.base import ChatModel
from assistant.backends.llama.kv_cache import DiskKVCache
from assistant.settings import Settings
from assistant.wiring import chat_model as wired_model
from tests.assistant.backends.contract import PrefixCacheContract
from tests.conftest import open_llama


class TestTinyLlama(PrefixCacheContract):
    @pytest.fixture
    def chat_model(self, tiny_llama_path: Path, tmp_path: Path) -> Iterator[ChatModel]:
        cache = DiskKVCache(tmp_path / "states", quota_bytes=10**9)
        model = open_llama(tiny_llama_path, kv_cache=cache)
        yield model
        model.release()


@pytest.mark.model
class TestStarter(PrefixCacheContract):
    @pytest.fixture
    def chat_model(self, tmp_path: Path) -> Iterator[ChatModel]:
        model = wired_model(Settings(home=tmp_path, model="starter", window_tokens=2048))
        yield model
        model.release()
