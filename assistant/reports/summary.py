"""A whole document summarised: in one pass when it fits, else section by section.

Every part of the text is read, except lists of contents, terms or sources, which are named as left
out. The points of each section are written in the document's language and then translated, so
that a summary in another language reads nothing again. A summary that keeps to one subject reads
what a search finds about it: small models do not leave aside the rest of a section.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from assistant.backends.base import ChatModel, Count
from assistant.generation.budget import TEMPLATE_TOKENS
from assistant.generation.key_points import TOKENS_PER_POINT, KeyPoints
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import overview_messages
from assistant.generation.sections import (
    SECTION_TOKENS,
    Section,
    page_range,
    title_of,
    without_back_matter,
)
from assistant.languages import detection
from assistant.languages.registry import phrases
from assistant.queueing import Ticket
from assistant.storage.base import Store
from assistant.streams import Progress, Step, TextDelta
from assistant.types import Chunk, ContextMode, ContextPlan, Document, PlanReason, Point

ACTIVE: Final = re.compile(r"([\[\]<>`])")  # of links, images and markup in Markdown
LIKELY: Final = 0.3  # of yes against no, when asked whether passages are about the focus
POINTS_PER_ROUND: Final = 4  # when the points of all sections do not fit one window


class Length(StrEnum):
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


# Length -> (points a section, points of the whole)
POINTS: Final = {Length.SHORT: (1, 4), Length.MEDIUM: (3, 7), Length.LONG: (6, 10)}


@dataclass(frozen=True)
class SectionSummary:
    """Attributes:
    pages: first and last page the section touches.
    """

    title: str
    pages: tuple[int, int]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class SummarySpec:
    """What a summary is written for; see `Summary`."""

    document: str
    language: str
    length: str
    focus: str = ""

    @property
    def documents(self) -> tuple[str, ...]:
        return (self.document,)


@dataclass(frozen=True)
class Summary:
    """Attributes:
    length: "short", "medium" or "long".
    focus: what it keeps to; "" for all that the document says.
    overview: the points of the whole; for a document read in one pass, all there is.
    sections: in reading order; empty for a document read in one pass.
    plan: every page whose text was read, and those that only list contents, terms or sources.
    kept: True when nothing had to be read again.
    """

    document: Document
    language: str
    length: str
    overview: tuple[Point, ...]
    sections: tuple[SectionSummary, ...]
    plan: ContextPlan
    kept: bool
    model: str
    focus: str = ""

    @property
    def found_nothing(self) -> bool:
        """Whether nothing in the document is about the focus."""
        return bool(self.focus) and not self.overview

    @property
    def order(self) -> SummarySpec:
        return SummarySpec(self.document.id, self.language, self.length, self.focus)


class Summarizer:
    """One summary in the making."""

    def __init__(
        self,
        model: ChatModel,
        store: Store,
        reader: Prefixes,
        notes: KeyPoints,
        ticket: Ticket,
    ) -> None:
        self._model = model
        self._store = store
        self._reader = reader
        self._notes = notes
        self._ticket = ticket

    def summarize(
        self, document: Document, language: str, length: Length
    ) -> Iterator[Progress | TextDelta | Summary]:
        """Yield stages, the text of each part once it is whole, and last the summary.

        Others who wait go between two parts.
        """
        parts = self._parts(document)
        whole = len(parts) == 1
        per_section, per_whole = POINTS[length]
        written = self._notes.written
        found: list[tuple[Point, ...]] = []  # in the document's language
        told: list[SectionSummary] = []
        for part in parts:
            yield from self._ticket.turn()
            yield self._stage(part, len(told), len(parts))
            points = per_whole if whole else per_section
            found.append(self._notes.take(document, part, points, self._ticket.cancelled))
            translated = self._translated(found[-1], document, language)
            told.append(SectionSummary(part.title, part.pages, translated))
            text = f"{listed(translated, language)}\n"
            yield TextDelta(text if whole else f"{head(told[-1], language)}\n{text}\n")
            self._ticket.pass_on()
        overview = told[0].points
        if not whole:
            yield from self._ticket.turn()
            yield Progress(Step.SUMMARISING, len(parts), len(parts) + 1)
            chosen = self._overview(document, parts, found, per_whole)
            overview = self._translated(chosen, document, language)
            yield TextDelta(f"{phrases(language).overview_title}\n{listed(overview, language)}\n")
        yield Summary(
            document=document,
            language=language,
            length=length.value,
            overview=overview,
            sections=() if whole else tuple(told),
            plan=self._plan(document, parts),
            kept=self._notes.written == written,
            model=self._model.name,
        )

    def keep_to(
        self,
        focus: str,
        found: Sequence[Chunk],
        document: Document,
        language: str,
        length: Length,
    ) -> Iterator[Progress | TextDelta | Summary]:
        """Yield stages, the points about one subject, and last the summary: it has no sections.

        Args:
            focus: the subject.
            found: what a search for it found, best first.
        """
        part = self._about(document, found)
        written = self._notes.written
        yield Progress(Step.SUMMARISING, 0, 1, page_range(part.pages))
        points: tuple[Point, ...] = ()
        subject = self._subject(focus, document, language)
        if self._notes.concern(document, part, subject, self._ticket.cancelled) >= LIKELY:
            taken = self._notes.take(
                document, part, POINTS[length][1], self._ticket.cancelled, subject
            )
            points = self._translated(taken, document, language)
        yield TextDelta(f"{listed(points, language) or phrases(language).nothing}\n")
        yield Summary(
            document=document,
            language=language,
            length=length.value,
            overview=points,
            sections=(),
            plan=self._plan(document, [part]),
            kept=self._notes.written == written,
            model=self._model.name,
            focus=focus,
        )

    def _subject(self, focus: str, document: Document, language: str) -> str:
        """Return the focus in the document's language: small models mix a prompt's languages up."""
        home = document.language
        among = [language, home] if language != home else None
        if detection.identify(focus, among=among) == home:
            return focus
        return self._notes.translated(document, focus, home, self._ticket.cancelled)

    def _about(self, document: Document, found: Sequence[Chunk]) -> Section:
        """Return the first of what was found, as far as one reading takes it, in reading order."""
        body, _ = without_back_matter(self._store.chunks(document.id))
        ordinals = {chunk.ordinal for chunk in body}
        limit = min(SECTION_TOKENS, self._model.effective_tokens // 2)
        chosen: list[Chunk] = []
        for chunk in found:
            if chunk.ordinal in ordinals:
                limit -= self._model.count(chunk.text)
                if chosen and limit < 0:
                    break
                chosen.append(chunk)
        chunks = sorted(chosen or body[:1], key=lambda chunk: chunk.ordinal)
        return Section(title_of(chunks), tuple(chunks))

    def _stage(self, part: Section, done: int, parts: int) -> Progress:
        return Progress(Step.SUMMARISING, done, parts + (parts > 1), page_range(part.pages))

    def _parts(self, document: Document) -> list[Section]:
        """Return the document as one part when it fits the window wisely, else its sections."""
        found = self._reader.sections(document)
        whole = [chunk for section in found for chunk in section.chunks]
        one = Section(title_of(whole), tuple(whole))
        most = POINTS[Length.LONG][1] * TOKENS_PER_POINT + 8 * TEMPLATE_TOKENS
        fits = self._tokens(document, one) + most <= self._model.effective_tokens
        return [one] if fits else found

    def _tokens(self, document: Document, part: Section) -> int:
        return sum(reading.seen_tokens for reading in self._notes.see(document, part))

    def _overview(
        self,
        document: Document,
        parts: Sequence[Section],
        found: Sequence[tuple[Point, ...]],
        points: int,
    ) -> tuple[Point, ...]:
        """Choose among the points of all parts, in rounds when they do not fit one window."""
        starts = [point.citation.char_start for few in found for point in few if point.citation]
        cited = [
            chunk
            for part in parts
            for chunk in part.chunks
            if any(chunk.char_start <= start < chunk.char_end for start in starts)
        ]

        def chosen(texts: Sequence[str], points: int) -> tuple[Point, ...]:
            messages = overview_messages(texts, document.language, points=points)
            return self._notes.points(document, cited, messages, points, self._ticket.cancelled)

        room = self._model.effective_tokens // 2
        texts = [f"{part.title}\n{_bullets(few)}" for part, few in zip(parts, found, strict=True)]
        while len(texts) > 1 and sum(map(self._model.count, texts)) > room:
            rounds = _rounds(texts, self._model.count, room)
            texts = [_bullets(chosen(few, POINTS_PER_ROUND)) for few in rounds]
        return chosen(texts, points)

    def _translated(
        self, points: Sequence[Point], document: Document, language: str
    ) -> tuple[Point, ...]:
        """Return the points in the language; one that cannot be brought into it as it was."""
        return tuple(
            Point(self._in_language(point.text, document, language), point.citation)
            for point in points
        )

    def _in_language(self, text: str, document: Document, language: str) -> str:
        spoken = detection.written_in(text) or document.language
        if spoken == language:
            return text
        return self._notes.translated(document, text, language, self._ticket.cancelled)

    def _plan(self, document: Document, parts: Sequence[Section]) -> ContextPlan:
        _, left_out = without_back_matter(self._store.chunks(document.id))
        pages = sorted({page for part in parts for c in part.chunks for page in c.pages})
        return ContextPlan(
            mode=ContextMode.WHOLE if len(parts) == 1 else ContextMode.HIERARCHICAL,
            window=self._model.effective_tokens,
            ledger={
                "rules": 0,
                "documents": max(self._tokens(document, part) for part in parts),
                "conversation": 0,
                "question": 2 * TEMPLATE_TOKENS,
                "answer": POINTS[Length.LONG][1] * TOKENS_PER_POINT,
            },
            pages_read=tuple((document.id, page) for page in pages),
            pages_left_out=tuple((document.id, page) for page in left_out if page not in pages),
            reason=PlanReason.ASKED,
        )


def markdown(summary: Summary) -> str:
    """Return the summary as a Markdown text with page references."""
    language = summary.language
    nothing = phrases(language).nothing if summary.found_nothing else ""
    overview = nothing or _items(summary.overview, language)
    lines = [f"# {harmless(title(summary))}", "", overview]
    for section in summary.sections:
        lines += [
            "",
            f"## {harmless(head(section, language))}",
            "",
            _items(section.points, language),
        ]
    return "\n".join(lines) + "\n"


def title(summary: Summary) -> str:
    """Return the title of the document, with what the summary keeps to."""
    focus = f": {summary.focus}" if summary.focus else ""
    return f"{summary.document.title}{focus}"


def _items(points: Sequence[Point], language: str) -> str:
    return harmless(listed(points, language))


def harmless(text: str) -> str:
    """Return Markdown text without links, images or markup: nothing is fetched for it."""
    return ACTIVE.sub(r"\\\1", text)


def listed(points: Sequence[Point], language: str) -> str:
    """Return the points as a Markdown list, with their pages."""
    return "\n".join(f"- {with_page(point, language)}" for point in points)


def with_page(point: Point, language: str) -> str:
    """Return the text of a point, with its page where its support was found."""
    if point.citation is None or not point.citation.supported:
        return point.text
    return f"{point.text} ({phrases(language).page} {point.citation.page})"


def _bullets(points: Sequence[Point]) -> str:
    return "\n".join(f"- {point.text}" for point in points)


def head(section: SectionSummary, language: str) -> str:
    """Return the title and the pages of a section."""
    where = f"{phrases(language).page} {page_range(section.pages)}"
    return f"{section.title} ({where})" if section.title else where


def _rounds(texts: Sequence[str], count: Count, limit_tokens: int) -> list[list[str]]:
    """Return the texts in order, in groups of two or more that fit where that is possible."""
    groups: list[list[str]] = []
    for text in texts:
        if groups and (len(groups[-1]) < 2 or sum(map(count, [*groups[-1], text])) <= limit_tokens):
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups
