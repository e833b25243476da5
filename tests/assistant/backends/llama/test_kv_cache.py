"""What is kept of a text: whole or not at all, near enough to the original, within the quota."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.backends.llama.cells import (
    Cells,
    ForeignState,
    Kind,
    Layout,
    blank,
    build,
    head_of,
    parse,
)
from assistant.backends.llama.kv_cache import CacheKey, DiskKVCache

PLENTY = 1_000_000_000
LAYOUT = Layout((32, 32), (32, 32), Kind.F16, transposed=True)
HEAD = b"headhead"


def cells(count: int = 40, *, transposed: bool = True, seed: int = 1) -> Cells:
    layout = replace(LAYOUT, transposed=transposed)
    rows = np.random.default_rng(seed).normal(size=(count, layout.width)).astype(np.float16)
    return Cells(layout, np.arange(count, dtype=np.int32), rows)


def key(text: str = "text", *, document: str = "doc", model: str = "model") -> CacheKey:
    return CacheKey(document, model, text)


def file_of(folder: Path) -> Path:
    (found,) = folder.glob("*/*/*.kv")
    return found


# cells as bytes


@pytest.mark.parametrize("transposed", [True, False])
def test_cells_come_back_from_the_bytes_of_a_state(transposed: bool) -> None:
    made = cells(transposed=transposed)
    state = build(made, HEAD)
    again = parse(state)
    assert again.layout == made.layout
    assert (again.positions == made.positions).all()
    assert (again.rows == made.rows).all()
    assert head_of(state) == HEAD


@pytest.mark.parametrize("end", [0, 7, 20, 100, 600, -1])
def test_a_state_cut_short_is_foreign(end: int) -> None:
    state = build(cells(), HEAD)
    with pytest.raises(ForeignState):
        parse(state[:end])


def test_a_cache_of_another_type_is_foreign() -> None:
    state = build(cells(), HEAD)
    first_type = 8 + 8 + 40 * 12 + 8  # behind head, counts, cells and layers
    state[first_type] = 2  # q4_0
    with pytest.raises(ForeignState, match="2"):
        parse(state)


def test_a_cache_of_two_types_is_foreign() -> None:
    state = build(replace(cells(), layout=replace(LAYOUT, kind=Kind.Q8_0, transposed=False)), HEAD)
    second_type = 8 + 8 + 40 * 12 + 8 + 12 + 40 * 34  # behind the keys of the first layer
    state[second_type] = 1  # f16
    with pytest.raises(ForeignState, match="types"):
        parse(state)


def test_packed_cells_go_into_a_packed_cache_as_they_are() -> None:
    made = cells(transposed=False)
    layout = replace(LAYOUT, kind=Kind.Q8_0, transposed=False)
    packed = Cells(layout, made.positions, made.packed())
    again = parse(build(packed, HEAD))
    assert again.layout == layout
    assert again.rows.tobytes() == packed.rows.tobytes()
    assert np.abs(again.unpacked() - made.rows).max() <= np.abs(made.rows).max() / 127


def test_blank_cells_are_as_large_as_others() -> None:
    state = build(blank(LAYOUT, 40), HEAD)
    assert len(state) == len(build(cells(), HEAD))
    assert parse(state).positions.tolist() == list(range(40))


# keeping


def test_what_is_kept_is_within_half_a_step_of_the_original(tmp_path: Path) -> None:
    made = cells(600)
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    assert kept.save(key(), made, note="a text")
    again = kept.load(key(), [(0, 600)])
    assert again is not None
    assert again.layout == made.layout
    steps = np.abs(made.rows.astype(np.float32)).reshape(600, -1, 32).max(axis=2) / 127
    off = np.abs(again.unpacked().astype(np.float32) - made.rows.astype(np.float32))
    assert (off.reshape(600, -1, 32).max(axis=2) <= 0.51 * steps + 1e-3).all()


def test_any_spans_come_back_at_their_places(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    kept.save(key(), cells(40), note="")
    whole = kept.load(key(), [(0, 40)])
    some = kept.load(key(), [(3, 5), (30, 40)])
    assert whole is not None
    assert some is not None
    assert some.positions.tolist() == [3, 4, *range(30, 40)]
    assert some.rows.tobytes() == whole.rows[some.positions].tobytes()


def test_little_more_than_half_of_the_bytes_are_kept(tmp_path: Path) -> None:
    made = cells(1000)
    DiskKVCache(tmp_path, quota_bytes=PLENTY).save(key(), made, note="")
    assert file_of(tmp_path).stat().st_size < 0.56 * made.rows.nbytes


@pytest.mark.parametrize("other", [key("b"), key(model="b"), key(document="b")])
def test_another_text_model_or_document_is_a_miss(tmp_path: Path, other: CacheKey) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    kept.save(key(), cells(), note="")
    assert kept.holds(key())
    assert not kept.holds(other)
    assert kept.load(other, [(0, 4)]) is None


def test_a_broken_file_is_a_miss_wherever_it_is_broken(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    kept.save(key(), cells(40), note="")
    path = file_of(tmp_path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        loaded = kept.load(key(), [(0, 40)])
        assert loaded is None or at < whole.index(b"\n")  # a letter of the note may change
        path.write_bytes(whole[:at])
        assert kept.load(key(), [(0, 40)]) is None
    path.write_bytes(whole)
    assert kept.load(key(), [(0, 40)]) is not None


def test_a_span_beyond_the_text_is_a_miss(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    kept.save(key(), cells(40), note="")
    assert kept.load(key(), [(40, 44)]) is None


def test_a_write_that_breaks_off_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    kept.save(key(), cells(seed=1), note="first")
    before = file_of(tmp_path).read_bytes()

    def fails(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="no space"):
        kept.save(key(), cells(seed=2), note="second")
    assert file_of(tmp_path).read_bytes() == before
    assert list(tmp_path.rglob("*.part")) == []


def test_what_a_killed_process_left_half_written_goes_in_time(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    kept.save(key(), cells(), note="")
    old, new = (file_of(tmp_path).parent / f"{name}.part" for name in ("old", "new"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    kept.save(key("other"), cells(), note="")
    assert (old.exists(), new.exists()) == (False, True)


# room


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    size = 40 * (128 + 8 + 4) + 240  # values, scales and check sums, and the header
    kept = DiskKVCache(tmp_path, quota_bytes=3 * size)
    for age, text in enumerate("abc"):
        kept.save(key(text), cells(), note=text)
        path = tmp_path / "doc" / "model" / f"{text}.kv"
        os.utime(path, (1000 + age, 1000 + age))
    kept.load(key("a"), [(0, 4)])  # now the last used
    kept.save(key("d"), cells(), note="d")
    assert {snapshot.note for snapshot in kept.listed()} == {"a", "c", "d"}


def test_a_text_larger_than_the_quota_is_not_kept(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=1000)
    assert not kept.save(key(), cells(), note="")
    assert kept.listed() == []


def test_the_last_used_is_listed_first(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path, quota_bytes=PLENTY)
    for age, text in enumerate(["old", "new"]):
        kept.save(key(text), cells(), note=text)
        os.utime(tmp_path / "doc" / "model" / f"{text}.kv", (1000 + age, 1000 + age))
    assert [snapshot.note for snapshot in kept.listed()] == ["new", "old"]
    assert kept.listed()[0].tokens == 40


def test_clearing_removes_all_and_says_how_much(tmp_path: Path) -> None:
    kept = DiskKVCache(tmp_path / "states", quota_bytes=PLENTY)
    assert kept.clear() == 0
    kept.save(key(), cells(), note="")
    size = file_of(tmp_path / "states").stat().st_size
    assert kept.clear() == size
    assert kept.listed() == []
