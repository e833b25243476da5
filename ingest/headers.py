"""Finds headers, footers and page numbers at the edges of pages. Pure.

Their texts vary from page to page ("CHAPTER 3. BEFORE INSTALLING 3.2. BACK UP"), so that looking
for equal lines is not enough: equal beginnings and rising page numbers give them away.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from ingest.pages import Block, RawPage

REPEATED_ON: Final = 3  # pages at least, before a line at the edge counts as running
REPEATED_SHARE: Final = 0.25  # of the pages, on either kind of page (left and right differ)
NEAR: Final = 4  # pages to either side that are compared: two left and two right pages
AGREEING: Final = 2  # of those pages, at least
SAME_CHARS: Final = 12  # of a common beginning, over two words at least
LINE_CHARS: Final = 160  # longer blocks are paragraphs
ROMAN = "(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"  # up to 99: "mix" and "dix" are words
PAGE_NUMBER = re.compile(
    rf"[-–—\s]*(?=[\dlxvi])(?:\d{{1,5}}|{ROMAN})(?:\s*[/|]\s*\d{{1,5}})?[-–—.\s]*"
)
OUTER_NUMBER = re.compile(r"^\d+(?= )|(?<= )\d+$")


@dataclass(frozen=True)
class _Line:
    """The outermost line at an edge of a page.

    Attributes:
        text: in small letters, without the numbers at its ends.
        numbers: those at its ends; one may be the page's.
    """

    block: Block
    text: str
    numbers: frozenset[int]


def without_running(pages: Sequence[RawPage]) -> list[tuple[Block, ...]]:
    """Return the blocks of each page that are not headers, footers or bare page numbers."""
    shapes = _repeated_shapes(pages)
    tops = _running([_outermost(page.blocks, top=True) for page in pages])
    bottoms = _running([_outermost(page.blocks[::-1], top=False) for page in pages])
    return [
        tuple(b for b in page.blocks if b not in varying and not _runs(b, shapes))
        for page, varying in zip(pages, map(set.union, tops, bottoms), strict=True)
    ]


def _repeated_shapes(pages: Sequence[RawPage]) -> set[str]:
    """Return the shapes of blocks that stand at the edge of many pages."""
    shapes = Counter(
        shape
        for page in pages
        for shape in {_shape(block) for block in page.blocks if block.top or block.bottom}
    )
    least = max(REPEATED_ON, REPEATED_SHARE * len(pages))
    return {shape for shape, count in shapes.items() if count >= least}


def _runs(block: Block, shapes: set[str]) -> bool:
    if not (block.top or block.bottom):
        return False
    return _shape(block) in shapes or bool(PAGE_NUMBER.fullmatch(block.text.lower()))


def _shape(block: Block) -> str:
    """Return the text with numbers made alike, so that "Page 3 of 40" repeats."""
    return re.sub(r"\d+", "#", " ".join(block.text.lower().split()))


def _outermost(blocks: Sequence[Block], *, top: bool) -> _Line | None:
    block = next((b for b in blocks if (b.top if top else b.bottom)), None)
    if block is None or len(block.text) > LINE_CHARS or " | " in block.text:
        return None
    text = " ".join(block.text.lower().split())
    numbers = frozenset(int(number) for number in OUTER_NUMBER.findall(text))
    return _Line(block, OUTER_NUMBER.sub("", text).strip(), numbers)


def _running(lines: Sequence[_Line | None]) -> list[set[Block]]:
    """Return for each page the line at one edge that runs, if it does."""
    return [
        {line.block} if line and _recurs(line, _neighbours(lines, index)) else set()
        for index, line in enumerate(lines)
    ]


def _neighbours(lines: Sequence[_Line | None], index: int) -> list[tuple[int, _Line]]:
    """Return (distance in pages, line) for the pages near `index`."""
    near = range(max(0, index - NEAR), min(len(lines), index + NEAR + 1))
    return [(i - index, line) for i in near if i != index and (line := lines[i])]


def _recurs(line: _Line, neighbours: Sequence[tuple[int, _Line]]) -> bool:
    """Tell whether neighbours begin alike, or count pages with it and repeat their texts."""
    alike = [other for _, other in neighbours if _begin_alike(line.text, other.text)]
    counting = [
        other.text
        for distance, other in neighbours
        if any(number + distance in other.numbers for number in line.numbers)
    ]
    repeats = len({line.text, *counting}) <= len(counting)
    return len(alike) >= AGREEING or (len(counting) >= AGREEING and repeats)


def _begin_alike(one: str, other: str) -> bool:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    common = "".join(character for character, _ in pairs)
    return len(common) >= SAME_CHARS and len(common.split()) >= 2
