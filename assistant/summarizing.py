"""A whole document summarised: in one pass when it fits, else section by section.

Every part of the text is read; which pages were read is in the result. What was written for a
section is kept with the document, so that an interrupted or repeated summary reads nothing twice.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from assistant import languages
from assistant.planning import TEMPLATE_TOKENS
from assistant.prompting import (
    PHRASES,
    SUMMARY_RULES,
    overview_messages,
    phrases,
    summary_messages,
)
from assistant.protocols import Cancelled, Count, LanguageModel, Store
from assistant.types import (
    Chunk,
    ContextMode,
    ContextPlan,
    Document,
    Message,
    Piece,
    SectionSummary,
    Stage,
    StageName,
    Summary,
)

VERSION: Final = "2"  # of the prompts: a kept text of another version is not used
SECTION_TOKENS: Final = 3_600  # a small model keeps the points of so much in a few sentences
TOKENS_PER_SENTENCE: Final = 55
LEAST_KEPT: Final = 0.4  # of a text, when its last half sentence is dropped


class Length(StrEnum):
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


# Length -> (sentences a section, sentences of the overview)
SENTENCES: Final = {Length.SHORT: (1, 5), Length.MEDIUM: (3, 7), Length.LONG: (6, 10)}


@dataclass(frozen=True)
class Section:
    """Consecutive chunks that are summarised together."""

    title: str
    chunks: tuple[Chunk, ...]

    @property
    def text(self) -> str:
        return "\n".join(chunk.text for chunk in self.chunks)

    @property
    def pages(self) -> tuple[int, int]:
        return self.chunks[0].pages[0], self.chunks[-1].pages[-1]


def sections(chunks: Sequence[Chunk], count: Count, limit_tokens: int) -> list[Section]:
    """Return all chunks in order, grouped by their chapter as long as `limit_tokens` allow."""
    groups: list[list[Chunk]] = []
    used = 0
    for chunk in chunks:
        cost = count(chunk.text)
        same = bool(groups) and _chapter(groups[-1][-1]) == _chapter(chunk)
        fits = used + cost <= limit_tokens
        if groups and fits and (same or used < limit_tokens // 3):
            groups[-1].append(chunk)
            used += cost
        else:
            groups.append([chunk])
            used = cost
    return [Section(_title(group), tuple(group)) for group in groups]


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

    def __init__(self, model: LanguageModel, store: Store, cancelled: Cancelled) -> None:
        self._model = model
        self._store = store
        self._cancelled = cancelled
        self._written_anew = 0

    def summarize(
        self, document: Document, language: str, length: Length
    ) -> Iterator[Stage | Piece | Summary]:
        """Yield stages, the text of each part once it is whole, and last the summary."""
        parts = self._parts(self._store.chunks(document.id))
        whole = len(parts) == 1
        per_section, per_whole = SENTENCES[length]
        done: list[SectionSummary] = []
        for part in parts:
            yield self._stage(part, len(done), len(parts))
            text = self._part(document, part, language, per_whole if whole else per_section)
            done.append(SectionSummary(part.title, part.pages, text))
            yield Piece(f"{text}\n" if whole else f"{_head(part, language)}\n{text}\n\n")
        overview = done[0].text
        if not whole:
            yield Stage(StageName.SUMMARISING, len(parts), len(parts) + 1)
            overview = self._overview(document, [s.text for s in done], language, per_whole)
            yield Piece(f"{phrases(language).overview_title}\n{overview}\n")
        yield Summary(
            document=document,
            language=language,
            overview=overview,
            sections=() if whole else tuple(done),
            plan=self._plan(document, parts),
            pages_read=tuple(sorted({p for part in parts for c in part.chunks for p in c.pages})),
            kept=self._written_anew == 0,
            model=self._model.name,
        )

    def _stage(self, part: Section, done: int, parts: int) -> Stage:
        first, last = part.pages
        note = str(first) if first == last else f"{first}–{last}"
        return Stage(StageName.SUMMARISING, done, parts + (parts > 1), note)

    def _parts(self, chunks: Sequence[Chunk]) -> list[Section]:
        """Return the document as one part when it fits the window wisely, else its sections."""
        most = SENTENCES[Length.LONG][1] * TOKENS_PER_SENTENCE
        framing = self._model.count(SUMMARY_RULES) + 8 * TEMPLATE_TOKENS
        room = self._model.effective_tokens - most - framing
        if sum(self._model.count(chunk.text) + 1 for chunk in chunks) <= room:
            return [Section(_title(chunks), tuple(chunks))]
        return sections(chunks, self._model.count, min(room, SECTION_TOKENS))

    def _part(self, document: Document, part: Section, language: str, sentences: int) -> str:
        where = f"{document.title}: {part.title}" if part.title else document.title
        messages = summary_messages(part.text, language, sentences=sentences, where=where)
        return self._written(document, messages, language, sentences)

    def _overview(
        self, document: Document, texts: Sequence[str], language: str, sentences: int
    ) -> str:
        """Summarise the summaries, in rounds when they are too many for one window."""
        room = self._model.effective_tokens // 2
        while len(texts) > 1 and sum(map(self._model.count, texts)) > room:
            rounds = _rounds(texts, self._model.count, room)
            texts = [
                self._written(document, overview_messages(few, language, sentences=4), language, 4)
                for few in rounds
            ]
        messages = overview_messages(texts, language, sentences=sentences)
        return self._written(document, messages, language, sentences)

    def _written(
        self, document: Document, messages: Sequence[Message], language: str, sentences: int
    ) -> str:
        """Return what the model writes, or what it wrote for the same messages before."""
        key = self._key(messages, sentences)
        if (kept := self._store.kept(document.id, key)) is not None:
            return kept
        text = self._in_language(messages, language, sentences)
        self._store.keep(document.id, key, text)
        self._written_anew += 1
        return text

    def _in_language(self, messages: Sequence[Message], language: str, sentences: int) -> str:
        """Write, and write again with the first words given when the language strays."""
        text = self._reply(messages, "", sentences)
        if languages.written_in(text) in ("", language) or language not in PHRASES:
            return text
        again = self._reply(messages, phrases(language).reply_start, sentences)
        return again if languages.written_in(again) == language else text

    def _reply(self, messages: Sequence[Message], start: str, sentences: int) -> str:
        prompt = self._model.encode(messages, reply_start=start)
        limit = sentences * TOKENS_PER_SENTENCE
        pieces = self._model.stream(prompt, limit_tokens=limit, cancelled=self._cancelled)
        return whole_sentences(start + "".join(pieces))

    def _key(self, messages: Sequence[Message], sentences: int) -> str:
        said = "\x00".join(message.text for message in messages)
        digest = sha256(f"{VERSION}\x00{sentences}\x00{said}".encode()).hexdigest()
        return f"summary:{self._model.name}:{digest}"

    def _plan(self, document: Document, parts: Sequence[Section]) -> ContextPlan:
        pages = sorted({page for part in parts for c in part.chunks for page in c.pages})
        return ContextPlan(
            mode=ContextMode.WHOLE if len(parts) == 1 else ContextMode.SECTIONS,
            window=self._model.effective_tokens,
            ledger={
                "rules": self._model.count(SUMMARY_RULES),
                "documents": max(self._model.count(part.text) for part in parts),
                "conversation": 0,
                "question": 2 * TEMPLATE_TOKENS,
                "answer": SENTENCES[Length.LONG][1] * TOKENS_PER_SENTENCE,
            },
            pages_read=tuple((document.id, page) for page in pages),
        )


def markdown(summary: Summary) -> str:
    """Return the summary as a Markdown text with page references."""
    words = phrases(summary.language)
    lines = [f"# {summary.document.title}", "", summary.overview]
    for section in summary.sections:
        where = _where(section.pages, words.page)
        lines += ["", f"## {section.title or words.overview_title} ({where})", "", section.text]
    return "\n".join(lines) + "\n"


def _where(pages: tuple[int, int], label: str) -> str:
    first, last = pages
    return f"{label} {first}" if first == last else f"{label} {first}–{last}"


def _head(part: Section, language: str) -> str:
    where = _where(part.pages, phrases(language).page)
    return f"{part.title} ({where})" if part.title else where


def _chapter(chunk: Chunk) -> str:
    return chunk.heading.split(" › ")[0]


def _title(chunks: Sequence[Chunk]) -> str:
    """Return the chapters the chunks begin and end in."""
    chapters = list(dict.fromkeys(_chapter(chunk) for chunk in chunks if chunk.heading))
    return " / ".join(chapters[:1] + chapters[1:][-1:])


def whole_sentences(text: str) -> str:
    """Return the text up to its last full sentence, when the limit cut one off."""
    text = text.strip()
    end = max(text.rfind(mark) for mark in ".!?।。…")
    text = text[: end + 1] if end > len(text) * LEAST_KEPT else text
    return re.sub(r"\n\s*(?:\d+[.)]|[-*•])\s*$", "", text).rstrip()  # an item that only began
