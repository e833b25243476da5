"""Chroma as the index: exact enough, rebuilt when lost, and shared by several processes."""

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from assistant.storage.chroma import ChromaIndex
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Document, Matrix
from tests.assistant.storage.libraries import (
    EMBEDDER,
    add,
    chroma_library,
    count_of,
    document,
    near,
    stage,
    worded,
)

BRIDGE = "The old bridge was built in 1820.\n\nIt is 91 metres long.\n\nIts towers are of granite."
LLAMA = "Llamas carry loads over the passes.\n\nTheir wool is spun in every village."
SPAWN = multiprocessing.get_context("spawn")
DIED = 7  # exit code of a child that was to die


def unit(rows: int, seed: int, dimensions: int = 64) -> Matrix:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimensions)).astype(np.float32)
    matrix: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return matrix


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ChromaIndex]:
    opened = ChromaIndex(tmp_path / "index")
    yield opened
    opened.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = chroma_library(tmp_path / "home")
    yield opened
    opened.close()


def test_an_index_that_was_never_written_is_empty_and_stays_unmade(
    index: ChromaIndex, tmp_path: Path
) -> None:
    assert index.count() == 0
    assert index.search(unit(1, 0)[0], limit=5) == []
    assert not (tmp_path / "index").exists()


def test_search_gives_ids_and_cosines_best_first(index: ChromaIndex) -> None:
    vectors = unit(50, 1)
    index.add(list(range(50)), vectors, ["a"] * 50)
    found = index.search(vectors[7], limit=50)
    expected = sorted(enumerate(vectors @ vectors[7]), key=lambda pair: -pair[1])
    assert [number for number, _ in found] == [number for number, _ in expected]
    np.testing.assert_allclose([c for _, c in found], [c for _, c in expected], atol=1e-5)


def test_adding_a_row_again_overwrites_it(index: ChromaIndex) -> None:
    vectors = unit(3, 2)
    index.add([1, 2], vectors[:2], ["a", "a"])
    index.add([2], vectors[2:], ["b"])
    assert index.count() == 2
    assert [i for i, _ in index.search(vectors[2], limit=1, documents=["b"])] == [2]


def test_every_row_finds_itself_after_thirty_replacements(index: ChromaIndex) -> None:
    """Chroma 1.5 loses rows when they are deleted and added again in one place."""
    rows = 300
    for turn in range(30):
        vectors = unit(rows, turn)
        ids = list(range(turn * rows, (turn + 1) * rows))
        index.rebuild(
            [(ids[:150], vectors[:150], ["a"] * 150), (ids[150:], vectors[150:], ["b"] * 150)]
        )
    assert index.count() == rows
    found = [index.search(vector, limit=1)[0][0] for vector in vectors]
    assert found == ids


def test_every_chunk_finds_itself_after_thirty_versions_of_a_file(library: Library) -> None:
    for turn in range(30):
        text = "\n\n".join(f"version {turn} line {n} {n * 7919} {n * 104729}" for n in range(40))
        known = add(library, text, path="/books/changing.txt")
    texts = [chunk.text for chunk in library.chunks(known.id)]
    assert len(texts) == 40
    assert [near(library, text, limit=1)[0] for text in texts] == texts


def test_a_rebuilt_index_leaves_one_folder(index: ChromaIndex, tmp_path: Path) -> None:
    for turn in range(3):
        index.rebuild([([1], unit(1, turn), ["a"])])
    assert [path.name for path in sorted((tmp_path / "index").iterdir())] == ["current", "g3"]


def test_an_interrupted_rebuild_leaves_the_old_index_in_use(index: ChromaIndex) -> None:
    vectors = unit(4, 3)
    index.add([1, 2], vectors[:2], ["a", "a"])

    def breaking() -> Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]:
        yield [3], vectors[2:3], ["b"]
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        index.rebuild(breaking())
    assert index.count() == 2
    index.rebuild([([4], vectors[3:], ["c"])])
    assert [i for i, _ in index.search(vectors[3], limit=5)] == [4]


def test_two_objects_in_one_process_see_each_other(tmp_path: Path) -> None:
    writer, reader = chroma_library(tmp_path / "home"), chroma_library(tmp_path / "home")
    add(writer, BRIDGE)
    assert near(reader, "granite towers", limit=1) == ["Its towers are of granite."]
    add(writer, LLAMA, title="Llamas")
    assert near(reader, "wool is spun", limit=1) == LLAMA.split("\n\n")[1:]
    writer.remove(writer.document("Notes"))
    assert set(near(reader, "granite towers")) == set(LLAMA.split("\n\n"))
    add(reader, BRIDGE)
    assert near(writer, "granite towers", limit=1) == ["Its towers are of granite."]


@pytest.mark.parametrize("reopened", [True, False], ids=["after a restart", "while open"])
def test_a_deleted_index_folder_is_built_again(library: Library, reopened: bool) -> None:
    add(library, BRIDGE)
    add(library, LLAMA, title="Llamas")
    before = near(library, "granite towers and wool")
    index = library.index
    assert isinstance(index, ChromaIndex)
    if reopened:
        index.close()
    shutil.rmtree(library.folder / "index")
    again = chroma_library(library.folder) if reopened else library
    assert near(again, "granite towers and wool") == before


# several processes


def add_books(folder: Path, name: str, books: int, wait_at: str) -> None:
    """Child: add books one after the other, beginning when everybody is there."""
    library = chroma_library(folder)
    (folder / f"{name}.{wait_at}").touch()
    end = time.monotonic() + 30
    while len(list(folder.glob(f"*.{wait_at}"))) < 2 and time.monotonic() < end:
        time.sleep(0.001)
    for book in range(books):
        text = f"{name} book {book} tells of rivers.\n\n{name} book {book} tells of mountains."
        add(library, text, title=f"{name}-{book}")


def test_two_processes_that_add_at_once_both_get_in(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    children = [SPAWN.Process(target=add_books, args=(folder, n, 4, "go")) for n in ("ann", "bob")]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    library = chroma_library(folder)
    titles = sorted(known.title for known in library.documents())
    assert titles == [f"{name}-{book}" for name in ("ann", "bob") for book in range(4)]
    assert count_of(library.index, library) == (16, 16)
    for name in ("ann", "bob"):
        for book in range(4):
            text = f"{name} book {book} tells of mountains."
            assert near(library, text, limit=1) == [text]


def test_a_removed_vector_is_not_in_the_room_kept_for_later(tmp_path: Path) -> None:
    # Without filled memory about one index in fourteen held one.
    for round_ in range(60):
        index = ChromaIndex(tmp_path / f"{round_}")
        vectors = unit(40, seed=round_, dimensions=384)
        index.add(range(40), vectors, ["a"] * 40)
        index.rebuild([(range(20), vectors[:20], ["a"] * 20)])
        index.close()
        written = [p.read_bytes() for p in (tmp_path / f"{round_}").rglob("*") if p.is_file()]
        for row in vectors[20:]:
            assert not any(row.tobytes()[:256] in data for data in written)


def open_often(folder: Path, barrier: Barrier, rounds: int) -> None:
    """Child: open new libraries at the same moment as another child does."""
    for n in range(rounds):
        barrier.wait(30)
        Library(folder / str(n), ExactIndex()).close()


def test_many_processes_may_make_a_library_at_once(tmp_path: Path) -> None:
    barrier = SPAWN.Barrier(6)
    children = [SPAWN.Process(target=open_often, args=(tmp_path, barrier, 60)) for _ in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 6


def add_one(folder: Path, text: str, title: str) -> None:
    """Child: add one document."""
    add(chroma_library(folder), text, title=title)


def remove_one(folder: Path, title: str) -> None:
    """Child: remove one document."""
    library = chroma_library(folder)
    library.remove(library.document(title))


def in_child(*call: object) -> None:
    child = SPAWN.Process(target=call[0], args=call[1:])  # type: ignore[arg-type]
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_a_reader_sees_what_another_process_adds_and_removes(library: Library) -> None:
    assert near(library, "granite") == []
    in_child(add_one, library.folder, BRIDGE, "The bridge")
    assert near(library, "granite towers", limit=1) == ["Its towers are of granite."]
    in_child(add_one, library.folder, LLAMA, "Llamas")
    assert near(library, "wool is spun", limit=1) == LLAMA.split("\n\n")[1:]
    in_child(remove_one, library.folder, "The bridge")
    assert set(near(library, "granite towers")) == set(LLAMA.split("\n\n"))
    assert worded(library, "granite") == []


def rewrite_book(folder: Path, turns: int) -> None:
    """Child: replace one book again and again, each time with a new index."""
    library = chroma_library(folder)
    for turn in range(turns):
        text = "\n\n".join(
            f"turn {turn} {line} {line * 7919} {line * 104729}" for line in range(200)
        )
        add(library, text, path="/books/changing.txt")


def test_a_reader_goes_on_while_another_process_puts_new_indexes_in_place(
    library: Library,
) -> None:
    add(library, LLAMA, title="Llamas")
    child = SPAWN.Process(target=rewrite_book, args=(library.folder, 8))
    child.start()
    found = set()
    while child.is_alive():
        found |= set(near(library, "their wool is spun", limit=1))
    assert child.exitcode == 0
    assert found == {LLAMA.split("\n\n")[1]}
    assert count_of(library.index, library) == (202, 202)


# sudden death


class DyingIndex:
    """A Chroma index whose process ends, as by `kill -9`, at a given step."""

    def __init__(self, index: ChromaIndex, step: str) -> None:
        self._index = index
        self._step = step

    def _die_at(self, step: str) -> None:
        if self._step == step:
            sys.stdout.flush()
            os._exit(DIED)

    def add(self, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
        self._die_at("before add")
        self._index.add(ids, vectors, documents)
        self._die_at("after add")

    def rebuild(self, rows: Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]) -> None:
        def dying() -> Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]:
            yield from rows
            self._die_at("during rebuild")

        self._die_at("before rebuild")
        self._index.rebuild(dying())
        self._die_at("after rebuild")

    def count(self) -> int:
        return self._index.count()

    def search(self, *args: object, **named: object) -> list[tuple[int, float]]:
        raise AssertionError("nobody searches here")


class DyingLibrary(Library):
    """Dies inside the step that shows a document."""

    step = ""

    def _show(self, document: Document) -> bool:
        replaced = super()._show(document)
        if self.step == "after show":
            os._exit(DIED)
        return replaced

    def _write_words(self, db: object, document: object) -> None:
        super()._write_words(db, document)  # type: ignore[arg-type]
        if self.step == "during show":
            os._exit(DIED)


def die_while_adding(folder: Path, step: str) -> None:
    """Child: add a new version of the bridge and die on the way."""
    index = DyingIndex(ChromaIndex(folder / "index"), step)
    library = DyingLibrary(folder, index, embedder=EMBEDDER)
    library.step = step
    add(library, f"{BRIDGE}\n\nNow it is closed.", title="The bridge")


PUBLISHED = ("after show", "before rebuild", "during rebuild", "after rebuild")
UNPUBLISHED = ("before add", "after add", "during show")


@pytest.mark.parametrize("step", UNPUBLISHED + PUBLISHED)
def test_a_library_is_whole_after_its_writer_died(library: Library, step: str) -> None:
    add(library, LLAMA, title="Llamas")
    add(library, BRIDGE, title="The bridge")
    child = SPAWN.Process(target=die_while_adding, args=(library.folder, step))
    child.start()
    child.join(60)
    assert child.exitcode == DIED
    again = chroma_library(library.folder)
    new = f"{BRIDGE}\n\nNow it is closed."
    shown = new if step in PUBLISHED else BRIDGE
    assert sorted(near(again, "bridge granite", limit=9)) == sorted(
        [*shown.split("\n\n"), *LLAMA.split("\n\n")]
    )
    if step in UNPUBLISHED:  # the next run goes on where this one stopped
        add(again, new, title="The bridge")
    assert worded(again, "closed") == ["Now it is closed."]
    assert {problem.kind for problem in again.check()} <= {"FileLost"}
    for text in (*new.split("\n\n"), *LLAMA.split("\n\n")):
        assert near(again, text, limit=1) == [text]
    assert len(again.documents()) == 2


def test_a_second_death_at_the_same_place_does_no_harm(library: Library) -> None:
    add(library, BRIDGE, title="The bridge")
    for _ in range(2):
        child = SPAWN.Process(target=die_while_adding, args=(library.folder, "after add"))
        child.start()
        child.join(60)
        assert child.exitcode == DIED
    stage(library, document("x", title="Other"), "x")
    library.publish(document("x", title="Other"))
    assert count_of(library.index, library) == (4, 4)
