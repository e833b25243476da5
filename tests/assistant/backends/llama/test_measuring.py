"""What the self-test finds on a small model: sane throughput, kept for one machine and build."""

import json
import multiprocessing
from pathlib import Path

import pytest

from assistant.backends.base import Throughput
from assistant.backends.llama.measuring import DEPTH, line, tune
from assistant.backends.llama.tuning import VERSION, Tuned, Tuning, Tunings
from assistant.backends.llama.weights import uses_gpu
from assistant.models.hardware import is_busy, measure

FACTS = ("starter", "sha", "build", "chip")


def test_a_model_gets_throughput_and_settings(tiny_llama_path: Path) -> None:
    tuned = tune(tiny_llama_path, cores=2, processors=2)
    assert (tuned.tuning.threads, tuned.tuning.kv) == (2, "f16")
    assert tuned.tuning.batch_tokens in (256, 512)
    assert (
        0 < tuned.throughput.prefill_s < tuned.throughput.decode_s
    )  # tokens read together cost less
    assert tuned.throughput.prefill_deeper_s >= 0
    assert 0 < tuned.throughput.restore_s < tuned.throughput.prefill_s


@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [
        (0.01, 0.01 + 1e-6 * DEPTH, (0.01 - 1e-6 * 100, 1e-6)),
        (0.01, 0.005, (0.01, 0.0)),
        (0.01, 100.0, (0.005, 5e-5)),
    ],
)
def test_whatever_was_measured_tokens_take_some_time(
    near: float, far: float, expected: tuple[float, float]
) -> None:
    assert line(near, far, at=100) == pytest.approx(expected)


def test_what_was_measured_is_kept_for_the_same_facts_alone(tmp_path: Path) -> None:
    tuned = Tuned(
        Tuning(2, 4, flash_attention=True), Throughput(0.01, 1e-6, 0.1, 1e-5), disturbed=True
    )
    tunings = Tunings(tmp_path)
    assert tunings.load(FACTS) is None
    tunings.save(FACTS, tuned)
    assert tunings.load(FACTS) == tuned
    assert tunings.load((*FACTS[:3], "another chip")) is None


@pytest.mark.skipif(uses_gpu(), reason="where a GPU works, the processor tells little")
def test_a_measurement_beside_busy_programs_says_so(tiny_llama_path: Path) -> None:
    processors = measure().processors
    busy = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(3 * processors)]
    for process in busy:
        process.start()
    try:
        assert tune(tiny_llama_path, cores=processors, processors=processors).disturbed
        assert is_busy()
    finally:
        for process in busy:
            process.terminate()


def _spin() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 0}', f'{{"version": {VERSION}, "tuning": {{}}}}']
)
def test_a_broken_record_is_measured_again(tmp_path: Path, text: str) -> None:
    tunings = Tunings(tmp_path)
    tunings.save(FACTS, Tuned(Tuning(2, 2), Throughput(0.01, 0, 0.1, 0)))
    (record,) = (tmp_path / "tunings").iterdir()
    record.write_text(text)
    assert tunings.load(FACTS) is None


def test_seconds_grow_with_what_stands_before() -> None:
    throughput = Throughput(
        prefill_s=0.01, prefill_deeper_s=1e-5, decode_s=0.1, decode_deeper_s=1e-4
    )
    assert throughput.prefill_time(1000) == pytest.approx(10 + 1e-5 * 1000 * 500)
    assert throughput.prefill_time(1000, depth=2000) == pytest.approx(10 + 1e-5 * 1000 * 2500)
    assert throughput.decode_time(10, depth=100) == pytest.approx(1 + 1e-4 * 10 * 105)


def test_a_tuning_of_the_version_before_is_still_known(tmp_path: Path) -> None:
    tunings = Tunings(tmp_path)
    tuned = Tuned(Tuning(2, 4, repack=True), Throughput(0.01, 1e-5, 0.1, 1e-4, 1e-6))
    tunings.save(FACTS, tuned)
    (record,) = (tmp_path / "tunings").iterdir()
    value = json.loads(record.read_text())
    value["tuning"]["laid_out"] = value["tuning"].pop("repack")
    new = value.pop("throughput")
    value["speeds"] = {
        "read_s": new["prefill_s"],
        "read_deeper_s": new["prefill_deeper_s"],
        "write_s": new["decode_s"],
        "write_deeper_s": new["decode_deeper_s"],
        "restore_s": new["restore_s"],
    }
    record.write_text(json.dumps(value))
    assert tunings.load(FACTS) == tuned
