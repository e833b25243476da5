"""The vector index in Chroma, embedded. The only import of chromadb, when an index is opened.

Holds chunk ids, vectors and document ids, and no text; all of it can be rebuilt from the library.
Rows are only added: Chroma 1.5 loses rows when some are deleted and others added. To delete rows, a
new index is built in a new folder, and its number (generation) is written to `current`.

    index/current   the number of the index in use
    index/g1/       Chroma's own files
"""

import ctypes
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from assistant.types import Matrix, Vector

# Chroma's defaults (100, 16, 100, squared distance) miss rows after updates; 200, 32, 400 missed
# some among a thousand near-identical rows; these missed none, for 0.43 instead of 0.32 ms a row.
CONFIGURATION = {
    "hnsw": {"space": "cosine", "ef_construction": 800, "max_neighbors": 64, "ef_search": 1000}
}
NAME = "chunks"
M_PERTURB = -6  # glibc's mallopt: the byte that allocated memory is filled with
FILLING = 0x55

T = TypeVar("T")


@dataclass
class _State:
    """What is open in one folder: generation and stamp of the index, client, collection.

    All Chroma clients of a process share their rows in memory, which become stale when another
    process writes. So the indexes of one folder are opened and closed together.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    open: tuple[int, tuple[int, int], Any, Any] | None = None


_STATES: defaultdict[Path, _State] = defaultdict(_State)


class ChromaIndex:
    """A `VectorIndex` in a folder; reopens it when another process has rebuilt it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = _STATES[folder.resolve()]

    def add(self, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
        with self._state.lock:
            if self._current() == 0:
                self.rebuild([(ids, vectors, documents)])
                return
            with _filled_memory():
                _upsert(self._collection(), ids, vectors, documents)
            assert self._state.open is not None
            generation, _, client, collection = self._state.open
            self._state.open = (generation, self._stamp(generation), client, collection)

    def rebuild(self, rows: Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]) -> None:
        with self._state.lock:
            generation = self._current() + 1
            self.close()
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.rmtree(self._path(generation), ignore_errors=True)
            with _filled_memory():
                client, collection = _opened(self._path(generation))
                try:
                    for batch in rows:
                        _upsert(collection, *batch)
                finally:
                    client.close()
            self._switch_to(generation)

    def count(self) -> int:
        return self._reading(lambda collection: int(collection.count())) or 0

    def search(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        def find(collection: Any) -> list[tuple[int, float]]:
            if documents == []:
                return []
            where = None if documents is None else {"document": {"$in": list(documents)}}
            found = collection.query(
                query_embeddings=[query], n_results=limit, where=where, include=["distances"]
            )
            pairs = zip(found["ids"][0], found["distances"][0], strict=True)
            return [(int(number), 1.0 - float(distance)) for number, distance in pairs]

        return self._reading(find) or []

    def _reading(self, read: Callable[[Any], T]) -> T | None:
        """Return what `read` returns for the collection; None when there is no index.

        Reads again if another process has replaced the index meanwhile.
        """
        with self._state.lock:
            while generation := self._current():
                from chromadb.errors import ChromaError

                try:
                    with _filled_memory():
                        result = read(self._collection())
                except ChromaError:
                    self.close()
                    if generation == self._current():
                        raise
                    continue
                if generation == self._current():
                    return result
            return None

    def close(self) -> None:
        """Close Chroma's files."""
        with self._state.lock:
            if self._state.open is not None:
                self._state.open[2].close()
                self._state.open = None

    def _current(self) -> int:
        marker = self._folder / "current"
        return int(marker.read_text()) if marker.exists() else 0

    def _switch_to(self, generation: int) -> None:
        """Use a complete index from now on, and delete the others."""
        partial = self._folder / "current.partial"
        partial.write_text(str(generation))
        partial.rename(self._folder / "current")
        for folder in self._folder.glob("g*"):
            if folder != self._path(generation):
                shutil.rmtree(folder, ignore_errors=True)

    def _path(self, generation: int) -> Path:
        return self._folder / f"g{generation}"

    def _collection(self) -> Any:
        """Return the collection, reopened if another process has written to it."""
        generation = self._current()
        if self._state.open is not None and self._state.open[:2] == (
            generation,
            self._stamp(generation),
        ):
            return self._state.open[3]
        self.close()
        client, collection = _opened(self._path(generation))
        self._state.open = (generation, self._stamp(generation), client, collection)
        return collection

    def _stamp(self, generation: int) -> tuple[int, int]:
        """Return a stamp that changes with every write by any process."""
        file = self._path(generation) / "chroma.sqlite3"
        if not file.exists():
            return (0, 0)
        stat = file.stat()
        return (stat.st_mtime_ns, stat.st_size)


@contextmanager
def _filled_memory() -> Iterator[None]:
    """Make glibc fill the memory that it allocates.

    Chroma writes uninitialised memory, reserved for later vectors, to its files; it may contain a
    removed vector. Other allocators have no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        yield
        return
    mallopt(M_PERTURB, FILLING)
    try:
        yield
    finally:
        mallopt(M_PERTURB, 0)


def _opened(folder: Path) -> tuple[Any, Any]:
    """Return a client for the folder, and the collection in it, created if necessary."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection(
        NAME, configuration=CONFIGURATION, embedding_function=None
    )
    return client, collection


def _upsert(collection: Any, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
    collection.upsert(
        ids=[str(number) for number in ids],
        embeddings=vectors,
        metadatas=[{"document": document} for document in documents],
    )
