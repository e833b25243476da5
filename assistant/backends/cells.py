"""The cells of a KV cache as arrays, from and to the bytes that llama.cpp keeps a sequence in.

Follows `llama_kv_cache::state_write` and `state_read` of llama.cpp for caches in f16: a head,
the position of every cell, then for each layer the keys and for each layer the values, which are
transposed without flash attention. Knows nothing of models or files.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.float16]  # (cells, width): keys and values of all layers
Positions: TypeAlias = NDArray[np.int32]  # (cells,)

F16: Final = 1  # ggml's number of the type
F16_BYTES: Final = 2
CELL_HEAD: Final = np.dtype([("position", "<i4"), ("owners", "<u4"), ("owner", "<i4")])


class ForeignState(ValueError):
    """Bytes in another form: another llama.cpp, another type of cache, or not a state at all."""


@dataclass(frozen=True)
class Layout:
    """Attributes:
    keys: width of the keys in each layer, in values.
    values: width of the values in each layer.
    transposed: whether llama.cpp holds the values by column.
    """

    keys: tuple[int, ...]
    values: tuple[int, ...]
    transposed: bool

    @property
    def width(self) -> int:
        """Values of one cell: keys and values of all layers, one layer after the other."""
        return sum(self.keys) + sum(self.values)


@dataclass(frozen=True)
class Cells:
    """What a model keeps of the tokens it read, one row for each."""

    layout: Layout
    positions: Positions
    rows: Rows

    def __len__(self) -> int:
        return len(self.positions)

    def at(self, spans: Sequence[tuple[int, int]]) -> "Cells":
        """Return the cells of these [start, end) spans alone."""
        chosen = np.concatenate([np.arange(start, end) for start, end in spans])
        return Cells(self.layout, self.positions[chosen], self.rows[chosen])


def parse(state: memoryview) -> Cells:
    """Return the cells of a sequence's state.

    Raises:
        ForeignState: it is none of an f16 cache.
    """
    try:
        return _parse(state)
    except (struct.error, ValueError, IndexError) as error:
        raise ForeignState(str(error)) from error


def build(cells: Cells, head: bytes) -> bytearray:
    """Return the state of a sequence that holds these cells.

    Args:
        head: the first bytes of any state of the same context; see `head_of`.
    """
    count, layout = len(cells), cells.layout
    metas = np.zeros(count, CELL_HEAD)
    metas["position"], metas["owners"] = cells.positions, 1
    out = bytearray(head) + struct.pack("<II", 1, count) + metas.tobytes()
    out += struct.pack("<II", layout.transposed, len(layout.keys))
    starts = _starts(layout)
    for width, start in zip(layout.keys, starts[0], strict=True):
        out += struct.pack("<iQ", F16, width * F16_BYTES)
        out += cells.rows[:, start : start + width].tobytes()
    for width, start in zip(layout.values, starts[1], strict=True):
        values = cells.rows[:, start : start + width]
        if layout.transposed:
            out += struct.pack("<iII", F16, F16_BYTES, width) + values.T.tobytes()
        else:
            out += struct.pack("<iQ", F16, width * F16_BYTES) + values.tobytes()
    return out


def head_of(state: memoryview) -> bytes:
    """Return the part of a state that does not depend on its cells."""
    return bytes(state[:8])  # a magic number and the sequence


def join(parts: Sequence[Cells]) -> Cells:
    """Return the cells of all parts, which must have one layout, in order."""
    return Cells(
        layout=parts[0].layout,
        positions=np.concatenate([part.positions for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
    )


def _parse(view: memoryview) -> Cells:
    at = 8
    streams, count = struct.unpack_from("<II", view, at)
    metas = np.frombuffer(view, CELL_HEAD, count, at + 8)
    at += 8 + metas.nbytes
    if streams != 1 or (count and (metas["owners"] != 1).any()):
        raise ForeignState("more than one sequence")
    transposed, layers = struct.unpack_from("<II", view, at)
    at += 8
    keys, at = _keys(view, at, layers, count)
    values, at = _values(view, at, layers, count, transposed=bool(transposed))
    if at != len(view):
        raise ForeignState(f"{len(view) - at} bytes too many")
    interleaved = [part for pair in zip(keys, values, strict=True) for part in pair]
    return Cells(
        layout=Layout(
            tuple(part.shape[1] for part in keys),
            tuple(part.shape[1] for part in values),
            bool(transposed),
        ),
        positions=metas["position"].astype(np.int32),
        rows=np.concatenate(interleaved, axis=1),
    )


def _keys(view: memoryview, at: int, layers: int, count: int) -> tuple[list[Rows], int]:
    """Return the keys of each layer, (cells, width), and where they end."""
    found: list[Rows] = []
    for _ in range(layers):
        kind, row_bytes = struct.unpack_from("<iQ", view, at)
        _check(kind)
        width = row_bytes // F16_BYTES
        found.append(np.frombuffer(view, np.float16, count * width, at + 12).reshape(count, width))
        at += 12 + count * row_bytes
    return found, at


def _values(
    view: memoryview, at: int, layers: int, count: int, *, transposed: bool
) -> tuple[list[Rows], int]:
    """Return the values of each layer, (cells, width), and where they end."""
    if not transposed:
        return _keys(view, at, layers, count)
    found: list[Rows] = []
    for _ in range(layers):
        kind, _, width = struct.unpack_from("<iII", view, at)
        _check(kind)
        columns = np.frombuffer(view, np.float16, count * width, at + 12).reshape(width, count)
        found.append(columns.T)
        at += 12 + columns.nbytes
    return found, at


def _check(kind: int) -> None:
    if kind != F16:
        raise ForeignState(f"a cache of type {kind}, not f16")


def _starts(layout: Layout) -> tuple[list[int], list[int]]:
    """Return where in a row the keys of each layer begin, and where its values do."""
    keys, values, at = [], [], 0
    for key_width, value_width in zip(layout.keys, layout.values, strict=True):
        keys.append(at)
        values.append(at + key_width)
        at += key_width + value_width
    return keys, values
