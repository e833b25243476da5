"""Question to what is laid before the model: the whole text, passages of it, or notes on it.

Decides by what fits, by what the question is about and by how long it would take. Knows neither
what is asked of the model nor what becomes of its reply.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Final

from assistant.backends.base import ChatModel, Embedder, Reranker
from assistant.errors import ContextOverflow
from assistant.generation.budget import Limits, PackedContext, noted, pack
from assistant.generation.key_points import TOKENS_PER_POINT, KeyPoints
from assistant.generation.overviews import Overviews
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import chunk_text, note_text
from assistant.generation.sections import Section, page_range
from assistant.retrieval.search import Retriever, passages_of
from assistant.storage.base import Store
from assistant.streams import IsCancelled, Progress, Step
from assistant.types import (
    Chunk,
    ContextMode,
    ContextOptions,
    Document,
    Passage,
    PlanReason,
    Point,
    Query,
)

PASSAGE_TOKENS: Final = 330  # of one that is searched for, about
NOTES_A_SECTION: Final = 3  # those of a summary of medium length
WORD_TOKENS: Final = 1.1  # of a word at the least, in the languages with spaces


class ContextBuilder:
    """Plans what a question is answered from, and gathers it."""

    def __init__(
        self,
        model: ChatModel,
        embedder: Embedder,
        store: Store,
        reader: Prefixes,
        reranker: Reranker | None,
    ) -> None:
        self._model = model
        self._embedder = embedder
        self._store = store
        self._reader = reader
        self._retriever = Retriever(store, embedder, reranker)
        self._overviews = Overviews(embedder)

    def open(self) -> None:
        """Load what planning needs, which the first plan would load otherwise."""
        self._store.open()
        _ = self._overviews.examples

    def plan(self, asked: Query, wish: ContextOptions) -> PackedContext:
        """Return the plan with what it lays before the model; notes that it wants may be missing.

        Raises:
            ContextOverflow: what is wished for, or even one passage, does not fit.
        """
        limits = Limits.of(self._model.effective_tokens, self._model.speeds, wish.budget_s)
        match wish.mode or self._mode(asked):
            case ContextMode.WHOLE:
                return self._whole(asked, limits, wish)
            case ContextMode.HIERARCHICAL:
                return self._hierarchical(asked, limits, wish)
            case ContextMode.PACKED:
                reason = PlanReason.ASKED if wish.mode else PlanReason.DETAIL
                return self._packed(asked, self._search(asked, limits), limits, reason)

    def search(self, asked: Query, limit: int) -> list[Passage]:
        """Return at most so many passages, best first."""
        return self._retriever.retrieve(
            *(asked.question, asked.asked_in),
            limit=limit,
            documents=asked.documents,
            filters=asked.filters,
        )

    def gather(
        self, packing: PackedContext, asked: Query, notes: KeyPoints, cancelled: IsCancelled
    ) -> Generator[Progress, None, PackedContext]:
        """Yield stages while missing notes are taken; return the packing with all it wants."""
        if packing.plan.mode is not ContextMode.HIERARCHICAL:
            return packing
        sections = self._sections(asked)
        points: list[tuple[Document, Section, tuple[Point, ...]]] = []
        for number, (document, section) in enumerate(sections):
            yield Progress(Step.SUMMARISING, number, len(sections), page_range(section.pages))
            taken = notes.take(document, section, NOTES_A_SECTION, cancelled)
            points.append((document, section, taken))
        texts = [note_text(document, section.title, found) for document, section, found in points]
        cited = [
            Passage(chunk, document, score=1.0)
            for document, section, found in points
            for chunk in section.chunks
            if any(p.citation and _within(chunk, p.citation.char_start) for p in found)
        ]
        return noted(packing, texts, cited, self._model.count)

    def _mode(self, asked: Query) -> ContextMode:
        """Return the mode that suits the question best, however long it takes."""
        if self._text_tokens(asked, self._model.full_context_limit) is not None:
            return ContextMode.WHOLE
        if self._overviews.asked_for(asked.question):
            return ContextMode.HIERARCHICAL
        return ContextMode.PACKED

    def _whole(self, asked: Query, limits: Limits, wish: ContextOptions) -> PackedContext:
        every = self._every(asked)
        room = replace(limits, passages=limits.window, fresh=limits.window)
        packing = self._packed(
            asked, every, room, PlanReason.ASKED if wish.mode else PlanReason.FITS
        )
        plan = packing.plan
        if wish.mode and plan.pages_left_out:
            tokens = sum(self._model.count(chunk_text(p.chunk)) for p in every)
            others = sum(plan.ledger.values()) - plan.ledger["documents"]
            raise ContextOverflow(needed_tokens=tokens + others, window_tokens=limits.window)
        if not wish.mode and (plan.pages_left_out or _slow(packing, wish)):
            found = self._search(asked, limits)
            reason = PlanReason.DETAIL if plan.pages_left_out else PlanReason.SLOW
            return self._packed(asked, found, limits, reason)
        return replace(packing, plan=replace(plan, mode=ContextMode.WHOLE))

    def _hierarchical(self, asked: Query, limits: Limits, wish: ContextOptions) -> PackedContext:
        """Return a plan without its notes, or one of the beginnings of sections."""
        reason = PlanReason.ASKED if wish.mode else PlanReason.OVERVIEW
        empty = pack(
            *(asked.question, asked.language, [], asked.history),
            count=self._model.count,
            limits=limits,
        )
        sections = self._sections(asked)
        tokens = len(sections) * NOTES_A_SECTION * TOKENS_PER_POINT
        ledger = {**empty.plan.ledger, "documents": tokens}
        plan = replace(empty.plan, mode=ContextMode.HIERARCHICAL, reason=reason, ledger=ledger)
        planned = replace(empty, plan=plan).timed(self._model.speeds, self._model.count)
        planned = planned.later(self._notes_s(sections))
        fits = sum(ledger.values()) <= limits.window
        if wish.mode or (fits and not _slow(planned, wish)):
            return planned
        first = [Passage(section.chunks[0], document, 1.0) for document, section in sections]
        return self._packed(
            asked, spread(first), limits, PlanReason.SLOW if fits else PlanReason.OVERVIEW
        )

    def _packed(
        self, asked: Query, found: Sequence[Passage], limits: Limits, reason: PlanReason
    ) -> PackedContext:
        _, fresh = self._reader.recall(found)
        packing = pack(
            *(asked.question, asked.language, found, asked.history),
            count=self._model.count,
            limits=limits,
            kept=[passage for passage in found if passage not in fresh],
        )
        packing = replace(packing, plan=replace(packing.plan, reason=reason))
        recalled = packing.recalled(*self._reader.recall(packing.passages), self._model.count)
        return recalled.timed(self._model.speeds, self._model.count)

    def _search(self, asked: Query, limits: Limits) -> list[Passage]:
        return self.search(asked, max(1, round(limits.passages / PASSAGE_TOKENS)))

    def _every(self, asked: Query) -> list[Passage]:
        return passages_of(self._store, asked.documents, asked.filters)

    def _text_tokens(self, asked: Query, most: int) -> int | None:
        """Return the tokens of all text, or None when they are more than that."""
        words = sum(document.word_count for document in asked.documents)
        if asked.filters.pages is None and words * WORD_TOKENS > most:
            return None
        tokens = sum(self._model.count(chunk_text(p.chunk)) for p in self._every(asked))
        return tokens if tokens <= most else None

    def _sections(self, asked: Query) -> list[tuple[Document, Section]]:
        return [
            (document, section)
            for document in asked.documents
            for section in self._reader.sections(document)
            if any(map(asked.filters.takes_chunk, section.chunks))
        ]

    def _notes_s(self, sections: Sequence[tuple[Document, Section]]) -> float:
        """Return the seconds that it takes to write the notes that are missing."""
        speeds = self._model.speeds
        if speeds is None:
            return 0.0
        seconds = 0.0
        notes = KeyPoints(self._model, self._store, self._embedder.embed_queries, self._reader)
        for document, section in sections:
            if not notes.taken(document, section, NOTES_A_SECTION):
                (reading,) = notes.see(document, section)
                read = self._model.has_read(reading)
                depth = len(reading.tokens)
                seconds += 0.0 if read else speeds.reading(depth)
                seconds += speeds.writing(NOTES_A_SECTION * TOKENS_PER_POINT, depth=depth)
        return seconds


def spread(passages: Sequence[Passage]) -> list[Passage]:
    """Return the first and the last, then the middle of all that lies between two before it."""
    gaps = [(0, len(passages) - 1)]
    order = sorted({0, len(passages) - 1}) if passages else []
    while gaps:
        start, end = gaps.pop(0)
        middle = (start + end) // 2
        if start < middle < end:
            order.append(middle)
            gaps += [(start, middle), (middle, end)]
    return [passages[place] for place in order]


def _slow(packing: PackedContext, wish: ContextOptions) -> bool:
    return (packing.plan.predicted_s or 0.0) > wish.budget_s


def _within(chunk: Chunk, start: int) -> bool:
    return chunk.char_start <= start < chunk.char_end
