"""The KV cache on disk: a prefix is prefilled once and used by many prompts.

    states/DOCUMENT/MODEL/TEXT.kv            the KV of a prefix
    states/DOCUMENT/MODEL/TEXT.begun.kv      the KV of a prefix that is prefilled in part

A file has a header, one line of JSON, and then for every token a checksum and its row, so that any
span of tokens can be loaded. A file that is damaged, of another version or gone is a cache miss,
never a wrong answer. Knows nothing of models.
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
SPARE_BYTES: Final = 2_000_000_000  # of the disk, left free
SUFFIX: Final = ".kv"
PART: Final = ".part"  # of a file that is being written
REMAINS_S: Final = 3600.0  # after which no process can still be writing a file
Spans = Sequence[tuple[int, int]]  # of tokens, ascending, end exclusive


@dataclass(frozen=True)
class CacheKey:
    """Attributes:
    document_id: of the document that the text comes from.
    model: fingerprint of the weights, the template and the settings that decide the KV.
    text: fingerprint of its tokens.
    """

    document_id: str
    model: str
    text: str

    @property
    def begun(self) -> "CacheKey":
        """The key of the same prefix, prefilled in part."""
        return replace(self, text=f"{self.text}.begun")


class DiskKVCache:
    """Cached prefixes in one folder, within a quota of bytes; least recently used go first."""

    def __init__(self, folder: Path, *, quota_bytes: int) -> None:
        self.folder = folder
        self._quota = quota_bytes

    def holds(self, key: CacheKey) -> bool:
        """Return whether the KV of a prefix is stored, in full."""
        return self._path(key).is_file()

    def save(self, key: CacheKey, cells: Cells, *, note: str) -> bool:
        """Store the cells of a prefix from its first token on; return whether there was room."""
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
        """Return the cells of these tokens at their positions; None is a cache miss.

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
        """Remove the file of a key, if there is one."""
        self._path(key).unlink(missing_ok=True)

    def listed(self) -> list[CachedPrefix]:
        """Return what is cached, the last used first."""
        found = [kept for path in self._files() if (kept := _described(path))]
        return sorted(found, key=lambda kept: kept.used_at, reverse=True)

    def clear(self) -> int:
        """Remove all files; return the bytes that this frees."""
        freed = sum(path.stat().st_size for path in self._files())
        shutil.rmtree(self.folder, ignore_errors=True)
        return freed

    def forget(self, document_id: str) -> None:
        """Remove the cached KV of a document."""
        shutil.rmtree(self.folder / document_id, ignore_errors=True)

    def _path(self, key: CacheKey) -> Path:
        return self.folder / key.document_id / key.model / f"{key.text}{SUFFIX}"

    def _files(self) -> list[Path]:
        return list(self.folder.glob(f"*/*/*{SUFFIX}"))

    def _make_room(self, size: int) -> bool:
        """Remove the least recently used files until another one may be written."""
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
        """Remove partial files of processes that were killed."""
        for path in self.folder.glob(f"*/*/*{PART}"):
            if time.time() - path.stat().st_mtime > REMAINS_S:
                path.unlink(missing_ok=True)

    def _write(self, path: Path, header: dict[str, Any], parts: Iterator[bytes]) -> None:
        """Write under another name and rename: there is a whole file or none."""
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
        ValueError: it is of another version, or the file is not whole.
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
    """Return the record type of one token in a file."""
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
