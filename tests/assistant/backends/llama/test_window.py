"""The window of 131,072 tokens, really filled: read, kept, put back, continued and overflowed."""

from pathlib import Path

import numpy as np
import pytest

from assistant.backends.llama.encoding import TokenPrefix
from assistant.backends.llama.kv_cache import DiskKVCache
from assistant.backends.llama.tuning import Tuning
from assistant.errors import ContextOverflow
from assistant.types import Message, Role
from tests.assistant.backends.llama.test_engine import finish
from tests.conftest import open_engine
from tests.tiny_llama import WINDOW

ROOM = 256  # tokens left for the question and its answer
QUICK = Tuning(2, 2, flash_attention=True)


def test_a_whole_window_is_read_kept_put_back_continued_and_overflowed(
    tiny_llama_path: Path, tmp_path: Path
) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=10**9)
    model = open_engine(tiny_llama_path, window_tokens=WINDOW, kv_cache=kept, tuning=QUICK)
    text = model.encoder.tokens(" ".join(f"Bridge {n} is {n} metres long." for n in range(14_000)))
    tokens = tuple(text[: WINDOW - ROOM])
    assert len(tokens) == WINDOW - ROOM
    question = model.encoder.split(
        [Message(Role.SYSTEM, ""), Message(Role.USER, "How long is bridge 7?")]
    )[1]
    reading = TokenPrefix(tokens, ((0, len(tokens)),), "doc")
    fresh = model.probabilities([*tokens, *question], [" a", " the", "Yes", "No"])
    assert fresh.cost.cached_tokens == 0
    assert model.prefill(reading)  # only kept: it is in the cache already
    model.close()

    again = open_engine(tiny_llama_path, window_tokens=WINDOW, kv_cache=kept, tuning=QUICK)
    back = again.probabilities(question, [" a", " the", "Yes", "No"], prefixes=[reading])
    assert back.cost.prompt_tokens - back.cost.cached_tokens == len(question)
    assert np.abs(np.subtract(back.probabilities, fresh.probabilities)).max() < 0.01
    room = WINDOW - len(tokens) - len(question)
    _, cost = finish(again.stream(question, limit_tokens=room, prefixes=[reading]))
    assert (cost.completion_tokens, cost.stopped_by_limit) == (room, True)
    assert again.open_tokens == WINDOW
    with pytest.raises(ContextOverflow) as caught:
        finish(again.stream(question, limit_tokens=room + 1, prefixes=[reading]))
    assert (caught.value.needed_tokens, caught.value.window_tokens) == (WINDOW + 1, WINDOW)
    again.close()


def test_sections_that_fill_the_window_together_stand_in_it_side_by_side(
    tiny_llama_path: Path, tmp_path: Path
) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=10**9)
    model = open_engine(tiny_llama_path, window_tokens=WINDOW, kv_cache=kept, tuning=QUICK)
    size = (WINDOW - ROOM) // 32
    readings = []
    for n in range(32):
        tokens = tuple(
            model.encoder.tokens(f"Section {n}. " + f"It is {n} metres long. " * 900)[:size]
        )
        readings.append(TokenPrefix(tokens, ((0, size),), f"doc{n}"))
        assert model.prefill(readings[-1])
    question = model.encoder.encode([Message(Role.USER, "How long?")])
    _, cost = finish(model.stream(question, limit_tokens=16, prefixes=readings))
    assert cost.cached_tokens == 32 * size > WINDOW - ROOM - 32
    assert cost.prompt_tokens - cost.cached_tokens == len(question)
    model.close()
