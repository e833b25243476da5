"""Cleans what readers extracted: characters, hyphens, running headers. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from assistant.languages.registry import languages
from assistant.types import PAGE_BREAK, Heading, Page
from ingest.headers import without_running
from ingest.pages import Block, RawPage

LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
# Invisible: soft hyphen, byte-order mark, word joiner, directional marks and, since they can carry
# hidden instructions, variation selectors of the supplement and Unicode tags.
INVISIBLE = re.compile("[\u00ad\ufeff\u200e\u200f\u2060-\u206f\u202a-\u202e\u180e"
                       "\U000e0000-\U000e0fff]")  # fmt: skip
# Kept where they shape or separate words: joiners in Indic, Arabic and other scripts beyond Greek
# and Cyrillic (and in emoji), the zero-width space in Thai, Lao, Burmese and Khmer.
IDLE_JOINER = re.compile("(?<![\u0590-\u1fff\u2100-\U0010ffff])[\u200c\u200d]")
SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
IDLE_SPACE = re.compile(f"(?<![{SOUTH_EAST}])\u200b|\u200b(?![{SOUTH_EAST}])")
# Controls, and surrogates, which no database accepts.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# PDFs write a hyphen at a line's end as a hyphen, a soft hyphen, U+0002 or U+FFFE.
HYPHENATED = re.compile(r"(\w)[-\u2010\u00ad\u0002\ufffe][ \t]*\n\s*(?=(\w+))")
UNSPACED = "\u0e00-\u0e7f\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff65"
LINE_JOINT = re.compile(f"(?<=[{UNSPACED}])\n(?=[{UNSPACED}])")  # Thai, Chinese, Japanese
LIST_ITEM = re.compile(r"(?:[-*+•◦▪–]|\d{1,3}[.)]|[a-z][.)])\s")
SHORT_LINE = 35  # characters; half in scripts that write a word with two
BLOCK_BREAK = "\n"


@dataclass(frozen=True)
class CleanText:
    """Pages as they are stored, and the headings with their offsets in the whole text."""

    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]


def clean(raw_pages: Sequence[RawPage]) -> CleanText:
    """Return clean pages with their numbers, without running headers and footers."""
    cleaned = [replace(raw, blocks=_clean_blocks(raw.blocks)) for raw in raw_pages]
    pages: list[Page] = []
    headings: list[Heading] = []
    offset = 0
    for raw, blocks in zip(cleaned, without_running(cleaned), strict=True):
        text = ""
        for block in _without_echoes(blocks):
            text += BLOCK_BREAK if text else ""
            if block.level:
                headings.append(Heading(block.level, block.text, offset + len(text)))
            text += block.text
        pages.append(Page(number=raw.number, text=text, label=clean_line(raw.label)))
        offset += len(text) + len(PAGE_BREAK)
    return CleanText(tuple(pages), tuple(headings))


def clean_line(text: str) -> str:
    """Return clean text on one line, as a title is."""
    return " ".join(clean_text(text).split())


def clean_text(text: str) -> str:
    """Return NFC text without ligatures, invisible characters or hyphens at line ends."""
    text = unicodedata.normalize("NFC", text.translate(LIGATURES))
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    text = HYPHENATED.sub(_rejoin, text)
    text = INVISIBLE.sub("", text)
    text = IDLE_SPACE.sub("", IDLE_JOINER.sub("", text))
    return CONTROL.sub(" ", text)


def _rejoin(match: re.Match[str]) -> str:
    """Join a word hyphenated at a line's end; next to a capital or a figure the hyphen stays."""
    before, following = match[1], match[2]
    if any(following in each.suspended_hyphen_words for each in languages()):
        return f"{before}- "  # "pre- and post-war"
    compound = following[0].isupper() or following[0].isdigit() or before.isdigit()
    return before + ("-" if compound else "")


def _clean_blocks(blocks: Sequence[Block]) -> tuple[Block, ...]:
    return tuple(block for block in map(_clean_block, blocks) if block.text)


def _clean_block(block: Block) -> Block:
    lines = [" ".join(line.split()) for line in clean_text(block.text).split("\n")]
    lines = [line for line in lines if line]
    if block.level:
        return replace(block, text=" ".join(lines))
    return replace(block, text="\n".join(lines) if _is_table(lines) else _flow(lines))


def _is_table(lines: Sequence[str]) -> bool:
    return sum(" | " in line for line in lines) > len(lines) / 2


def _flow(lines: Sequence[str]) -> str:
    """Return the lines of a paragraph joined; list items and short lines stay lines."""
    text = "\n".join(lines)
    joined = LINE_JOINT.sub("", text)
    wide = len(joined) < len(text)
    if not lines or len(text) / len(lines) < (SHORT_LINE / 2 if wide else SHORT_LINE):
        return text
    return "\n".join(_items(joined.split("\n")))


def _items(lines: Sequence[str]) -> Iterable[str]:
    """Yield lines joined up to the next list item."""
    item: list[str] = []
    for line in lines:
        if item and LIST_ITEM.match(line):
            yield " ".join(item)
            item = []
        item.append(line)
    yield " ".join(item)


def _without_echoes(blocks: Sequence[Block]) -> Iterable[Block]:
    """Yield the blocks without repeated headings, which parsers make of shadowed type."""
    yield from blocks[:1]
    for previous, block in pairwise(blocks):
        if not (block.level and block == previous):
            yield block
