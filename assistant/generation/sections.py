"""Chunks to sections: runs of whole chunks, by chapter, that a model prefills as one prefix.

Tables of contents, glossaries and lists of sources belong to no section. Knows no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from assistant.backends.base import Count
from assistant.languages.registry import languages
from assistant.types import Chunk

SECTION_TOKENS: Final = 3_600  # of text whose key points a small model can list
NUMBERING: Final = re.compile(r"^[\dIVX]+(?:\.\d+)*\.?\s+")


@dataclass(frozen=True)
class Section:
    """Consecutive chunks that are prefilled together."""

    title: str
    chunks: tuple[Chunk, ...]

    @property
    def pages(self) -> tuple[int, int]:
        """Return its first and last page."""
        return self.chunks[0].pages[0], self.chunks[-1].pages[-1]


def sections(chunks: Sequence[Chunk], count: Count, limit_tokens: int) -> list[Section]:
    """Return all chunks in order, by chapter; long chapters are cut evenly, short ones joined."""
    costs = [count(chunk.text) for chunk in chunks]
    chapters: list[list[int]] = []  # numbers of chunks
    for number, chunk in enumerate(chunks):
        last = chapters[-1] if chapters else []
        short = sum(costs[n] for n in last) < limit_tokens // 3
        if last and (short or _chapter(chunks[last[-1]]) == _chapter(chunk)):
            last.append(number)
        else:
            chapters.append([number])
    groups = [part for chapter in chapters for part in _cut(chapter, costs, limit_tokens)]
    return [
        Section(title_of(part), tuple(part)) for part in ([chunks[n] for n in g] for g in groups)
    ]


def without_back_matter(chunks: Sequence[Chunk]) -> tuple[list[Chunk], list[int]]:
    """Return the chunks without lists of contents and sources, and the pages of those lists."""
    body: list[Chunk] = []
    lists: list[Chunk] = []
    for chunk in chunks:
        (lists if _is_back_matter(chunk) else body).append(chunk)
    if not body:
        return lists, []
    return body, sorted({page for chunk in lists for page in chunk.pages})


def title_of(chunks: Sequence[Chunk]) -> str:
    """Return the chapters the chunks begin and end in."""
    chapters = list(dict.fromkeys(_chapter(chunk) for chunk in chunks if chunk.heading))
    return " / ".join(chapters[:1] + chapters[1:][-1:])


def page_range(pages: tuple[int, int]) -> str:
    """Return a first and a last page as "3" or "3–5"."""
    first, last = pages
    return str(first) if first == last else f"{first}–{last}"


def _cut(numbers: Sequence[int], costs: Sequence[int], limit: int) -> list[list[int]]:
    """Return the chunks of these numbers in as few parts as the limit allows, evenly cut."""
    total = sum(costs[number] for number in numbers)
    target = total / max(1, -(-total // limit))
    parts: list[list[int]] = [[]]
    used = done = 0
    for number in numbers:
        beyond = done + costs[number] / 2 > target * len(parts)
        if parts[-1] and (beyond or used + costs[number] > limit):
            parts.append([])
            used = 0
        parts[-1].append(number)
        used += costs[number]
        done += costs[number]
    return parts


def _is_back_matter(chunk: Chunk) -> bool:
    titles = chunk.heading.split(" › ")
    plain = {NUMBERING.sub("", title).strip(" :.").casefold() for title in titles}
    return any(plain & each.back_matter for each in languages())


def _chapter(chunk: Chunk) -> str:
    return chunk.heading.split(" › ")[0]
