"""The scripted model keeps the contract of every chat model."""

import pytest

from assistant.backends.base import ChatModel
from assistant.backends.fake import ScriptedModel
from tests.assistant.backends.contract import PrefixCacheContract


class TestScriptedModel(PrefixCacheContract):
    @pytest.fixture
    def chat_model(self) -> ChatModel:
        return ScriptedModel("The bridge is 91 metres long, and it is old.")
