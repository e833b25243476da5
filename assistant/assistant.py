"""The assistant: the only place that knows the order of the steps.

A question:  load, rewrite, plan (search, select), notes, judge, write, cite, repair.
A report:    find its documents, wait for the model, write.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final

from assistant.backends.base import ChatModel, Embedder, Prompt, Reranker, collect
from assistant.errors import Cancelled, EmptyLibrary, EmptyQuestion, NothingLeft
from assistant.generation.answering import Answerer, Reply, Trace
from assistant.generation.citing import without_markers
from assistant.generation.context import ContextBuilder
from assistant.generation.key_points import KeyPoints
from assistant.generation.prefix import PrefillState, Prefixes
from assistant.generation.prompts import rewrite_messages, says_not_found
from assistant.languages import detection
from assistant.languages.registry import phrases
from assistant.queueing import Queue, Ticket
from assistant.reports import kinds
from assistant.reports.base import ReportSpec, Tools
from assistant.retrieval.rewriting import stands_alone, usable
from assistant.storage.base import Store
from assistant.streams import Events, IsCancelled, Progress, Step, Stream, never
from assistant.types import (
    Answer,
    Chunk,
    Citation,
    ContextPlan,
    Document,
    Message,
    Passage,
    Query,
    Role,
)

REWRITE_TOKENS: Final = 80
REWRITE_TURNS: Final = 4  # of the conversation that a rewriting model is shown


class Assistant:
    """Answers questions about the documents of a store, and writes reports about them.

    Documents are named by id, title or file name everywhere. Streams raise the errors below when
    they are iterated: EmptyQuestion, EmptyLibrary, UnknownDocument, AmbiguousDocument,
    UnknownLanguage, NothingLeft, ModelError, and Cancelled once they are cancelled.
    """

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
        self._prefixes = Prefixes(model, store)
        self._context = ContextBuilder(model, embedder, store, self._prefixes, reranker)
        self._answerer = Answerer(model, embedder)
        self._queue = Queue()

    def ask(self, query: Query, *, cancelled: IsCancelled = never) -> Stream[Answer]:
        """Return the stream of an answer: progress, its text, and the `Answer` as result."""
        return Stream(partial(self._ask, query), cancelled)

    def answer(self, query: Query) -> Answer:
        """Return the answer at once; see `ask`."""
        return self.ask(query).result

    def plan(self, query: Query) -> ContextPlan:
        """Return the plan that `ask` would follow; nothing is prefilled for it."""
        query, documents = self._checked(query)
        return self._context.plan(query, documents).plan

    def search(self, query: Query, limit: int = 10) -> list[Passage]:
        """Return the passages that a question finds, best first; no chat model runs."""
        query, documents = self._checked(query)
        return self._context.search(query, documents, limit)

    def write(self, spec: ReportSpec, *, cancelled: IsCancelled = never) -> Stream[Any]:
        """Return the stream of a report; its result is of the kind's type.

        Args:
            spec: made by `ReportKind.spec`; an empty language takes the first document's.
        """
        return Stream(partial(self._write, spec), cancelled)

    def translate(
        self, citation: Citation, language: str, *, cancelled: IsCancelled = never
    ) -> Stream[str]:
        """Return the stream of a citation's quote in another language, cached afterwards.

        The result is the quote itself when it is in the language, or cannot be translated.
        """
        return Stream(partial(self._translate, citation, language), cancelled)

    def prefill(self, document: str, *, cancelled: IsCancelled = never) -> Stream[None]:
        """Return the stream of prefilling a document for all later questions.

        Whoever asks something meanwhile goes first, at once.
        """
        return Stream(partial(self._prefill, document), cancelled)

    def prefilled(self, document: str) -> PrefillState:
        """Return how much of a document is prefilled."""
        return self._prefixes.state(self._store.document(document))

    def _ask(self, asked: Query, cancelled: IsCancelled) -> Events[Answer]:
        query, documents = self._checked(asked)
        trace = Trace()
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield from self._load(trace)
            yield Progress(Step.SEARCHING)
            searched = replace(query, question=self._standalone(query, cancelled))
            planned = self._context.plan(searched, documents)
            packed = yield from self._context.complete(planned, searched, documents, cancelled)
            reply = yield from self._answerer.answer(packed, searched, trace, cancelled)
        return self._answer(query.question, searched, packed.plan, reply, trace)

    def _write(self, spec: ReportSpec, cancelled: IsCancelled) -> Events[Any]:
        documents = tuple(self._store.document(reference) for reference in spec.documents)
        language = detection.check(spec.language) if spec.language else documents[0].language
        resolved = replace(spec, documents=tuple(d.id for d in documents), language=language)
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield Progress(Step.LOADING)
            return (yield from kinds()[spec.kind].write(self._tools(ticket), documents, resolved))

    def _translate(self, citation: Citation, language: str, cancelled: IsCancelled) -> Events[str]:
        wanted = detection.check(language)
        document = self._store.document(citation.document_id)
        if detection.identify(citation.quote) == wanted:
            return citation.quote
        with self._queue.ticket(cancelled) as ticket:
            yield from ticket.turn()
            yield Progress(Step.TRANSLATING)
            return self._key_points().translated(document, citation.quote, wanted, cancelled)

    def _prefill(self, document: str, cancelled: IsCancelled) -> Events[None]:
        found = self._store.document(document)
        with self._queue.ticket(cancelled, background=True) as ticket:
            while True:
                yield from ticket.turn()
                try:
                    yield from self._prefixes.prefill(found, lambda: cancelled() or ticket.wanted)
                    return
                except Cancelled:
                    if cancelled():
                        raise
                    ticket.pass_on()

    def _checked(self, query: Query) -> tuple[Query, tuple[Document, ...]]:
        """Return the query with its languages, and the documents that it is asked of."""
        question = query.question.strip()
        if not question:
            raise EmptyQuestion
        asked_in = query.asked_in or detection.identify(question)
        language = detection.check(query.language) if query.language else asked_in
        every = self._store.documents()
        if not every:
            raise EmptyLibrary
        by_id = {document.id: document for document in every}
        chosen = [by_id.get(given) or self._store.document(given) for given in query.documents]
        left = tuple(filter(query.filters.takes, chosen or every))
        if not left:
            raise NothingLeft
        return replace(query, question=question, language=language, asked_in=asked_in), left

    def _standalone(self, query: Query, cancelled: IsCancelled) -> str:
        """Return the question with what it takes from the conversation put in.

        When the model does not write a question, it stands behind the one before it.
        """
        question, history = query.question, query.history
        if not history or stands_alone(question):
            return question
        prompt = Prompt.of(rewrite_messages(question, history[-REWRITE_TURNS:]))
        stream = self._model.stream(prompt, limit_tokens=REWRITE_TOKENS, cancelled=cancelled)
        rewritten = collect(stream)[0].strip()
        if usable(rewritten, question):
            return rewritten
        before = next(message.text for message in reversed(history) if message.role is Role.USER)
        return f"{before} {question}"

    def _load(self, trace: Trace) -> Events[None]:
        """Load what is not loaded yet, outside the time that the question takes."""
        yield Progress(Step.LOADING)
        begin = time.perf_counter()
        with ThreadPoolExecutor(1) as other:  # one reads its file while the other is imported
            model = other.submit(self._model.load)
            self._context.load()
            model.result()
        trace.start = time.perf_counter()
        trace.load_s = trace.start - begin

    def _answer(
        self, question: str, searched: Query, plan: ContextPlan, reply: Reply, trace: Trace
    ) -> Answer:
        refused = says_not_found(reply.text)
        return Answer(
            question=question,
            language=searched.language,
            text=phrases(searched.language).not_found if refused else reply.text,
            answerable=not refused,
            citations=() if refused else reply.citations,
            plan=plan,
            timings=trace.timings(),
            model=self._model.name,
            written_in=detection.written_in(without_markers(reply.text)),
            searched_for=searched.question,
            verified_share=1.0 if refused else round(reply.verified_share, 3),
            unsupported=() if refused else reply.unsupported,
            repaired=reply.repaired,
            truncated=reply.truncated,
        )

    def _tools(self, ticket: Ticket) -> Tools:
        return Tools(
            model=self._model,
            embedder=self._embedder,
            store=self._store,
            prefixes=self._prefixes,
            key_points=self._key_points(),
            search=self._search_in,
            ticket=ticket,
        )

    def _search_in(self, document: Document, topic: str, limit: int) -> list[Chunk]:
        query, documents = self._checked(Query(topic, documents=(document.id,)))
        return [passage.chunk for passage in self._context.search(query, documents, limit)]

    def _key_points(self) -> KeyPoints:
        return KeyPoints(self._model, self._store, self._embedder.embed_queries, self._prefixes)


def turns(answer: Answer) -> Sequence[Message]:
    """Return an answered question as two turns of a conversation."""
    said = without_markers(answer.text)  # its numbers mean nothing among other passages
    return [Message(Role.USER, answer.question), Message(Role.ASSISTANT, said)]
