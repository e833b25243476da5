"""A whole document summarised: in one pass when it fits, else section by section.

Every part of the text is read, except tables of contents, glossaries and lists of sources, which
are named as left out. Key points are written in the document's language and then translated, so
that a summary in another language prefills nothing again. A summary on one topic reads what a
search finds about it: small models do not leave the rest of a section aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from assistant.backends.base import Count
from assistant.generation.key_points import TOKENS_PER_POINT
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
from assistant.reports.base import Option, Part, ReportKind, ReportSpec, Tools
from assistant.reports.markdown import point_list, section_heading
from assistant.streams import Events, Progress, Step, TextDelta
from assistant.types import Chunk, ContextMode, ContextPlan, Document, PlanReason, Point

POINTS_PER_ROUND: Final = 4  # when the points of all sections do not fit one window
TOPIC_CHUNKS: Final = 50  # that a search for a topic returns; many stand in lists of sources


class Length(StrEnum):
    """How long a summary is."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


# Length -> (points a section, points of the whole)
POINTS: Final = {Length.SHORT: (1, 4), Length.MEDIUM: (3, 7), Length.LONG: (6, 10)}
MOST_TOKENS: Final = POINTS[Length.LONG][1] * TOKENS_PER_POINT  # of the longest list of points
ORDER_TOKENS: Final = 200  # of the order behind a text, with the chat template around both


@dataclass(frozen=True)
class SectionSummary:
    """Attributes:
    pages: first and last page the section touches.
    """

    title: str
    pages: tuple[int, int]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Summary:
    """A summary of one document in points, each with the page that supports it.

    Attributes:
        language: of the points, as an ISO 639-1 code.
        length: "short", "medium" or "long".
        overview: the points of the whole; for a document read in one pass, all there is.
        sections: in reading order; empty for a document read in one pass.
        plan: every page whose text was read, and those that only list contents, terms or sources.
        kept: True when all points were cached and nothing had to be written.
        model: name of the chat model.
        focus: the topic it is restricted to; "" for the whole document.
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
        """Whether nothing in the document is about the topic."""
        return bool(self.focus) and not self.overview


def write(tools: Tools, documents: tuple[Document, ...], spec: ReportSpec) -> Events[Summary]:
    """Yield progress, and the text of each part once it is whole; return the summary.

    Others who wait for the model go between two parts.
    """
    (document,) = documents
    summarizer = _Summarizer(tools, document, spec)
    return (yield from (summarizer.on_topic() if summarizer.topic else summarizer.whole()))


def outline(summary: Summary) -> tuple[Part, ...]:
    """Return the overview, then the sections."""
    words = phrases(summary.language)
    overview = Part(
        heading=words.overview_title,
        text=words.nothing if summary.found_nothing else "",
        items=_items(summary.overview),
    )
    sections = [
        Part(
            heading=section_heading(section.title, section.pages, summary.language),
            items=_items(section.points),
        )
        for section in summary.sections
    ]
    return (overview, *sections)


KIND: Final = ReportKind(
    name="summary",
    command="summarize",
    document_fields=("document",),
    result=Summary,
    write=write,
    outline=outline,
    options=(Option("length", Length.MEDIUM, tuple(Length)), Option("focus")),
    title=lambda summary: summary.focus,
    plan=lambda summary: summary.plan,
    streams=True,
    example="quipu summarize report.pdf --lang fr --length short -o report.fr.md",
    position=1,
)


class _Summarizer:
    """One summary in the making."""

    def __init__(self, tools: Tools, document: Document, spec: ReportSpec) -> None:
        self._tools = tools
        self._document = document
        self._language = spec.language
        self._length = Length(spec.option("length"))
        self._written = tools.key_points.written
        self.topic = spec.option("focus")

    def whole(self) -> Events[Summary]:
        """Summarise the document part by part."""
        parts = self._parts()
        alone = len(parts) == 1
        per_section, per_whole = POINTS[self._length]
        found: list[tuple[Point, ...]] = []  # in the document's language
        told: list[SectionSummary] = []
        for part in parts:
            yield from self._tools.ticket.turn()
            yield Progress(
                Step.SUMMARISING, len(told), len(parts) + (not alone), page_range(part.pages)
            )
            points = per_whole if alone else per_section
            found.append(self._points(part, points))
            told.append(SectionSummary(part.title, part.pages, self._translated(found[-1])))
            yield TextDelta(self._part_text(told[-1], alone=alone))
            self._tools.ticket.pass_on()
        if alone:
            return self._summary(told[0].points, (), parts)
        yield from self._tools.ticket.turn()
        yield Progress(Step.SUMMARISING, len(parts), len(parts) + 1)
        overview = self._translated(self._overview(parts, found, per_whole))
        title = phrases(self._language).overview_title
        yield TextDelta(f"{title}\n{point_list(overview, self._language)}\n")
        return self._summary(overview, tuple(told), parts)

    def on_topic(self) -> Events[Summary]:
        """Summarise what a search finds about the topic; the summary has no sections."""
        part = self._chunks_on_topic()
        yield Progress(Step.SUMMARISING, 0, 1, page_range(part.pages))
        points: tuple[Point, ...] = ()
        topic = self._topic_in_document_language()
        tools = self._tools
        if tools.key_points.is_on_topic(self._document, part, topic, tools.cancelled):
            points = self._translated(self._points(part, POINTS[self._length][1], topic))
        nothing = phrases(self._language).nothing
        yield TextDelta(f"{point_list(points, self._language) or nothing}\n")
        return self._summary(points, (), [part])

    def _summary(
        self,
        overview: tuple[Point, ...],
        sections: tuple[SectionSummary, ...],
        parts: Sequence[Section],
    ) -> Summary:
        return Summary(
            document=self._document,
            language=self._language,
            length=self._length.value,
            overview=overview,
            sections=sections,
            plan=self._plan(parts),
            kept=self._tools.key_points.written == self._written,
            model=self._tools.model.name,
            focus=self.topic,
        )

    def _points(self, part: Section, points: int, topic: str = "") -> tuple[Point, ...]:
        tools = self._tools
        return tools.key_points.of_section(self._document, part, points, tools.cancelled, topic)

    def _part_text(self, told: SectionSummary, *, alone: bool) -> str:
        text = f"{point_list(told.points, self._language)}\n"
        heading = section_heading(told.title, told.pages, self._language)
        return text if alone else f"{heading}\n{text}\n"

    def _topic_in_document_language(self) -> str:
        """Return the topic translated: small models mix the languages of a prompt up."""
        home = self._document.language
        among = [self._language, home] if self._language != home else None
        if detection.identify(self.topic, among=among) == home:
            return self.topic
        tools = self._tools
        return tools.key_points.translated(self._document, self.topic, home, tools.cancelled)

    def _chunks_on_topic(self) -> Section:
        """Return the best chunks for the topic that fit one prompt, in reading order."""
        tools = self._tools
        body, _ = without_back_matter(tools.store.chunks(self._document.id))
        ordinals = {chunk.ordinal for chunk in body}
        limit = min(SECTION_TOKENS, tools.model.effective_tokens // 2)
        chosen: list[Chunk] = []
        for chunk in tools.search(self._document, self.topic, TOPIC_CHUNKS):
            if chunk.ordinal in ordinals:
                limit -= tools.model.count(chunk.text)
                if chosen and limit < 0:
                    break
                chosen.append(chunk)
        chunks = sorted(chosen or body[:1], key=lambda chunk: chunk.ordinal)
        return Section(title_of(chunks), tuple(chunks))

    def _parts(self) -> list[Section]:
        """Return the document as one part when its points fit one window, else its sections."""
        found = self._tools.prefixes.sections(self._document)
        chunks = [chunk for section in found for chunk in section.chunks]
        one = Section(title_of(chunks), tuple(chunks))
        fits = self._tokens(one) + ORDER_TOKENS + MOST_TOKENS <= self._tools.model.effective_tokens
        return [one] if fits else found

    def _tokens(self, part: Section) -> int:
        """Return the tokens of the text of a part as it is prefilled."""
        prefixes = self._tools.key_points.showing(self._document, part)
        return sum(self._tools.model.count(prefix.text) for prefix in prefixes)

    def _overview(
        self, parts: Sequence[Section], found: Sequence[tuple[Point, ...]], points: int
    ) -> tuple[Point, ...]:
        """Choose among the points of all parts, in rounds when they do not fit one window."""
        tools, document = self._tools, self._document
        starts = [point.citation.char_start for few in found for point in few if point.citation]
        cited = [
            chunk
            for part in parts
            for chunk in part.chunks
            if any(chunk.char_start <= start < chunk.char_end for start in starts)
        ]

        def chosen(texts: Sequence[str], points: int) -> tuple[Point, ...]:
            messages = overview_messages(texts, document.language, points=points)
            return tools.key_points.points(document, cited, messages, points, tools.cancelled)

        room = tools.model.effective_tokens // 2
        texts = [f"{part.title}\n{_bullets(few)}" for part, few in zip(parts, found, strict=True)]
        while len(texts) > 1 and sum(map(tools.model.count, texts)) > room:
            rounds = _rounds(texts, tools.model.count, room)
            texts = [_bullets(chosen(few, POINTS_PER_ROUND)) for few in rounds]
        return chosen(texts, points)

    def _translated(self, points: Sequence[Point]) -> tuple[Point, ...]:
        """Return the points in the language; one that cannot be translated stays as it was."""
        return tuple(Point(self._in_language(point.text), point.citation) for point in points)

    def _in_language(self, text: str) -> str:
        spoken = detection.written_in(text) or self._document.language
        if spoken == self._language:
            return text
        tools = self._tools
        return tools.key_points.translated(self._document, text, self._language, tools.cancelled)

    def _plan(self, parts: Sequence[Section]) -> ContextPlan:
        document = self._document
        _, left_out = without_back_matter(self._tools.store.chunks(document.id))
        pages = sorted({page for part in parts for c in part.chunks for page in c.pages})
        return ContextPlan(
            mode=ContextMode.WHOLE if len(parts) == 1 else ContextMode.HIERARCHICAL,
            window=self._tools.model.effective_tokens,
            ledger={
                "rules": 0,
                "documents": max(map(self._tokens, parts)),
                "conversation": 0,
                "question": ORDER_TOKENS,
                "answer": MOST_TOKENS,
            },
            pages_read=tuple((document.id, page) for page in pages),
            pages_left_out=tuple((document.id, page) for page in left_out if page not in pages),
            reason=PlanReason.ASKED,
        )


def _items(points: Sequence[Point]) -> tuple[tuple[Point, ...], ...]:
    return tuple((point,) for point in points)


def _bullets(points: Sequence[Point]) -> str:
    return "\n".join(f"- {point.text}" for point in points)


def _rounds(texts: Sequence[str], count: Count, limit_tokens: int) -> list[list[str]]:
    """Return the texts in order, in groups of two or more that fit where that is possible."""
    groups: list[list[str]] = []
    for text in texts:
        if groups and (len(groups[-1]) < 2 or sum(map(count, [*groups[-1], text])) <= limit_tokens):
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups
