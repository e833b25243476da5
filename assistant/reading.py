"""A document as a model reads it: section by section, each read by itself and kept.

A section is a run of whole chunks. Its reading begins with the rules, as every prompt does, and
knows which of its tokens came from which chunk, so that a question needs to see only some of
them. Lists of contents, terms or sources belong to no section. Knows no questions.
"""

import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.errors import NotKept
from assistant.prompting import chunk_text, reading_text, section_head
from assistant.protocols import Cancelled, Count, LanguageModel, PrefillReport, Store
from assistant.types import (
    Chunk,
    Document,
    Message,
    Passage,
    Reading,
    ReadSoFar,
    Role,
    Stage,
    StageName,
)
from assistant.watching import watched

SECTION_TOKENS: Final = 3_600  # a small model keeps the points of so much
NUMBERING: Final = re.compile(r"^[\dIVX]+(?:\.\d+)*\.?\s+")
# Headings of what only points elsewhere, in the supported languages; compared without case.
APPARATUS: Final = frozenset({
    "contents", "table of contents", "references", "bibliography", "sources", "works cited",
    "index", "contenido", "contenidos", "índice", "índice general", "referencias", "bibliografía",
    "fuentes", "table des matières", "sommaire", "références", "bibliographie", "inhalt",
    "inhaltsverzeichnis", "literatur", "literaturverzeichnis", "quellen", "quellenverzeichnis",
    "indice", "riferimenti", "riferimenti bibliografici", "bibliografia", "fonti", "sumário",
    "referências", "referências bibliográficas", "fontes", "विषय-सूची", "संदर्भ", "सन्दर्भ",
    "glossary", "glosario", "glossaire", "glossar", "glossario", "glossário", "शब्दावली",
    "สารบัญ", "อภิธานศัพท์", "เอกสารอ้างอิง", "บรรณานุกรม",
})  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Consecutive chunks that are read together."""

    title: str
    chunks: tuple[Chunk, ...]

    @property
    def pages(self) -> tuple[int, int]:
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


def _cut(numbers: Sequence[int], costs: Sequence[int], limit: int) -> list[list[int]]:
    """Return the chunks of these numbers in as few parts as the limit allows, of like length."""
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


@dataclass(frozen=True)
class Laid:
    """A section as tokens.

    Attributes:
        tokens: the rules, the head and all chunks.
        head_start: where the head of the section begins.
        spans: ordinal of a chunk -> [start, end) of its tokens.
        note: what a reader is told it is.
    """

    document_id: str
    tokens: tuple[int, ...]
    head_start: int
    spans: Mapping[int, tuple[int, int]]
    note: str

    def seen(self, ordinals: Collection[int], *, leads: bool) -> Reading:
        """Return the section as it is read, with these chunks left in sight.

        Args:
            leads: nothing stands before it, so that the rules are left in sight too.
        """
        chunks = [span for ordinal, span in self.spans.items() if ordinal in ordinals]
        begin = 0 if leads else self.head_start
        head_end = min(start for start, _ in self.spans.values())
        spans = _merged([(begin, head_end), *sorted(chunks)])
        return Reading(self.tokens, spans, self.document_id, self.note)


def lay(document: Document, section: Section, model: LanguageModel) -> Laid:
    """Return the section as the model reads it."""
    head = section_head(document, section.title)
    parts = [chunk_text(chunk) for chunk in section.chunks]
    text = reading_text(head, parts)
    tokens, _ = model.encode_apart([Message(Role.SYSTEM, text), Message(Role.USER, "")])
    costs = [model.count(part) for part in parts]
    start = len(tokens) - sum(costs)
    head_start = start - model.count(head)
    spans = {}
    for chunk, cost in zip(section.chunks, costs, strict=True):
        spans[chunk.ordinal] = (start, start + cost)
        start += cost
    note = f"{document.title}, p. {pages_text(section.pages)}"
    return Laid(document.id, tuple(tokens), head_start, spans, note)


class Reader:
    """Knows in which sections each document is read, and reads them."""

    def __init__(
        self, model: LanguageModel, store: Store, *, section_tokens: int = SECTION_TOKENS
    ) -> None:
        self._model = model
        self._store = store
        self._section_tokens = section_tokens
        self._sections: dict[str, list[Section]] = {}
        self._laid: dict[Section, Laid] = {}

    def sections(self, document: Document) -> list[Section]:
        """Return the sections of the document, in order."""
        if document.id not in self._sections:
            body, _ = without_apparatus(self._store.chunks(document.id))
            limit = min(self._section_tokens, self._model.effective_tokens // 2)
            self._sections[document.id] = sections(body, self._model.count, limit)
        return self._sections[document.id]

    def recall(self, passages: Sequence[Passage]) -> tuple[list[Reading], list[Passage]]:
        """Return readings that leave passages in sight which were read, and the other passages."""
        fresh = [passage for passage in passages if not self._was_read(passage)]
        return self.see([passage for passage in passages if passage not in fresh]), fresh

    def see(self, passages: Sequence[Passage]) -> list[Reading]:
        """Return readings that leave these passages in sight, whether or not they were read.

        Args:
            passages: of sections, in the order in which they are to be seen.
        """
        ordinals: dict[Section, set[int]] = {}
        documents: dict[Section, Document] = {}
        for passage in passages:
            if section := self._section_of(passage):
                ordinals.setdefault(section, set()).add(passage.chunk.ordinal)
                documents[section] = passage.document
        return [
            self._lay(documents[section], section).seen(seen, leads=not number)
            for number, (section, seen) in enumerate(ordinals.items())
        ]

    def read(self, document: Document, cancelled: Cancelled) -> Iterator[Stage]:
        """Read what was not read of the document; yield how far that is.

        Raises:
            NotKept: there is no room for what was read.
        """
        found = self.sections(document)
        parts = [self._whole(document, section) for section in found]
        total = sum(len(part.tokens) for part in parts)
        left = [0.0 if self._model.has_read(part) else self._seconds(part) for part in parts]
        before = 0
        for number, (section, part) in enumerate(zip(found, parts, strict=True)):
            told = Stage(StageName.READING, before, total, pages_text(section.pages), sum(left))
            left[number] = 0.0
            yield told
            if not (yield from self._read(part, told, sum(left), cancelled)):
                raise NotKept(document.title)
            before += len(part.tokens)
        yield Stage(StageName.READING, total, total, "", 0.0)

    def _read(
        self, part: Reading, told: Stage, later_s: float, cancelled: Cancelled
    ) -> Generator[Stage, None, bool]:
        """Read one text; return whether it could be kept.

        Args:
            told: the stage as it was before.
            later_s: what comes after it takes so long.
        """

        def stage(done: int, _: int) -> Stage:
            rest = later_s + self._seconds(part, done)
            return replace(told, done=told.done + done, seconds_left=rest)

        def read(cancelled: Cancelled, report: PrefillReport) -> bool:
            return self._model.read(part, cancelled=cancelled, report=report)

        return (yield from watched(read, cancelled, stage))

    def _seconds(self, part: Reading, done: int = 0) -> float:
        """Return how long the rest of a text takes to read."""
        speeds = self._model.speeds
        return speeds.reading(len(part.tokens) - done, depth=done) if speeds else 0.0

    def read_so_far(self, document: Document) -> ReadSoFar:
        """Return how much of the document was read."""
        parts = [self._whole(document, section) for section in self.sections(document)]
        read = sum(len(part.tokens) for part in parts if self._model.has_read(part))
        return ReadSoFar(read, sum(len(part.tokens) for part in parts))

    def _was_read(self, passage: Passage) -> bool:
        section = self._section_of(passage)
        return section is not None and self._model.has_read(self._whole(passage.document, section))

    def _whole(self, document: Document, section: Section) -> Reading:
        laid = self._lay(document, section)
        return laid.seen(laid.spans.keys(), leads=True)

    def _lay(self, document: Document, section: Section) -> Laid:
        if section not in self._laid:
            self._laid[section] = lay(document, section, self._model)
        return self._laid[section]

    def _section_of(self, passage: Passage) -> Section | None:
        for section in self.sections(passage.document):
            if section.chunks[0].ordinal <= passage.chunk.ordinal <= section.chunks[-1].ordinal:
                return section if passage.chunk in section.chunks else None
        return None


def without_apparatus(chunks: Sequence[Chunk]) -> tuple[list[Chunk], list[int]]:
    """Return the chunks without lists of contents and sources, and the pages of those lists."""
    body: list[Chunk] = []
    lists: list[Chunk] = []
    for chunk in chunks:
        (lists if _is_apparatus(chunk) else body).append(chunk)
    if not body:
        return lists, []
    return body, sorted({page for chunk in lists for page in chunk.pages})


def title_of(chunks: Sequence[Chunk]) -> str:
    """Return the chapters the chunks begin and end in."""
    chapters = list(dict.fromkeys(_chapter(chunk) for chunk in chunks if chunk.heading))
    return " / ".join(chapters[:1] + chapters[1:][-1:])


def pages_text(pages: tuple[int, int]) -> str:
    """Return a first and a last page as "3" or "3–5"."""
    first, last = pages
    return str(first) if first == last else f"{first}–{last}"


def _is_apparatus(chunk: Chunk) -> bool:
    titles = chunk.heading.split(" › ")
    return any(NUMBERING.sub("", title).strip(" :.").casefold() in APPARATUS for title in titles)


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ascending spans with neighbours made one."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def _chapter(chunk: Chunk) -> str:
    return chunk.heading.split(" › ")[0]
