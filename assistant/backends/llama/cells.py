"""KV cache cells as arrays, from and to the state bytes of a llama.cpp sequence.

Follows `llama_kv_cache::state_write` and `state_read` of llama.cpp: a head, the position of every
cell, then for each layer the keys and for each layer the values, which are transposed without
flash attention. Knows nothing of models or files.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float16]  # (cells, values)
Blocks: TypeAlias = NDArray[np.void]  # (cells, values / 32), each of type BLOCK
Rows: TypeAlias = NDArray[Any]  # (cells, width): either of these
State: TypeAlias = NDArray[np.uint8]  # (bytes,), as llama.cpp gives and takes it
Part: TypeAlias = NDArray[Any]  # some of those bytes
Positions: TypeAlias = NDArray[np.int32]  # (cells,)

BLOCK_VALUES: Final = 32
BLOCK: Final = np.dtype([("scale", "<f2"), ("values", "i1", (BLOCK_VALUES,))])  # ggml's q8_0
CELL_HEAD: Final = np.dtype([("position", "<i4"), ("owners", "<u4"), ("owner", "<i4")])
HEAD_BYTES: Final = 8  # a magic number and the sequence
STEP_CELLS: Final = 64  # packed and unpacked at once: what stays in the processor's cache


class ForeignState(ValueError):
    """Bytes of another format: another llama.cpp, another KV type, or no state at all."""


class Kind(IntEnum):
    """Value type of a KV cache; the numbers are ggml's."""

    F16 = 1
    Q8_0 = 8

    @property
    def item(self) -> np.dtype[Any]:
        """The least part of a row."""
        return BLOCK if self is Kind.Q8_0 else np.dtype("<f2")

    @property
    def values(self) -> int:
        """Values in one such part."""
        return BLOCK_VALUES if self is Kind.Q8_0 else 1


@dataclass(frozen=True)
class Layout:
    """Attributes:
    keys: width of the keys in each layer, in values.
    values: width of the values in each layer.
    kind: how the cache holds them.
    transposed: whether llama.cpp holds the values by column.
    """

    keys: tuple[int, ...]
    values: tuple[int, ...]
    kind: Kind
    transposed: bool

    @property
    def width(self) -> int:
        """Values of one cell: keys and values of all layers, one layer after the other."""
        return sum(self.keys) + sum(self.values)


@dataclass(frozen=True)
class Cells:
    """Keys and values of tokens, one row for each.

    Rows may be quantised whatever the type of the KV cache they came from.
    """

    layout: Layout
    positions: Positions
    rows: Rows

    def __len__(self) -> int:
        return len(self.positions)

    def at(self, spans: Sequence[tuple[int, int]]) -> "Cells":
        """Return the cells of these [start, end) spans alone."""
        chosen = np.concatenate([np.arange(start, end) for start, end in spans])
        return Cells(self.layout, self.positions[chosen], self.rows[chosen])

    def in_steps(self, count: int) -> Iterator["Cells"]:
        """Yield the cells in order, at most so many at once."""
        for at in range(0, len(self), count):
            step = slice(at, at + count)
            yield Cells(self.layout, self.positions[step], self.rows[step])

    def packed(self) -> Blocks:
        """Return the rows quantised to q8_0: eight bits a value, a scale for each block."""
        return self.rows if self.rows.dtype == BLOCK else _packed(self.rows)

    def unpacked(self) -> Values:
        """Return the rows as float16."""
        return _unpacked(self.rows) if self.rows.dtype == BLOCK else self.rows


def parse(state: State) -> Cells:
    """Return the cells of a sequence's state.

    Raises:
        ForeignState: its format is not known.
    """
    try:
        return _parse(state.data)
    except (struct.error, ValueError, IndexError) as error:
        raise ForeignState(str(error)) from error


def build(cells: Cells, head: bytes) -> State:
    """Return the state of a sequence that holds these cells.

    Args:
        head: the first bytes of any state of the same context; see `head_of`.
    """
    layout = cells.layout
    rows = cells.packed() if layout.kind is Kind.Q8_0 else cells.unpacked()
    metas = np.zeros(len(cells), CELL_HEAD)
    metas["position"], metas["owners"] = cells.positions, 1
    keys, values = _columns_of(layout)
    parts: list[Part] = [
        np.frombuffer(head + struct.pack("<II", 1, len(cells)), np.uint8),
        metas,
        np.frombuffer(struct.pack("<II", layout.transposed, len(layout.keys)), np.uint8),
        *(part for columns in keys for part in _by_row(rows[:, columns], layout.kind)),
    ]
    for columns in values:
        by = _by_column if layout.transposed else _by_row
        parts += by(rows[:, columns], layout.kind)
    return _joined(parts)


def _by_row(rows: Rows, kind: Kind) -> list[Part]:
    head = struct.pack("<iQ", kind, rows.shape[1] * kind.item.itemsize)
    return [np.frombuffer(head, np.uint8), rows]


def _by_column(rows: Rows, kind: Kind) -> list[Part]:
    head = struct.pack("<iII", kind, kind.item.itemsize, rows.shape[1])
    return [np.frombuffer(head, np.uint8), rows.T]


def _joined(parts: Sequence[Part]) -> State:
    """Return the bytes of all parts in one piece, each copied once."""
    out = np.empty(sum(part.nbytes for part in parts), np.uint8)
    at = 0
    for part in parts:
        room = out[at : at + part.nbytes].view(part.dtype).reshape(part.shape)
        room[...] = part
        at += part.nbytes
    return out


def head_of(state: State) -> bytes:
    """Return the part of a state that does not depend on its cells."""
    return state[:HEAD_BYTES].tobytes()


def blank(layout: Layout, count: int) -> Cells:
    """Return cells of zeros, for measuring: attention to them costs as much as to others."""
    columns = layout.width // layout.kind.values
    rows = np.zeros((count, columns), layout.kind.item)
    return Cells(layout, np.arange(count, dtype=np.int32), rows)


def _packed(rows: Values) -> Blocks:
    out = np.empty((len(rows), rows.shape[1] // BLOCK_VALUES), BLOCK)
    for at in range(0, len(rows), STEP_CELLS):
        step = rows[at : at + STEP_CELLS].astype(np.float32)
        blocks = step.reshape(len(step), -1, BLOCK_VALUES)
        scales = (np.abs(blocks).max(axis=2) / 127).astype(np.float16)
        divisors = scales.astype(np.float32)
        divisors[divisors == 0] = 1
        out["scale"][at : at + len(step)] = scales
        out["values"][at : at + len(step)] = np.rint(blocks / divisors[:, :, None]).clip(-127, 127)
    return out


def _unpacked(rows: Blocks) -> Values:
    out = np.empty((len(rows), rows.shape[1] * BLOCK_VALUES), np.float16)
    for at in range(0, len(rows), STEP_CELLS):
        step = rows[at : at + STEP_CELLS]
        values = step["values"].astype(np.float32)
        values *= step["scale"].astype(np.float32)[:, :, None]
        out[at : at + len(step)] = values.reshape(len(step), -1)
    return out


def _parse(view: memoryview) -> Cells:
    at = HEAD_BYTES
    streams, count = struct.unpack_from("<II", view, at)
    metas = np.frombuffer(view, CELL_HEAD, count, at + 8)
    at += 8 + metas.nbytes
    if streams != 1 or (count and (metas["owners"] != 1).any()):
        raise ForeignState("more than one sequence")
    transposed, layers = struct.unpack_from("<II", view, at)
    at += 8
    kind = Kind(struct.unpack_from("<i", view, at)[0])
    keys, at = _rows(view, at, layers, count, kind)
    read = _columns if transposed else _rows
    values, at = read(view, at, layers, count, kind)
    if at != len(view):
        raise ForeignState(f"{len(view) - at} bytes too many")
    interleaved = [part for pair in zip(keys, values, strict=True) for part in pair]
    return Cells(
        layout=Layout(
            tuple(part.shape[1] * kind.values for part in keys),
            tuple(part.shape[1] * kind.values for part in values),
            kind,
            bool(transposed),
        ),
        positions=metas["position"].astype(np.int32),
        rows=np.concatenate(interleaved, axis=1),
    )


def _rows(view: memoryview, at: int, layers: int, count: int, kind: Kind) -> tuple[list[Rows], int]:
    """Return the rows of each layer, (cells, items), and where they end."""
    found: list[Rows] = []
    for _ in range(layers):
        given, row_bytes = struct.unpack_from("<iQ", view, at)
        _check(given, kind)
        items = row_bytes // kind.item.itemsize
        rows = np.frombuffer(view, kind.item, count * items, at + 12)
        found.append(rows.reshape(count, items))
        at += 12 + rows.nbytes
    return found, at


def _columns(
    view: memoryview, at: int, layers: int, count: int, kind: Kind
) -> tuple[list[Rows], int]:
    """Return values that are stored by column as rows, as `_rows` does."""
    found: list[Rows] = []
    for _ in range(layers):
        given, _, width = struct.unpack_from("<iII", view, at)
        _check(given, kind)
        columns = np.frombuffer(view, kind.item, count * width, at + 12).reshape(width, count)
        found.append(columns.T)
        at += 12 + columns.nbytes
    return found, at


def _check(given: int, kind: Kind) -> None:
    if given != kind:
        raise ForeignState(f"types {given} and {kind} in one cache")


def _columns_of(layout: Layout) -> tuple[list[slice], list[slice]]:
    """Return the slices of a row that hold the keys and the values of each layer."""
    keys, values, at = [], [], 0
    for key_width, value_width in zip(layout.keys, layout.values, strict=True):
        middle = at + key_width // layout.kind.values
        end = middle + value_width // layout.kind.values
        keys.append(slice(at, middle))
        values.append(slice(middle, end))
        at = end
    return keys, values
