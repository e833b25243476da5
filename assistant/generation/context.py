"""From a question to the context it is answered from: the whole text, passages, or notes.

Decides by what fits, by what the question is about and by how long it takes. Knows no replies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.backends.base import ChatModel, Embedder, Reranker
from assistant.errors import ContextOverflow
from assistant.generation.budget import (
    Limits,
    PackedContext,
    Selection,
    estimate,
    fitting_notes,
    numbered,
    plan,
    select,
)
from assistant.generation.key_points import TOKENS_PER_POINT, KeyPoints
from assistant.generation.overviews import Overviews
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import ask_prompt, chunk_text, note_text, passages_text
from assistant.generation.sections import Section, page_range
from assistant.retrieval.search import Retriever, passages_of
from assistant.storage.base import Store
from assistant.streams import Events, IsCancelled, Progress, Step
from assistant.types import (
    Chunk,
    ContextMode,
    ContextPlan,
    Document,
    Passage,
    PlanReason,
    Point,
    Query,
)

PASSAGE_TOKENS: Final = 330  # of one that is retrieved, about
NOTES_A_SECTION: Final = 3  # those of a summary of medium length
WORD_TOKENS: Final = 1.1  # of a word at the least, in the languages with spaces


@dataclass(frozen=True)
class _Request:
    """A question with the documents that its filters take, and what it may cost."""

    query: Query
    documents: tuple[Document, ...]
    limits: Limits

    @property
    def mode(self) -> ContextMode | None:
        return self.query.context.mode

    def is_slow(self, plan: ContextPlan) -> bool:
        return (plan.predicted_s or 0.0) > self.query.context.budget_s


class ContextBuilder:
    """Plans what a question is answered from, and builds the prompt."""

    def __init__(
        self,
        model: ChatModel,
        embedder: Embedder,
        store: Store,
        prefixes: Prefixes,
        reranker: Reranker | None,
    ) -> None:
        self._model = model
        self._store = store
        self._prefixes = prefixes
        self._key_points = KeyPoints(model, store, embedder.embed_queries, prefixes)
        self._retriever = Retriever(store, embedder, reranker)
        self._overviews = Overviews(embedder)

    def load(self) -> None:
        """Load what planning needs; the first plan would do it otherwise."""
        self._store.open()
        self._overviews.load()

    def plan(self, query: Query, documents: Sequence[Document]) -> PackedContext:
        """Return the plan and its prompt; with a plan of notes, these may not be written yet.

        Raises:
            ContextOverflow: the mode that was asked for, or even one passage, does not fit.
        """
        model = self._model
        limits = Limits.of(model.effective_tokens, model.throughput, query.context.budget_s)
        asked = _Request(query, tuple(documents), limits)
        match asked.mode or self._suitable_mode(asked):
            case ContextMode.WHOLE:
                return self._whole(asked)
            case ContextMode.HIERARCHICAL:
                return self._hierarchical(asked)
            case ContextMode.PACKED:
                reason = PlanReason.ASKED if asked.mode else PlanReason.DETAIL
                return self._packed(asked, self._retrieved(asked), reason)

    def search(self, query: Query, documents: Sequence[Document], limit: int) -> list[Passage]:
        """Return at most so many passages, best first."""
        return self._retriever.retrieve(
            query.question, query.asked_in, limit=limit, documents=documents, filters=query.filters
        )

    def complete(
        self,
        packed: PackedContext,
        query: Query,
        documents: Sequence[Document],
        cancelled: IsCancelled,
    ) -> Events[PackedContext]:
        """Yield progress while missing notes are written; return the context with all of them."""
        if packed.plan.mode is not ContextMode.HIERARCHICAL:
            return packed
        sections = self._sections(query, documents)
        found: list[tuple[Document, Section, tuple[Point, ...]]] = []
        for number, (document, section) in enumerate(sections):
            pages = page_range(section.pages)
            yield Progress(Step.SUMMARISING, number, len(sections), pages)
            points = self._key_points.of_section(document, section, NOTES_A_SECTION, cancelled)
            found.append((document, section, points))
        return self._noted(packed, query, found)

    def _noted(
        self,
        packed: PackedContext,
        query: Query,
        found: Sequence[tuple[Document, Section, tuple[Point, ...]]],
    ) -> PackedContext:
        """Return the context with its notes, and the chunks that these stand on."""
        notes = [note_text(document, section.title, points) for document, section, points in found]
        text = fitting_notes(packed.plan, notes, self._model)
        cited = [
            Passage(chunk, document)
            for document, section, points in found
            for chunk in section.chunks
            if any(p.citation and _within(chunk, p.citation.char_start) for p in points)
        ]
        selection = Selection(numbered(cited), packed.prompt.messages[1:-1])
        made = self._context(query, selection, text)
        plan = replace(
            made.plan,
            mode=ContextMode.HIERARCHICAL,
            reason=packed.plan.reason,
            page_tokens=(),
            predicted_s=packed.plan.predicted_s,
        )
        return replace(made, plan=plan)

    def _suitable_mode(self, asked: _Request) -> ContextMode:
        """Return the mode that suits the question best, however long it takes."""
        if self._fits(asked, self._model.full_context_limit):
            return ContextMode.WHOLE
        if self._overviews.is_overview_question(asked.query.question):
            return ContextMode.HIERARCHICAL
        return ContextMode.PACKED

    def _whole(self, asked: _Request) -> PackedContext:
        every = self._every(asked)
        window = asked.limits.window
        roomy = replace(asked, limits=Limits(window, passages=window, fresh=window))
        packed = self._packed(roomy, every, PlanReason.ASKED if asked.mode else PlanReason.FITS)
        plan = packed.plan
        if asked.mode and plan.pages_left_out:
            tokens = sum(self._model.count(chunk_text(p.chunk)) for p in every)
            others = sum(plan.ledger.values()) - plan.ledger["documents"]
            raise ContextOverflow(needed_tokens=tokens + others, window_tokens=window)
        if not asked.mode and (plan.pages_left_out or asked.is_slow(plan)):
            reason = PlanReason.DETAIL if plan.pages_left_out else PlanReason.SLOW
            return self._packed(asked, self._retrieved(asked), reason)
        return replace(packed, plan=replace(plan, mode=ContextMode.WHOLE))

    def _hierarchical(self, asked: _Request) -> PackedContext:
        """Return a plan of notes, or passages from the beginnings of sections."""
        sections = self._sections(asked.query, asked.documents)
        empty = self._packed(asked, [], PlanReason.ASKED if asked.mode else PlanReason.OVERVIEW)
        tokens = len(sections) * NOTES_A_SECTION * TOKENS_PER_POINT
        throughput = self._model.throughput
        plan = estimate(empty.plan, tokens, self._notes_s(sections), throughput)
        fits = sum(plan.ledger.values()) <= asked.limits.window
        if asked.mode or (fits and not asked.is_slow(plan)):
            return replace(empty, plan=plan)
        first = [Passage(section.chunks[0], document) for document, section in sections]
        reason = PlanReason.SLOW if fits else PlanReason.OVERVIEW
        return self._packed(asked, spread(first), reason)

    def _packed(
        self, asked: _Request, found: Sequence[Passage], reason: PlanReason
    ) -> PackedContext:
        """Return the context of the best passages that fit."""
        _, fresh = self._prefixes.cached(found)
        selection = select(
            asked.query,
            found,
            counter=self._model,
            limits=asked.limits,
            cached=[passage for passage in found if passage not in fresh],
        )
        made = self._context(asked.query, selection)
        return replace(made, plan=replace(made.plan, reason=reason))

    def _context(self, query: Query, selection: Selection, notes: str = "") -> PackedContext:
        """Return the prompt of a selection with its exact plan.

        Args:
            notes: in the place of the passages, which are then only there to be cited.
        """
        prefixes, fresh = ([], []) if notes else self._prefixes.cached(selection.passages)
        text = notes or passages_text(fresh)
        prompt = ask_prompt(query, text, selection.history, prefixes)
        made = plan(
            query,
            prompt,
            selection,
            counter=self._model,
            cache=self._model.prefix_cache,
            throughput=self._model.throughput,
            window=self._model.effective_tokens,
            text=text,
        )
        return PackedContext(made, prompt, selection.passages)

    def _retrieved(self, asked: _Request) -> list[Passage]:
        limit = max(1, round(asked.limits.passages / PASSAGE_TOKENS))
        return self.search(asked.query, asked.documents, limit)

    def _every(self, asked: _Request) -> list[Passage]:
        return passages_of(self._store, asked.documents, asked.query.filters)

    def _fits(self, asked: _Request, limit_tokens: int) -> bool:
        """Tell whether all text of the documents has at most so many tokens."""
        words = sum(document.word_count for document in asked.documents)
        if asked.query.filters.pages is None and words * WORD_TOKENS > limit_tokens:
            return False
        tokens = sum(self._model.count(chunk_text(p.chunk)) for p in self._every(asked))
        return tokens <= limit_tokens

    def _sections(
        self, query: Query, documents: Sequence[Document]
    ) -> list[tuple[Document, Section]]:
        return [
            (document, section)
            for document in documents
            for section in self._prefixes.sections(document)
            if any(map(query.filters.takes_chunk, section.chunks))
        ]

    def _notes_s(self, sections: Sequence[tuple[Document, Section]]) -> float:
        """Return the seconds that the missing notes take."""
        throughput = self._model.throughput
        if throughput is None:
            return 0.0
        seconds = 0.0
        for document, section in sections:
            if not self._key_points.are_cached(document, section, NOTES_A_SECTION):
                (prefix,) = self._key_points.showing(document, section)
                depth = self._prefixes.tokens(prefix)
                if not self._prefixes.holds(prefix):
                    seconds += throughput.prefill_time(depth)
                seconds += throughput.decode_time(NOTES_A_SECTION * TOKENS_PER_POINT, depth=depth)
        return seconds


def spread(passages: Sequence[Passage]) -> list[Passage]:
    """Return the first and the last, then the middle of each gap between two before it."""
    gaps = [(0, len(passages) - 1)]
    order = sorted({0, len(passages) - 1}) if passages else []
    while gaps:
        start, end = gaps.pop(0)
        middle = (start + end) // 2
        if start < middle < end:
            order.append(middle)
            gaps += [(start, middle), (middle, end)]
    return [passages[place] for place in order]


def _within(chunk: Chunk, start: int) -> bool:
    return chunk.char_start <= start < chunk.char_end
