"""What readers found, made into clean pages: characters, hyphens, running headers. Pure."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.types import PAGE_BREAK, Heading, Page
from ingest.reading import Block, RawPage

LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
# Invisible characters: soft hyphen, byte-order mark, zero-width space and word joiner, directional
# marks, Unicode tags (a channel for hidden orders). The joiners of Indic and Arabic words stay.
INVISIBLE = re.compile("[\u00ad\ufeff\u200b\u200e\u200f\u2060\u202a-\u202e\u2066-\u2069"
                       "\U000e0000-\U000e007f]")  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
HYPHENATED = re.compile(r"(\w)[-\u2010\u0002]\n\s*(\w)")
THAI = re.compile(r"[\u0e00-\u0e7f]")
REPEATED_ON = 3  # pages at least, before a line at the edge counts as running
REPEATED_SHARE = 0.25  # of the pages, on either kind of page (left and right differ)
BLOCK_BREAK = "\n"


@dataclass(frozen=True)
class CleanText:
    """Pages as they are kept, and the headings with their offsets in the whole text."""

    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]


def clean(raw_pages: Sequence[RawPage]) -> CleanText:
    """Return clean pages, each with its number, without what runs along the edges of all."""
    running = _running(raw_pages)
    pages: list[Page] = []
    headings: list[Heading] = []
    offset = 0
    for raw in raw_pages:
        blocks = [b for b in map(_clean_block, raw.blocks) if b.text and not _runs(b, running)]
        text = ""
        for block in _joined(blocks):
            text += BLOCK_BREAK if text else ""
            if block.level:
                headings.append(Heading(block.level, block.text, offset + len(text)))
            text += block.text
        pages.append(Page(number=raw.number, text=text, label=raw.label))
        offset += len(text) + len(PAGE_BREAK)
    return CleanText(tuple(pages), tuple(headings))


def clean_text(text: str) -> str:
    """Return NFC text without ligatures, invisible characters or hyphens at line ends."""
    text = unicodedata.normalize("NFC", text.translate(LIGATURES))
    if not THAI.search(text):
        text = INVISIBLE.sub("", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    text = HYPHENATED.sub(_rejoin, text)
    return CONTROL.sub(" ", text)


def _rejoin(match: re.Match[str]) -> str:
    """Join a word cut at a line's end; a capital after the hyphen was a compound."""
    return match[1] + ("-" if match[2].isupper() or match[2].isdigit() else "") + match[2]


def _clean_block(block: Block) -> Block:
    lines = [" ".join(line.split()) for line in clean_text(block.text).split("\n")]
    lines = [line for line in lines if line]
    text = "\n".join(lines) if _is_table(lines) or block.text.startswith("• ") else _flow(lines)
    return Block(text if not block.level else " ".join(lines), block.level, block.top, block.bottom)


def _is_table(lines: Sequence[str]) -> bool:
    return sum(" | " in line for line in lines) > len(lines) / 2


def _flow(lines: Sequence[str]) -> str:
    """Return lines of one paragraph as running text; short lines (code, verse) keep theirs."""
    if not lines or sum(map(len, lines)) / len(lines) < 35:
        return "\n".join(lines)
    return " ".join(lines)


def _joined(blocks: Sequence[Block]) -> Iterable[Block]:
    """Rejoin a heading that was set on two lines is left to readers; skip empty repeats."""
    previous = ""
    for block in blocks:
        if block.text != previous:
            yield block
        previous = block.text


def _running(pages: Sequence[RawPage]) -> set[str]:
    """Return the shapes of blocks that stand at the edge of many pages."""
    shapes = Counter(
        shape for page in pages for shape in {_shape(block.text) for block in _edge_blocks(page)}
    )
    least = max(REPEATED_ON, REPEATED_SHARE * len(pages))
    return {shape for shape, count in shapes.items() if count >= least}


def _edge_blocks(page: RawPage) -> list[Block]:
    return [block for block in page.blocks if block.top or block.bottom]


def _runs(block: Block, running: set[str]) -> bool:
    """Tell running headers, footers and bare page numbers at the edges of a page."""
    if not (block.top or block.bottom):
        return False
    shape = _shape(block.text)
    return shape in running or not shape.strip("#ivxlc -–—/.|")


def _shape(text: str) -> str:
    """Return the text with numbers made alike, so that "Page 3 of 40" repeats."""
    return re.sub(r"\d+", "#", " ".join(clean_text(text).lower().split()))
