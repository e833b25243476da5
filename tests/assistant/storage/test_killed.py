"""Preparing killed at fifty random moments: what is kept is right, and the rest is read again."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from assistant.backends.llama.encoding import TokenPrefix
from assistant.backends.llama.engine import LlamaEngine
from assistant.backends.llama.kv_cache import DiskKVCache
from assistant.backends.llama.tuning import Tuning
from assistant.types import Message, Role
from tests.conftest import open_engine

SPAWN = multiprocessing.get_context("spawn")
KILLS = 50
TEXTS = 12
OPTIONS = [" a", " the", "Yes", "No", " 91"]
QUOTA = 10**9


def readings(model: LlamaEngine) -> list[TokenPrefix]:
    texts = [f"Section {n}. " + f"Bridge {n} is {n} metres long. " * 120 for n in range(TEXTS)]
    found = [tuple(model.encoder.tokens(text)) for text in texts]
    return [TokenPrefix(t, ((0, len(t)),), f"doc{n % 3}") for n, t in enumerate(found)]


def prepare(model_path: Path, folder: Path, begun: Path) -> None:
    """Child: read the texts over and over, so that it is killed in the middle of something."""
    kept = DiskKVCache(folder, quota_bytes=QUOTA)
    model = open_engine(model_path, kv_cache=kept, tuning=Tuning(1, 1))
    every = readings(model)
    begun.touch()
    while True:
        for reading in every:
            model.prefill(reading)
        for reading in random.sample(every, 4):
            for path in folder.glob(f"{reading.document_id}/*/*.kv"):
                path.unlink(missing_ok=True)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, "the child did not begin"
        time.sleep(0.01)


@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
def test_fifty_kills_leave_nothing_wrong(tiny_llama_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "states"
    calm = DiskKVCache(tmp_path / "calm", quota_bytes=QUOTA)
    model = open_engine(tiny_llama_path, kv_cache=calm)
    every = readings(model)
    question = model.encoder.encode([Message(Role.USER, "How long is the bridge?")])
    right = [model.probabilities(question, OPTIONS, prefixes=[r]).probabilities for r in every]
    model.close()
    chance = random.Random(7)
    whole = 0
    for kill in range(KILLS):
        begun = tmp_path / f"begun-{kill}"
        child = SPAWN.Process(target=prepare, args=(tiny_llama_path, folder, begun))
        child.start()
        wait_for(begun)
        time.sleep(chance.uniform(0.0, 0.6))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(10)
        kept = DiskKVCache(folder, quota_bytes=QUOTA)
        again = open_engine(tiny_llama_path, kv_cache=kept)
        for reading, shares in zip(every, right, strict=True):
            if again.holds(reading):
                whole += 1
                found = again.probabilities(question, OPTIONS, prefixes=[reading]).probabilities
                assert found == pytest.approx(shares, abs=0.001)
        again.close()
    assert whole > KILLS  # or nothing was tested
