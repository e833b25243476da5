"""A whole document summarised: in one pass when it fits, else section by section.

Every part of the text is read, except lists of contents, terms or sources, which are named as left
out; with a focus, the sections of a long text in which a search finds something about it. The
points of each section are written in the document's language and then translated, so that a
summary in another language reads nothing again.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import Final

from assistant import languages
from assistant.noting import TOKENS_PER_POINT, NoteTaker
from assistant.planning import TEMPLATE_TOKENS
from assistant.prompting import overview_messages, phrases
from assistant.protocols import Cancelled, Count, LanguageModel, Store
from assistant.queueing import Ticket, waiting
from assistant.reading import Reader, Section, pages_text, title_of, without_apparatus
from assistant.types import (
    ContextMode,
    ContextPlan,
    Document,
    Piece,
    Point,
    Reason,
    SectionSummary,
    Stage,
    StageName,
    Summary,
)

ACTIVE: Final = re.compile(r"([\[\]<>`])")  # of links, images and markup in Markdown
POINTS_PER_ROUND: Final = 4  # when the points of all sections do not fit one window


class Length(StrEnum):
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


# Length -> (points a section, points of the whole)
POINTS: Final = {Length.SHORT: (1, 4), Length.MEDIUM: (3, 7), Length.LONG: (6, 10)}


class Summarizer:
    """One summary in the making."""

    def __init__(
        self,
        model: LanguageModel,
        store: Store,
        reader: Reader,
        notes: NoteTaker,
        ticket: Ticket,
        cancelled: Cancelled,
    ) -> None:
        self._model = model
        self._store = store
        self._reader = reader
        self._notes = notes
        self._ticket = ticket
        self._cancelled = cancelled

    def summarize(
        self,
        document: Document,
        language: str,
        length: Length,
        focus: str = "",
        about: Collection[int] | None = None,
    ) -> Iterator[Stage | Piece | Summary]:
        """Yield stages, the text of each part once it is whole, and last the summary.

        Others who wait go between two parts.

        Args:
            focus: what the summary keeps to.
            about: ordinals of the chunks that are about it; None when all are.
        """
        parts = self._parts(document, about)
        whole = len(parts) == 1
        per_section, per_whole = POINTS[length]
        written = self._notes.written
        found: list[tuple[Point, ...]] = []  # in the document's language
        told: list[SectionSummary] = []
        for part in parts:
            yield from waiting(self._ticket, self._cancelled)
            yield self._stage(part, len(told), len(parts))
            points = per_whole if whole else per_section
            found.append(self._notes.take(document, part, points, self._cancelled, focus))
            translated = self._translated(found[-1], document, language)
            told.append(SectionSummary(part.title, part.pages, translated))
            text = f"{listed(translated, language)}\n"
            yield Piece(text if whole else f"{head(told[-1], language)}\n{text}\n")
            self._ticket.pass_on()
        overview = told[0].points
        if not whole:
            yield from waiting(self._ticket, self._cancelled)
            yield Stage(StageName.SUMMARISING, len(parts), len(parts) + 1)
            chosen = self._overview(document, parts, found, per_whole, focus)
            overview = self._translated(chosen, document, language)
            yield Piece(f"{phrases(language).overview_title}\n{listed(overview, language)}\n")
        yield Summary(
            document=document,
            language=language,
            length=length.value,
            overview=overview,
            sections=() if whole else tuple(told),
            plan=self._plan(document, parts),
            kept=self._notes.written == written,
            model=self._model.name,
            focus=focus,
        )

    def _stage(self, part: Section, done: int, parts: int) -> Stage:
        return Stage(StageName.SUMMARISING, done, parts + (parts > 1), pages_text(part.pages))

    def _parts(self, document: Document, about: Collection[int] | None) -> list[Section]:
        """Return the document as one part when it fits the window wisely, else its sections.

        Of sections, only those with chunks that it is about.
        """
        found = self._reader.sections(document)
        whole = [chunk for section in found for chunk in section.chunks]
        one = Section(title_of(whole), tuple(whole))
        most = POINTS[Length.LONG][1] * TOKENS_PER_POINT + 8 * TEMPLATE_TOKENS
        fits = self._tokens(document, one) + most <= self._model.effective_tokens
        if fits or about is None:
            return [one] if fits else found
        return [part for part in found if any(c.ordinal in about for c in part.chunks)] or found

    def _tokens(self, document: Document, part: Section) -> int:
        return sum(reading.seen_tokens for reading in self._notes.see(document, part))

    def _overview(
        self,
        document: Document,
        parts: Sequence[Section],
        found: Sequence[tuple[Point, ...]],
        points: int,
        focus: str,
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
            messages = overview_messages(texts, document.language, points=points, focus=focus)
            return self._notes.points(document, cited, messages, points, self._cancelled)

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
        spoken = languages.written_in(text) or document.language
        if spoken == language:
            return text
        return self._notes.translated(document, text, language, self._cancelled)

    def _plan(self, document: Document, parts: Sequence[Section]) -> ContextPlan:
        _, left_out = without_apparatus(self._store.chunks(document.id))
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
            reason=Reason.ASKED,
        )


def markdown(summary: Summary) -> str:
    """Return the summary as a Markdown text with page references."""
    language = summary.language
    lines = [f"# {harmless(title(summary))}", "", _items(summary.overview, language)]
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
    where = f"{phrases(language).page} {pages_text(section.pages)}"
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
