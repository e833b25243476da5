"""Memory arithmetic, checked against numbers worked out by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.errors import ModelNotInstalled, NotEnoughMemory
from assistant.models.catalogue import ModelEntry, load_catalogue
from assistant.models.hardware import (
    Machine,
    choose,
    kv_bytes_per_token,
    largest_window,
    measure,
    memory_needed,
    processor_name,
    window_for,
)
from assistant.models.installed import InstalledModel
from tests.refusals import refused

from .fakes import GIB

LLAMA = load_catalogue()["llama-3.1-8b"]
STARTER = load_catalogue()["starter"]
MINI = load_catalogue()["mini-starter"]
GUARD = load_catalogue()["llama-guard-3-8b"]
EMBEDDER = load_catalogue()["multilingual-e5-small"]


def machine(free_bytes: int) -> Machine:
    return Machine("a chip", 4, 8, memory_bytes=64 * GIB, free_bytes=free_bytes)


def installed(*entries: ModelEntry) -> list[InstalledModel]:
    return [InstalledModel(entry, Path(entry.file), entry.sha256) for entry in entries]


def test_llama_3_1_8b_takes_128_kib_a_token_and_16_gib_for_its_window() -> None:
    assert kv_bytes_per_token(LLAMA) == 131_072
    assert kv_bytes_per_token(LLAMA) * 131_072 == 16 * GIB


def test_a_quantised_cache_takes_less() -> None:
    assert kv_bytes_per_token(LLAMA, 34 / 32) == 69_632  # q8_0: 34 bytes for 32 values


def test_the_starter_takes_28_kib_a_token() -> None:
    assert kv_bytes_per_token(STARTER) == 28_672


def test_memory_is_weights_and_cache_and_buffers() -> None:
    assert memory_needed(STARTER, 8192) == 1_117_320_768 + 8192 * 28_672 + 600_000_000


@pytest.mark.parametrize("window", [2048, 3072, 65_536, 131_072])
def test_the_largest_window_just_fits(window: int) -> None:
    needed = memory_needed(LLAMA, window)
    assert largest_window(LLAMA, machine(needed)) == window
    assert largest_window(LLAMA, machine(needed - 1)) == (window - 1024 if window > 2048 else 0)


def test_the_largest_window_stops_at_the_trained_one() -> None:
    assert largest_window(STARTER, machine(64 * GIB)) == 32_768


def test_no_window_fits_where_the_weights_do_not() -> None:
    assert largest_window(LLAMA, machine(4 * GIB)) == 0


def test_a_model_of_unknown_shape_is_judged_by_its_weights() -> None:
    unknown = replace(STARTER, layers=0, kv_heads=0, head_size=0)
    assert largest_window(unknown, machine(2 * GIB)) == 32_768
    assert largest_window(unknown, machine(1 * GIB)) == 0


def test_choose_takes_the_most_parameters_that_fit() -> None:
    models = installed(MINI, LLAMA, STARTER, GUARD, EMBEDDER)
    names = [choose(models, machine(n * GIB)).name for n in (2, 4, 16)]
    assert names == ["starter", "starter", "llama-3.1-8b"]


def test_choose_takes_the_smallest_when_none_fits() -> None:
    assert choose(installed(STARTER, MINI), machine(GIB // 4)).name == "mini-starter"


def test_choose_passes_over_base_models() -> None:
    base = replace(LLAMA, name="base", has_chat_template=False)
    assert choose(installed(base, STARTER), machine(32 * GIB)).name == "starter"


def test_choose_names_the_starter_when_nothing_can_chat() -> None:
    with refused(ModelNotInstalled(name="starter")):
        choose(installed(GUARD, EMBEDDER), machine(32 * GIB))


def test_a_container_lowers_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    found = measure(tmp_path)
    assert found == Machine(processor_name(), 1, 1, memory_bytes=1_000_000, free_bytes=600_000)


def test_the_window_is_what_the_model_reads_well_or_what_fits() -> None:
    assert window_for(LLAMA, machine(64 * GIB), None) == 32_768
    assert window_for(LLAMA, machine(memory_needed(LLAMA, 8192)), None) == 8192
    assert window_for(LLAMA, machine(64 * GIB), 1 << 30) == 131_072
    assert window_for(LLAMA, machine(64 * GIB), 5000) == 5000


def test_a_window_that_does_not_fit_says_which_would() -> None:
    room = machine(memory_needed(LLAMA, 65_536))
    with pytest.raises(NotEnoughMemory) as caught:
        window_for(LLAMA, room, 1 << 30)
    assert (caught.value.window_tokens, round(caught.value.needed_gb, 1)) == (131_072, 22.7)
    assert (caught.value.fits, caught.value.fits_q8) == (65_536, 122_880)
    assert window_for(LLAMA, room, 120_000, "q8_0") == 120_000


def test_where_no_window_fits_none_is_named() -> None:
    with pytest.raises(NotEnoughMemory) as caught:
        window_for(LLAMA, machine(2 * GIB), None)
    assert (caught.value.fits, caught.value.fits_q8) == (0, 0)


def test_a_processor_is_called_what_the_system_calls_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some Chip 9000\nflags\t\t: avx2\n")
    assert processor_name(info) == "Some Chip 9000"
    assert processor_name(tmp_path / "none") == processor_name(tmp_path / "nothing") != ""


def test_without_a_limit_the_machine_is_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert measure(tmp_path).memory_bytes == measure(tmp_path / "none").memory_bytes
    assert measure(tmp_path).cores == measure(tmp_path / "none").cores >= 1
