"""A document as a model reads it: section by section, each read by itself and kept.

A section is a run of whole chunks. Its reading begins with the rules, as every prompt does, and
knows which of its tokens came from which chunk, so that a question needs to see only some of
them. Lists of contents, terms or sources belong to no section. Knows no questions.
"""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.backends.base import ChatModel, PrefillReport, PrefillState, Prefix
from assistant.errors import NotKept
from assistant.generation.prompts import chunk_text, reading_text, section_head
from assistant.generation.sections import (
    SECTION_TOKENS,
    Section,
    page_range,
    sections,
    without_back_matter,
)
from assistant.storage.base import Store
from assistant.streams import IsCancelled, Progress, Step
from assistant.types import Document, Message, Passage, Role
from assistant.watching import watched


@dataclass(frozen=True)
class TokenizedSection:
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

    def seen(self, ordinals: Collection[int], *, leads: bool) -> Prefix:
        """Return the section as it is read, with these chunks left in sight.

        Args:
            leads: nothing stands before it, so that the rules are left in sight too.
        """
        chunks = [span for ordinal, span in self.spans.items() if ordinal in ordinals]
        begin = 0 if leads else self.head_start
        head_end = min(start for start, _ in self.spans.values())
        spans = _merged([(begin, head_end), *sorted(chunks)])
        return Prefix(self.tokens, spans, self.document_id, self.note)


def lay(document: Document, section: Section, model: ChatModel) -> TokenizedSection:
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
    note = f"{document.title}, p. {page_range(section.pages)}"
    return TokenizedSection(document.id, tuple(tokens), head_start, spans, note)


class Prefixes:
    """Knows in which sections each document is read, and reads them."""

    def __init__(
        self, model: ChatModel, store: Store, *, section_tokens: int = SECTION_TOKENS
    ) -> None:
        self._model = model
        self._store = store
        self._section_tokens = section_tokens
        self._sections: dict[str, list[Section]] = {}
        self._laid: dict[Section, TokenizedSection] = {}

    def sections(self, document: Document) -> list[Section]:
        """Return the sections of the document, in order."""
        if document.id not in self._sections:
            body, _ = without_back_matter(self._store.chunks(document.id))
            limit = min(self._section_tokens, self._model.effective_tokens // 2)
            self._sections[document.id] = sections(body, self._model.count, limit)
        return self._sections[document.id]

    def recall(self, passages: Sequence[Passage]) -> tuple[list[Prefix], list[Passage]]:
        """Return readings that leave passages in sight which were read, and the other passages."""
        fresh = [passage for passage in passages if not self._was_read(passage)]
        return self.see([passage for passage in passages if passage not in fresh]), fresh

    def see(self, passages: Sequence[Passage]) -> list[Prefix]:
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

    def read(self, document: Document, cancelled: IsCancelled) -> Iterator[Progress]:
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
            told = Progress(Step.READING, before, total, page_range(section.pages), sum(left))
            left[number] = 0.0
            yield told
            if not (yield from self._read(part, told, sum(left), cancelled)):
                raise NotKept(title=document.title)
            before += len(part.tokens)
        yield Progress(Step.READING, total, total, "", 0.0)

    def _read(
        self, part: Prefix, told: Progress, later_s: float, cancelled: IsCancelled
    ) -> Generator[Progress, None, bool]:
        """Read one text; return whether it could be kept.

        Args:
            told: the stage as it was before.
            later_s: what comes after it takes so long.
        """

        def stage(done: int, _: int) -> Progress:
            rest = later_s + self._seconds(part, done)
            return replace(told, done=told.done + done, seconds_left=rest)

        def read(cancelled: IsCancelled, report: PrefillReport) -> bool:
            return self._model.read(part, cancelled=cancelled, report=report)

        return (yield from watched(read, cancelled, stage))

    def _seconds(self, part: Prefix, done: int = 0) -> float:
        """Return how long the rest of a text takes to read."""
        speeds = self._model.speeds
        return speeds.reading(len(part.tokens) - done, depth=done) if speeds else 0.0

    def prefill_state(self, document: Document) -> PrefillState:
        """Return how much of the document was read."""
        parts = [self._whole(document, section) for section in self.sections(document)]
        read = sum(len(part.tokens) for part in parts if self._model.has_read(part))
        return PrefillState(read, sum(len(part.tokens) for part in parts))

    def _was_read(self, passage: Passage) -> bool:
        section = self._section_of(passage)
        return section is not None and self._model.has_read(self._whole(passage.document, section))

    def _whole(self, document: Document, section: Section) -> Prefix:
        laid = self._lay(document, section)
        return laid.seen(laid.spans.keys(), leads=True)

    def _lay(self, document: Document, section: Section) -> TokenizedSection:
        if section not in self._laid:
            self._laid[section] = lay(document, section, self._model)
        return self._laid[section]

    def _section_of(self, passage: Passage) -> Section | None:
        for section in self.sections(passage.document):
            if section.chunks[0].ordinal <= passage.chunk.ordinal <= section.chunks[-1].ordinal:
                return section if passage.chunk in section.chunks else None
        return None


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ascending spans with neighbours made one."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)
