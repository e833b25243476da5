"""The fastest settings of a model on this machine, and its speeds, stored once measured.

Stored beside the models. `measuring.py` knows how to measure.

    <folder>/tunings/<model>.json     one for each model and machine
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from assistant.backends.base import Throughput
from assistant.storage.files import write_json

# Names in files of the version before, which measured the same.
OLD_NAMES: Final = {
    "laid_out": "repack", "read_s": "prefill_s", "read_deeper_s": "prefill_deeper_s",
    "write_s": "decode_s", "write_deeper_s": "decode_deeper_s",
}  # fmt: skip
VERSION: Final = 3  # of the measurement: one of another version is done again


@dataclass(frozen=True)
class Tuning:
    """Settings of the engine.

    Attributes:
        threads: for decoding.
        batch_threads: for prefill.
        batch_tokens: prefilled in one batch.
        flash_attention: whether attention is computed without its matrix of scores.
        repack: whether weights are copied into the processor's own order.
        gpu_layers: layers that a GPU takes; -1 for all.
        kv: type of the KV cache, "f16" or "q8_0".
    """

    threads: int
    batch_threads: int
    batch_tokens: int = 256  # reads as fast as 512 here, and stops and reports sooner
    flash_attention: bool = False
    repack: bool = False
    gpu_layers: int = 0
    kv: str = "f16"


@dataclass(frozen=True)
class Tuned:
    """The result of a measurement.

    Attributes:
        disturbed: other programs used much of the processor meanwhile.
    """

    tuning: Tuning
    throughput: Throughput
    disturbed: bool = False


class Tunings:
    """The stored measurements of one folder of models."""

    def __init__(self, models: Path) -> None:
        self._folder = models / "tunings"

    def load(self, facts: Sequence[str]) -> Tuned | None:
        """Return what was measured for the same facts: model, build and machine."""
        try:
            value = json.loads(self._path(facts).read_text(encoding="utf-8"))
            if value["version"] != VERSION:
                return None
            tuning = Tuning(**_renamed(value["tuning"]))
            throughput = Throughput(**_renamed(value.get("throughput") or value["speeds"]))
            return Tuned(tuning, throughput, bool(value["disturbed"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, facts: Sequence[str], tuned: Tuned) -> None:
        """Store what was measured on the machine that `facts` describe."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_json(self._path(facts), {"version": VERSION, "facts": list(facts), **asdict(tuned)})

    def _path(self, facts: Sequence[str]) -> Path:
        return self._folder / f"{sha256(repr(list(facts)).encode()).hexdigest()[:24]}.json"


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {OLD_NAMES.get(name, name): value for name, value in values.items()}
