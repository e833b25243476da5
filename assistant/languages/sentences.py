"""Where sentences end, in Latin, CJK, Arabic, Devanagari and other scripts. Pure.

Measured against two libraries in docs/decisions.md. Thai marks no sentence ends but line ends.
"""

import re
from unicodedata import category

from assistant.languages.registry import languages

CLOSERS = "\"'”’»)\\]）」』】"
# A full stop ends a sentence when a space and then no small letter follows; the ends of other
# scripts need no space after them. French puts a space before the closing quotation mark.
END = re.compile(
    rf"(?:[.!?…؟۔]+(?:[ \u00a0\u202f]»)?[{CLOSERS}]*(?=\s|$)"
    rf"|[。！？｡]+[{CLOSERS}]*|[।॥]+[{CLOSERS}]*|[።።၊။]+|\n)\s*"
)
DOTTED = re.compile(r"\w(?:\.-?\w)*")  # initials and the like: "J.", "J.-P.", "e.g.", "z. B."
UNIT = re.compile(r"\d\s?[ghlmr]$")  # "91 m" ends a sentence, "J. Smith" does not
LAST_WORD = re.compile(r"([^\s(\[«\"“]+)\.$")
ELISION = re.compile(r"^\w+['’](?=\w\w)")  # of "l'art.", but not the "'s" of "Ann's."
NUMBERED = re.compile(r"\d|[B-HJ-Z]\b|[IVX]{2,}\b")
DIALOGUE_DASHES = "—–"  # "—¿Sí? —preguntó ella."
LOOK_CHARS = 30  # around a full stop, for the words beside it


def split(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences, in order, without gaps: each holds the space after it.

    A line end ends a sentence too: in cleaned pages it separates paragraphs, items and table rows.
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
    """Return the last place up to `cut` that separates no combining mark from its letter."""
    for place in range(cut, least, -1):
        if not category(text[place]).startswith("M"):
            return place
    return cut


def _ends(text: str, match: re.Match[str]) -> bool:
    """Return whether a mark with text after it ends a sentence."""
    mark = match[0].rstrip()
    if "\n" in match[0]:
        return True
    if _goes_on(text, match.end(), asked=mark.endswith(("?", "!"))):
        return False
    before = text[max(0, match.start() - LOOK_CHARS) : match.start()]
    following = text[match.end() : match.end() + LOOK_CHARS]
    return not (mark.startswith(".") and _is_abbreviated(before, following))


def _goes_on(text: str, place: int, *, asked: bool) -> bool:
    """Return whether a small letter follows; behind a bare "?" or "!" only after a dash."""
    said = text[place : place + 3].lstrip(DIALOGUE_DASHES)
    dashed = text[place] in DIALOGUE_DASHES
    return said.lstrip()[:1].islower() and (dashed or not asked)


def _is_abbreviated(before: str, following: str) -> bool:
    """Return whether a full stop between two pieces of text belongs to the word before it."""
    last = LAST_WORD.search(f"{before}.")
    if last is None:
        return False
    word = ELISION.sub("", last[1].lower())
    if word.isdigit():
        noun = re.split(r"\W", following.lower())[0]
        return len(word) <= 2 and any(noun in each.ordinal_nouns for each in languages())
    if DOTTED.fullmatch(word):
        return not UNIT.search(before)
    numbered = NUMBERED.match(following) is not None
    return any(
        word in each.abbreviations or (numbered and word in each.numbered_abbreviations)
        for each in languages()
    )
