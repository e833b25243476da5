"""A whole document summarised: in one pass when it fits, else section by section.

Every part of the text is read, except lists of contents, terms or sources, which are named as left
out. A summary is made of points, each held against the sentences it was written from, which gives
its page. The points of a section are kept with the document, so that an interrupted or repeated
summary reads nothing twice.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from hashlib import sha256
from typing import Final

from assistant import languages
from assistant.citing import Citer, Embed, without_markers
from assistant.planning import TEMPLATE_TOKENS
from assistant.prompting import (
    FIRST_POINT,
    PHRASES,
    chunk_text,
    overview_messages,
    phrases,
    reading_text,
    section_head,
    summary_messages,
    translation_messages,
)
from assistant.protocols import Cancelled, Count, LanguageModel, Store
from assistant.reading import Reader, Section, pages_text, title_of, without_apparatus
from assistant.types import (
    Chunk,
    Citation,
    ContextMode,
    ContextPlan,
    Document,
    Generation,
    Message,
    Passage,
    Piece,
    Point,
    Reading,
    SectionSummary,
    Stage,
    StageName,
    Summary,
)

VERSION: Final = "5"  # of the prompts: kept points of another version are not used
TOKENS_PER_POINT: Final = 70
TRANSLATION_GROWTH: Final = 3  # tokens of a translation for one of the text, at most
ASKED_MORE: Final = 1  # asked for one point alone, small models write what they know of the subject
POINTS_PER_ROUND: Final = 4  # when the points of all sections do not fit one window
LEAST_KEPT: Final = 0.4  # of a text, when its last half sentence is dropped
ITEM: Final = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s*")


class Length(StrEnum):
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


# Length -> (points a section, points of the whole)
POINTS: Final = {Length.SHORT: (1, 4), Length.MEDIUM: (3, 7), Length.LONG: (6, 10)}


def _rounds(texts: Sequence[str], count: Count, limit_tokens: int) -> list[list[str]]:
    """Return the texts in order, in groups of two or more that fit where that is possible."""
    groups: list[list[str]] = []
    for text in texts:
        if groups and (len(groups[-1]) < 2 or sum(map(count, [*groups[-1], text])) <= limit_tokens):
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups


class Summarizer:
    """One summary in the making."""

    def __init__(
        self,
        model: LanguageModel,
        store: Store,
        embed: Embed,
        reader: Reader,
        cancelled: Cancelled,
    ) -> None:
        self._model = model
        self._store = store
        self._reader = reader
        self._embed = embed
        self._cancelled = cancelled
        self._written_anew = 0

    def summarize(
        self, document: Document, language: str, length: Length
    ) -> Iterator[Stage | Piece | Summary]:
        """Yield stages, the text of each part once it is whole, and last the summary."""
        parts = self._parts(document)
        whole = len(parts) == 1
        per_section, per_whole = POINTS[length]
        found: list[tuple[Point, ...]] = []  # in the document's language
        told: list[SectionSummary] = []
        for part in parts:
            yield self._stage(part, len(told), len(parts))
            found.append(self._part(document, part, per_whole if whole else per_section))
            points = self._translated(found[-1], document, language)
            told.append(SectionSummary(part.title, part.pages, points))
            text = f"{listed(points, language)}\n"
            yield Piece(text if whole else f"{head(told[-1], language)}\n{text}\n")
        overview = told[0].points
        if not whole:
            yield Stage(StageName.SUMMARISING, len(parts), len(parts) + 1)
            chosen = self._overview(document, parts, found, per_whole)
            overview = self._translated(chosen, document, language)
            yield Piece(f"{phrases(language).overview_title}\n{listed(overview, language)}\n")
        yield Summary(
            document=document,
            language=language,
            overview=overview,
            sections=() if whole else tuple(told),
            plan=self._plan(document, parts),
            kept=self._written_anew == 0,
            model=self._model.name,
        )

    def _stage(self, part: Section, done: int, parts: int) -> Stage:
        return Stage(StageName.SUMMARISING, done, parts + (parts > 1), pages_text(part.pages))

    def _parts(self, document: Document) -> list[Section]:
        """Return the document as one part when it fits the window wisely, else its sections."""
        found = self._reader.sections(document)
        whole = [chunk for section in found for chunk in section.chunks]
        one = Section(title_of(whole), tuple(whole))
        most = POINTS[Length.LONG][1] * TOKENS_PER_POINT + 8 * TEMPLATE_TOKENS
        fits = self._tokens(document, one) + most <= self._model.effective_tokens
        return [one] if fits else found

    def _tokens(self, document: Document, part: Section) -> int:
        return sum(reading.seen_tokens for reading in self._see(document, part))

    def _see(self, document: Document, part: Section) -> list[Reading]:
        """Return the whole part as the model reads it."""
        return self._reader.see([Passage(chunk, document, score=0.0) for chunk in part.chunks])

    def _part(self, document: Document, part: Section, points: int) -> tuple[Point, ...]:
        head = section_head(document, part.title)
        text = reading_text(head, [chunk_text(chunk) for chunk in part.chunks])
        messages = summary_messages(text, document.language, points=points + ASKED_MORE)
        read = self._see(document, part)
        return self._points(document, part.chunks, messages, points, read)

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
            return self._points(document, cited, messages, points)

        room = self._model.effective_tokens // 2
        texts = [f"{part.title}\n{_bullets(few)}" for part, few in zip(parts, found, strict=True)]
        while len(texts) > 1 and sum(map(self._model.count, texts)) > room:
            rounds = _rounds(texts, self._model.count, room)
            texts = [_bullets(chosen(few, POINTS_PER_ROUND)) for few in rounds]
        return chosen(texts, points)

    def _points(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        messages: Sequence[Message],
        points: int,
        read: Sequence[Reading] = (),
    ) -> tuple[Point, ...]:
        """Return what the model writes, each point with the sentence of the chunks it stands on.

        Args:
            read: the first of the messages as it is read; none when it is read as it stands.
        """

        def written() -> str:
            reply = whole_sentences(self._list(messages, points, read))
            citer = Citer([Passage(chunk, document, score=0.0) for chunk in chunks], self._embed)
            made = [Point(text, citer.cite(text)) for text in _statements(reply)[:points]]
            return json.dumps([asdict(point) for point in made])

        return _loaded(self._kept(document, messages, written))

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
        messages = translation_messages(text, language)
        limit = TRANSLATION_GROWTH * self._model.count(text) + TOKENS_PER_POINT

        def written() -> str:
            reply = whole_sentences("".join(self._stream(messages, "", limit)))
            return " ".join(reply.split())  # a point is one line of a list

        translated = self._kept(document, messages, written)
        known = language not in PHRASES or languages.written_in(translated) in ("", language)
        return translated if known and translated else text

    def _kept(
        self, document: Document, messages: Sequence[Message], write: Callable[[], str]
    ) -> str:
        """Return what was kept for the same messages, or what is written now."""
        key = self._key(messages)
        if (kept := self._store.kept(document.id, key)) is not None:
            return kept
        text = write()
        self._store.keep(document.id, key, text)
        self._written_anew += 1
        return text

    def _list(self, messages: Sequence[Message], points: int, read: Sequence[Reading]) -> str:
        """Return a numbered list of at most so many points, and stop at the next."""
        beyond = re.compile(rf"\n\s*{points + 1}[.)]\s")
        text = FIRST_POINT
        for piece in self._stream(messages, text, points * TOKENS_PER_POINT, read):
            text += piece
            if beyond.search(text):
                break
        return text

    def _stream(
        self,
        messages: Sequence[Message],
        start: str,
        limit_tokens: int,
        read: Sequence[Reading] = (),
    ) -> Generator[str, None, Generation]:
        before, after = self._model.encode_apart(messages, reply_start=start)
        return self._model.stream(
            after if read else before + after,
            limit_tokens=limit_tokens,
            readings=read,
            cancelled=self._cancelled,
        )

    def _key(self, messages: Sequence[Message]) -> str:
        said = "\x00".join(message.text for message in messages)
        digest = sha256(f"{VERSION}\x00{said}".encode()).hexdigest()
        return f"summary:{self._model.name}:{digest}"

    def _plan(self, document: Document, parts: Sequence[Section]) -> ContextPlan:
        _, left_out = without_apparatus(self._store.chunks(document.id))
        pages = sorted({page for part in parts for c in part.chunks for page in c.pages})
        return ContextPlan(
            mode=ContextMode.WHOLE if len(parts) == 1 else ContextMode.SECTIONS,
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
        )


def markdown(summary: Summary) -> str:
    """Return the summary as a Markdown text with page references."""
    language = summary.language
    lines = [f"# {summary.document.title}", "", listed(summary.overview, language)]
    for section in summary.sections:
        lines += ["", f"## {head(section, language)}", "", listed(section.points, language)]
    return "\n".join(lines) + "\n"


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


def _statements(reply: str) -> list[str]:
    """Return the items of a reply, without their numbers, marks and introductions."""
    lines = [_plain(line) for line in reply.split("\n")]
    return list(dict.fromkeys(line for line in lines if line and not line.endswith(":")))


def _plain(text: str) -> str:
    return without_markers(ITEM.sub("", text)).replace("**", "").strip()


def _loaded(kept: str) -> tuple[Point, ...]:
    return tuple(
        Point(value["text"], Citation(**value["citation"]) if value["citation"] else None)
        for value in json.loads(kept)
    )


def whole_sentences(text: str) -> str:
    """Return the text up to its last full sentence, when the limit cut one off."""
    text = text.strip()
    end = max(text.rfind(mark) for mark in ".!?।。…")
    return text[: end + 1] if end > len(text) * LEAST_KEPT else text
