"""The assistant: the only place that knows the order of the steps of an answer.

gather (search, plan, recall) → messages → generate (stream) → cite, check, repair
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from assistant.backends.base import ChatModel, Embedder, PrefillState, Reranker
from assistant.errors import Cancelled, EmptyLibrary, EmptyQuestion, NothingLeft
from assistant.generation.answering import Answerer, Reply, Trace
from assistant.generation.citing import without_markers
from assistant.generation.context import ContextBuilder
from assistant.generation.key_points import KeyPoints
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import rewrite_messages, says_not_found
from assistant.languages import detection
from assistant.languages.registry import phrases
from assistant.queueing import Queue
from assistant.reports.comparison import Comparer, Comparison
from assistant.reports.questions import Suggester
from assistant.reports.summary import Length, Summarizer, Summary
from assistant.retrieval.rewriting import stands_alone, usable
from assistant.storage.base import Store
from assistant.streams import IsCancelled, Progress, Step, TextDelta, never
from assistant.types import (
    DEFAULT_CONTEXT,
    NO_FILTERS,
    Answer,
    Chunk,
    Citation,
    ContextMode,
    ContextOptions,
    ContextPlan,
    Document,
    Filters,
    Message,
    Passage,
    Query,
    Role,
    Timings,
)

REWRITE_TOKENS: Final = 80
FOCUS_PASSAGES: Final = 50  # that are looked at for a focus; many stand in lists of sources


class Assistant:
    """Answers questions about the documents of a store, and summarises them."""

    def __init__(
        self,
        model: ChatModel,
        embedder: Embedder,
        store: Store,
        reranker: Reranker | None = None,
    ) -> None:
        self._model = model
        self._embedder = embedder
        self._store = store
        self._reader = Prefixes(model, store)
        self._gatherer = ContextBuilder(model, embedder, store, self._reader, reranker)
        self._answerer = Answerer(model, embedder)
        self._suggester = Suggester(model, store)
        self._queue = Queue()

    def ask(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        filters: Filters = NO_FILTERS,
        wish: ContextOptions = DEFAULT_CONTEXT,
        cancelled: IsCancelled = never,
    ) -> Iterator[Progress | TextDelta | Answer]:
        """Yield what happens: stages, pieces of the answer's text, and last the `Answer`.

        Args:
            language: of the answer; None takes the question's.
            documents: ids, titles or file names to answer from; none means all.
            history: the conversation so far, question and reply in turn.
            filters: what of these documents is searched.
            wish: how the documents shall reach the model, and in what time.

        Raises:
            EmptyQuestion, EmptyLibrary, UnknownLanguage, UnknownDocument, AmbiguousDocument,
            NothingLeft, ModelError.
            assistant.errors.Cancelled: `cancelled` said so.
        """
        asked = self._asked(question, language, documents, history, filters)
        run = Trace(asked.question, asked.language, cancelled)
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield from self._load(run)
            yield Progress(Step.SEARCHING)
            run.searched = self._standalone(asked.question, history, cancelled)
            asked = replace(asked, question=run.searched)
            planned = self._gatherer.plan(asked, wish)
            packing = yield from self._gatherer.gather(
                planned, asked, self._note_taker(), cancelled
            )
            reply = yield from self._answerer.answer(packing, run)
            yield self._answer(reply, run)

    def plan(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        filters: Filters = NO_FILTERS,
        wish: ContextOptions = DEFAULT_CONTEXT,
    ) -> ContextPlan:
        """Return the plan that `ask` would follow; nothing is read for it.

        Raises: as `ask`.
        """
        asked = self._asked(question, language, documents, history, filters)
        packing = self._gatherer.plan(asked, wish)
        if packing.plan.mode is ContextMode.HIERARCHICAL:
            return packing.plan
        return self._answerer.exact(packing, asked.question, asked.language).plan

    def search(
        self,
        question: str,
        *,
        documents: Sequence[str] = (),
        filters: Filters = NO_FILTERS,
        limit: int = 10,
    ) -> list[Passage]:
        """Return the passages that a question finds, best first; no model answers.

        Raises:
            EmptyQuestion, EmptyLibrary, UnknownDocument, AmbiguousDocument, NothingLeft.
        """
        return self._gatherer.search(self._asked(question, None, documents, (), filters), limit)

    def standalone(
        self, question: str, history: Sequence[Message], *, cancelled: IsCancelled = never
    ) -> str:
        """Return the question with what it takes from the conversation put in.

        When the model makes no question of it, it stands behind the one before.

        Raises:
            ModelError, Cancelled.
        """
        with self._queue.ticket(cancelled) as ticket:
            for _ in ticket.turn():
                pass
            return self._standalone(question, history, cancelled)

    def _standalone(self, question: str, history: Sequence[Message], cancelled: IsCancelled) -> str:
        if not history or stands_alone(question):
            return question
        prompt = self._model.encode(rewrite_messages(question, history[-4:]))
        pieces = self._model.stream(prompt, limit_tokens=REWRITE_TOKENS, cancelled=cancelled)
        rewritten = "".join(pieces).strip()
        if usable(rewritten, question):
            return rewritten
        before = next(message.text for message in reversed(history) if message.role is Role.USER)
        return f"{before} {question}"

    def answer(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        filters: Filters = NO_FILTERS,
        wish: ContextOptions = DEFAULT_CONTEXT,
    ) -> Answer:
        """Return the answer at once; see `ask`."""
        events = self.ask(
            question,
            language=language,
            documents=documents,
            history=history,
            filters=filters,
            wish=wish,
        )
        return next(event for event in events if isinstance(event, Answer))

    def summarize(
        self,
        document: str,
        *,
        language: str | None = None,
        length: Length = Length.MEDIUM,
        focus: str = "",
        cancelled: IsCancelled = never,
    ) -> Iterator[Progress | TextDelta | Summary]:
        """Yield stages and pieces, and last the `Summary` of the whole document.

        Args:
            document: id, title or file name.
            language: of the summary; None takes the document's.
            focus: what the summary keeps to, in any language; only what a search finds about it is
                read.

        Raises:
            UnknownDocument, AmbiguousDocument, UnknownLanguage, ModelError, Cancelled.
        """
        found = self._store.document(document)
        wanted = detection.check(language) if language else found.language
        focus = focus.strip()
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield Progress(Step.LOADING)
            notes = self._note_taker()
            summarizer = Summarizer(self._model, self._store, self._reader, notes, ticket)
            if focus:
                chunks = self._found(focus, found)
                yield from summarizer.keep_to(focus, chunks, found, wanted, length)
            else:
                yield from summarizer.summarize(found, wanted, length)

    def compare(
        self,
        first: str,
        second: str,
        *,
        language: str | None = None,
        cancelled: IsCancelled = never,
    ) -> Iterator[Progress | Comparison]:
        """Yield stages, and last what two documents have in common and in what they differ.

        Args:
            first, second: id, title or file name.
            language: of the points; None takes the first document's.

        Raises:
            UnknownDocument, AmbiguousDocument, UnknownLanguage, ModelError, Cancelled.
        """
        one, other = self._store.document(first), self._store.document(second)
        wanted = detection.check(language) if language else one.language
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield Progress(Step.LOADING)
            comparer = Comparer(
                self._model, self._embedder, self._reader, self._note_taker(), ticket
            )
            yield from comparer.compare(one, other, wanted)

    def translate(
        self, citation: Citation, language: str, *, cancelled: IsCancelled = never
    ) -> Iterator[Progress | str]:
        """Yield stages, and last a citation's quote in another language, kept with its document.

        The quote is as it was when it is in the language, or cannot be brought into it.

        Raises:
            UnknownDocument, UnknownLanguage, ModelError, Cancelled.
        """
        wanted = detection.check(language)
        document = self._store.document(citation.document_id)
        if detection.identify(citation.quote) == wanted:
            yield citation.quote
            return
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield Progress(Step.TRANSLATING)
            yield self._note_taker().translated(document, citation.quote, wanted, cancelled)

    def suggest(
        self, document: str, *, language: str | None = None, cancelled: IsCancelled = never
    ) -> Iterator[Progress | tuple[str, ...]]:
        """Yield stages, and last a few questions that a document answers; kept for next time.

        Args:
            document: id, title or file name.
            language: of the questions; None takes the document's.

        Raises:
            UnknownDocument, AmbiguousDocument, UnknownLanguage, ModelError, Cancelled.
        """
        found = self._store.document(document)
        wanted = detection.check(language) if language else found.language
        if (kept := self._suggester.kept(found, wanted)) is not None:
            yield kept
            return
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield from self._suggester.suggest(found, wanted, cancelled)

    def suggested(self, document: str, language: str) -> tuple[str, ...]:
        """Return the questions that were suggested before; none when nobody asked."""
        return self._suggester.kept(self._store.document(document), language) or ()

    def prepare(self, document: str, *, cancelled: IsCancelled = never) -> Iterator[Progress]:
        """Read a document for all later questions; yield how far that is.

        Whoever asks something meanwhile goes first, at once.

        Args:
            document: id, title or file name.

        Raises:
            UnknownDocument, AmbiguousDocument, ModelError, Cancelled.
        """
        found = self._store.document(document)
        with self._queue.ticket(cancelled, background=True) as ticket:
            while True:
                yield from ticket.turn()
                try:
                    yield from self._reader.read(found, lambda: cancelled() or ticket.wanted)
                    return
                except Cancelled:
                    if cancelled():
                        raise
                    ticket.pass_on()

    def prepared(self, document: str) -> PrefillState:
        """Return how much of a document was read for later questions."""
        return self._reader.prefill_state(self._store.document(document))

    def _asked(
        self,
        question: str,
        language: str | None,
        documents: Sequence[str],
        history: Sequence[Message],
        filters: Filters,
    ) -> Query:
        """Return the question, checked."""
        question = question.strip()
        if not question:
            raise EmptyQuestion
        asked_in = detection.identify(question)
        wanted = detection.check(language) if language else asked_in
        every = self._store.documents()
        if not every:
            raise EmptyLibrary
        by_id = {document.id: document for document in every}
        chosen = [by_id.get(given) or self._store.document(given) for given in documents]
        left = tuple(filter(filters.takes, chosen or every))
        if not left:
            raise NothingLeft
        return Query(question, asked_in, wanted, left, tuple(history), filters)

    def _found(self, focus: str, document: Document) -> list[Chunk]:
        """Return the chunks that a search finds about something, best first."""
        asked = self._asked(focus, None, [document.id], (), NO_FILTERS)
        return [passage.chunk for passage in self._gatherer.search(asked, FOCUS_PASSAGES)]

    def _note_taker(self) -> KeyPoints:
        return KeyPoints(self._model, self._store, self._embedder.embed_queries, self._reader)

    def _load(self, run: Trace) -> Iterator[Progress]:
        """Load what is not loaded yet, apart from the time that the question takes."""
        yield Progress(Step.LOADING)
        begin = time.perf_counter()
        with ThreadPoolExecutor(1) as other:  # one reads its file while the other is imported
            model = other.submit(lambda: self._model.window_tokens)
            self._gatherer.open()
            model.result()
        run.start = time.perf_counter()
        run.load_s = run.start - begin

    def _answer(self, reply: Reply, run: Trace) -> Answer:
        refused = says_not_found(reply.text)
        return Answer(
            question=run.question,
            language=run.language,
            text=phrases(run.language).not_found if refused else reply.text,
            answerable=not refused,
            citations=() if refused else reply.citations,
            plan=reply.packing.plan,
            timings=_timings(run),
            model=self._model.name,
            written_in=detection.written_in(without_markers(reply.text)),
            searched_for=run.searched,
            verified_share=1.0 if refused else round(reply.verified_share, 3),
            unsupported=() if refused else reply.unsupported,
            repaired=reply.repaired,
        )


def _timings(run: Trace) -> Timings:
    """Sum up what the runs of the model cost: the first reads, the others find most of it read."""
    now = time.perf_counter()
    read = sum(cost.prompt_tokens - cost.cached_tokens for cost in run.costs)
    written = sum(cost.completion_tokens for cost in run.costs)
    prefill_s = sum(cost.prefill_s for cost in run.costs)
    decode_s = sum(cost.decode_s for cost in run.costs)
    return Timings(
        load_s=run.load_s,
        ttft_s=(run.first_token or now) - run.start,
        prompt_tokens=run.costs[-1].prompt_tokens if run.costs else 0,
        cached_tokens=run.costs[0].cached_tokens if run.costs else 0,
        completion_tokens=written,
        prefill_tokens_per_s=read / prefill_s if prefill_s else 0.0,
        decode_tokens_per_s=written / decode_s if decode_s else 0.0,
        total_s=now - run.start,
    )


def turns(answer: Answer) -> list[Message]:
    """Return an answered question as two turns of a conversation."""
    said = without_markers(answer.text)  # its numbers mean nothing beside other passages
    return [Message(Role.USER, answer.question), Message(Role.ASSISTANT, said)]
