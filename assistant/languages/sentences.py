"""Where sentences end, in Latin, CJK, Arabic, Devanagari and other scripts. Pure."""

import re
from unicodedata import category

from assistant.languages.registry import languages

CLOSERS = "\"'”’»)\\]）」』】"
# A full stop ends a sentence when a space and then no small letter follows; the ends of other
# scripts need no space after them.
END = re.compile(
    rf"(?:[.!?…؟۔]+[{CLOSERS}]*(?=\s)|[。！？｡]+[{CLOSERS}]*|[।॥]+[{CLOSERS}]*|[።።၊။]+|\n)\s*"
)
DOTTED = re.compile(r"\w(?:\.\w)*")  # initials and the like: "J.", "e.g.", "z. B."
LAST_WORD = re.compile(r"([^\s(\[«\"“]+)\.$")


def split(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences, in order, without gaps: each holds the space after it.

    A line end ends a sentence too: in cleaned pages it parts paragraphs, items and table rows.
    """
    spans, start = [], 0
    for match in END.finditer(text):
        if match.end() < len(text) and not _ends(text, match):
            continue
        spans.append((start, match.end()))
        start = match.end()
    return [*spans, (start, len(text))] if start < len(text) else spans


def split_long(text: str, limit: int) -> list[tuple[int, int]]:
    """Return spans of at most `limit` characters, cut at spaces where there are any."""
    spans, start = [], 0
    while len(text) - start > limit:
        cut = text.rfind(" ", start + limit // 2, start + limit) + 1
        cut = cut or _between_letters(text, start + limit // 2, start + limit)
        spans.append((start, cut))
        start = cut
    return [*spans, (start, len(text))]


def _between_letters(text: str, least: int, cut: int) -> int:
    """Return `cut` or the place before it where no mark is parted from its letter."""
    for place in range(cut, least, -1):
        if not category(text[place]).startswith("M"):
            return place
    return cut


def _ends(text: str, match: re.Match[str]) -> bool:
    if "\n" in match[0] or not match[0].startswith("."):
        return True
    following = text[match.end()]
    if following.islower():
        return False
    last = LAST_WORD.search(text[max(0, match.start() - 30) : match.start() + 1])
    if last is None:
        return True
    word = last[1].lower()
    return not _is_abbreviation(word) and (word.isdigit() or not DOTTED.fullmatch(word))


def _is_abbreviation(word: str) -> bool:
    """Return whether a word of any language is written with a full stop inside a sentence."""
    return any(word in each.abbreviations for each in languages())
