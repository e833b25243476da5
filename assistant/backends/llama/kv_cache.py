"""What a model kept of texts it read, on disk: read once, answer many times.

    states/DOCUMENT/MODEL/TEXT.kv            one file for each text that was read
    states/DOCUMENT/MODEL/TEXT.begun.kv      one that was read in part

A file holds its header as one line of JSON, then for every token a check sum and its row, so that
any span of tokens is read by itself. A file that is broken, foreign or gone is a miss, never a
wrong answer. Knows nothing of models.
"""

import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from assistant.backends.base import CachedPrefix
from assistant.backends.llama.cells import BLOCK, BLOCK_VALUES, Blocks, Cells, Kind, Layout

VERSION: Final = 2
STEP_TOKENS: Final = 256  # written and checked at once
SPARE_BYTES: Final = 2_000_000_000  # of the disk, left to others
SUFFIX: Final = ".kv"
PART: Final = ".part"  # of a file that is being written
REMAINS_S: Final = 3600.0  # after which no process can still be writing a file
Spans = Sequence[tuple[int, int]]  # of tokens, ascending, end exclusive


@dataclass(frozen=True)
class CacheKey:
    """Attributes:
    document_id: of the document that the text comes from.
    model: fingerprint of whatever read it.
    text: fingerprint of its tokens.
    """

    document_id: str
    model: str
    text: str

    @property
    def begun(self) -> "CacheKey":
        """The key of the beginning of the same text."""
        return replace(self, text=f"{self.text}.begun")


class DiskKVCache:
    """The snapshots below one folder, never more bytes than the quota, the oldest going first."""

    def __init__(self, folder: Path, *, quota_bytes: int) -> None:
        self.folder = folder
        self._quota = quota_bytes

    def holds(self, key: CacheKey) -> bool:
        return self._path(key).is_file()

    def save(self, key: CacheKey, cells: Cells, *, note: str) -> bool:
        """Keep the cells of a text from its first token on; return whether there was room."""
        size = len(cells) * _record(cells.layout).itemsize
        if not self._make_room(size):
            return False
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {
            "version": VERSION,
            "tokens": len(cells),
            "layout": asdict(cells.layout),
            "note": note,
        }
        self._write(path, header, _records(cells))
        return True

    def load(self, key: CacheKey, spans: Spans | None = None) -> Cells | None:
        """Return the cells of these tokens, at the places they were read at; None is a miss.

        Args:
            spans: None takes all tokens.
        """
        path = self._path(key)
        try:
            with path.open("rb") as file:
                header = _header(file.readline(), path.stat().st_size)
                start = file.tell()
            layout, spans = header["layout"], spans or [(0, header["tokens"])]
            records = np.memmap(path, _record(layout), "r", start, (header["tokens"],))
            rows = np.concatenate([_checked(records[a:b]) for a, b in spans])
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        places = [np.arange(a, b, dtype=np.int32) for a, b in spans]
        return Cells(layout, np.concatenate(places), rows)

    def drop(self, key: CacheKey) -> None:
        """Remove what is kept under the key, if there is anything."""
        self._path(key).unlink(missing_ok=True)

    def listed(self) -> list[CachedPrefix]:
        """Return what is kept, the last used first."""
        found = [kept for path in self._files() if (kept := _described(path))]
        return sorted(found, key=lambda kept: kept.used_at, reverse=True)

    def clear(self) -> int:
        """Remove everything; return the bytes that this frees."""
        freed = sum(path.stat().st_size for path in self._files())
        shutil.rmtree(self.folder, ignore_errors=True)
        return freed

    def forget(self, document_id: str) -> None:
        """Remove what is kept of a document."""
        shutil.rmtree(self.folder / document_id, ignore_errors=True)

    def _path(self, key: CacheKey) -> Path:
        return self.folder / key.document_id / key.model / f"{key.text}{SUFFIX}"

    def _files(self) -> list[Path]:
        return list(self.folder.glob(f"*/*/*{SUFFIX}"))

    def _make_room(self, size: int) -> bool:
        """Remove the snapshots that were used longest ago until another one may be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if size > self._quota or shutil.disk_usage(self.folder).free < size + SPARE_BYTES:
            return False
        self._drop_remains()
        kept = {path: path.stat() for path in self._files()}
        over = sum(stat.st_size for stat in kept.values()) + size - self._quota
        for path in sorted(kept, key=lambda path: kept[path].st_mtime):
            if over <= 0:
                break
            path.unlink(missing_ok=True)
            over -= kept[path].st_size
        return True

    def _drop_remains(self) -> None:
        """Remove what processes that were killed have left half written."""
        for path in self.folder.glob(f"*/*/*{PART}"):
            if time.time() - path.stat().st_mtime > REMAINS_S:
                path.unlink(missing_ok=True)

    def _write(self, path: Path, header: dict[str, Any], parts: Iterator[bytes]) -> None:
        """Write beside the final name and rename: there is a whole file or none."""
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=PART, delete=False) as file:
            try:
                file.write(json.dumps(header).encode() + b"\n")
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


def _header(line: bytes, size: int) -> dict[str, Any]:
    """Return the header, checked against the size of the file.

    Raises:
        ValueError: it is none of this version, or the file is not whole.
    """
    header: dict[str, Any] = json.loads(line)
    layout = header["layout"]
    if header["version"] != VERSION:
        raise ValueError("another version")
    header["layout"] = Layout(
        tuple(layout["keys"]), tuple(layout["values"]), Kind(layout["kind"]), layout["transposed"]
    )
    if len(line) + header["tokens"] * _record(header["layout"]).itemsize != size:
        raise ValueError("not whole")
    return header


def _described(path: Path) -> CachedPrefix | None:
    try:
        stat = path.stat()
        with path.open("rb") as file:
            header = _header(file.readline(), stat.st_size)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return CachedPrefix(
        document_id=path.parent.parent.name,
        model=path.parent.name,
        note=header["note"],
        tokens=header["tokens"],
        size_bytes=stat.st_size,
        used_at=stat.st_mtime,
    )


def _record(layout: Layout) -> np.dtype[np.void]:
    """Return the form of one token in a file."""
    return np.dtype([("check", "<u4"), ("row", BLOCK, (layout.width // BLOCK_VALUES,))])


def _records(cells: Cells) -> Iterator[bytes]:
    """Yield the cells as records, some at a time."""
    record = _record(cells.layout)
    for at in range(0, len(cells), STEP_TOKENS):
        rows = replace(cells, rows=cells.rows[at : at + STEP_TOKENS]).packed()
        out = np.empty(len(rows), record)
        out["row"] = rows
        out["check"] = [_check(row) for row in rows]
        yield out.tobytes()


def _checked(records: NDArray[np.void]) -> Blocks:
    """Return the rows of the records.

    Raises:
        ValueError: one was changed after it was written.
    """
    if not len(records):
        raise ValueError("no such span")
    rows: Blocks = np.array(records["row"])
    if [_check(row) for row in rows] != records["check"].tolist():
        raise ValueError("damaged")
    return rows


def _check(row: Blocks) -> int:
    return zlib.crc32(row.tobytes())
