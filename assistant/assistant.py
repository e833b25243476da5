"""The assistant: the only place that knows the order of the steps of an answer.

gather (search, plan, recall) → messages → generate (stream) → cite and check
"""

import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, TypeAlias

from assistant import languages
from assistant.citing import Citer, without_markers
from assistant.errors import Cancelled as Stopped
from assistant.errors import EmptyLibrary, EmptyQuestion
from assistant.gathering import NO_WISH, Asked, Gatherer, Wish
from assistant.noting import NoteTaker
from assistant.planning import ANSWER_TOKENS, Packing
from assistant.prompting import (
    answerable_messages,
    ask_messages,
    phrases,
    rewrite_messages,
    says_not_found,
)
from assistant.protocols import Cancelled, Embedder, LanguageModel, PrefillReport, Store, never
from assistant.queueing import Queue, waiting
from assistant.reading import Reader
from assistant.rewriting import stands_alone, usable
from assistant.summarizing import Length, Summarizer
from assistant.types import (
    Answer,
    Choice,
    Citation,
    ContextMode,
    ContextPlan,
    Generation,
    Message,
    Passage,
    Piece,
    Role,
    Stage,
    StageName,
    Summary,
    Timings,
    Tokens,
)
from assistant.watching import watched

REWRITE_TOKENS: Final = 80
ANSWERABLE_SHARE: Final = 0.4  # of yes against no; measured in docs/architecture.md

Event: TypeAlias = Stage | Piece | Answer | Summary


@dataclass
class _Run:
    """One question on its way, and what is measured on it; times by `time.perf_counter`."""

    question: str
    language: str
    cancelled: Cancelled
    start: float = 0.0
    load_s: float = 0.0
    searched: str = ""
    first_token: float | None = None
    costs: list[Generation] = field(default_factory=list)


@dataclass(frozen=True)
class _Reply:
    """What was written, the plan as it really was, and what the sentences stand on."""

    text: str
    packing: Packing
    citations: tuple[Citation, ...] = ()
    unsupported: tuple[str, ...] = ()
    verified_share: float = 1.0


class Assistant:
    """Answers questions about the documents of a store, and summarises them."""

    def __init__(self, model: LanguageModel, embedder: Embedder, store: Store) -> None:
        self._model = model
        self._embedder = embedder
        self._store = store
        self._reader = Reader(model, store)
        self._gatherer = Gatherer(model, embedder, store, self._reader)
        self._queue = Queue()

    def ask(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        wish: Wish = NO_WISH,
        cancelled: Cancelled = never,
    ) -> Iterator[Event]:
        """Yield what happens: stages, pieces of the answer's text, and last the `Answer`.

        Args:
            language: of the answer; None takes the question's.
            documents: ids, titles or file names to answer from; none means all.
            history: the conversation so far, question and reply in turn.
            wish: how the documents shall reach the model, and in what time.

        Raises:
            EmptyQuestion, EmptyLibrary, UnknownLanguage, UnknownDocument, AmbiguousDocument,
            ModelError.
            assistant.errors.Cancelled: `cancelled` said so.
        """
        asked = self._asked(question, language, documents, history)
        run = _Run(asked.question, asked.language, cancelled)
        with self._queue.ticket() as ticket:
            yield from waiting(ticket, cancelled)
            yield from self._load(run)
            yield Stage(StageName.SEARCHING)
            run.searched = self._standalone(asked.question, history, cancelled)
            asked = replace(asked, question=run.searched)
            planned = self._gatherer.plan(asked, wish)
            packing = yield from self._gatherer.gather(
                planned, asked, self._note_taker(), cancelled
            )
            if (yield from self._answerable(packing, run)):
                reply = yield from self._write(packing, run)
            else:
                reply = _Reply(phrases(run.language).not_found, packing)
                yield Piece(reply.text)
            yield self._answer(reply, run)

    def plan(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        wish: Wish = NO_WISH,
    ) -> ContextPlan:
        """Return the plan that `ask` would follow; nothing is read for it.

        Raises: as `ask`.
        """
        asked = self._asked(question, language, documents, history)
        packing = self._gatherer.plan(asked, wish)
        if packing.plan.mode is ContextMode.HIERARCHICAL:
            return packing.plan
        messages = ask_messages(asked.question, packing.text, asked.language, packing.history)
        return self._exact(packing, self._prompt(messages, packing)).plan

    def search(
        self, question: str, *, documents: Sequence[str] = (), limit: int = 10
    ) -> list[Passage]:
        """Return the passages that a question finds, best first; no model answers.

        Raises:
            EmptyQuestion, EmptyLibrary, UnknownDocument, AmbiguousDocument.
        """
        return self._gatherer.search(self._asked(question, None, documents, ()), limit)

    def answer(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        wish: Wish = NO_WISH,
    ) -> Answer:
        """Return the answer at once; see `ask`."""
        events = self.ask(
            question, language=language, documents=documents, history=history, wish=wish
        )
        return next(event for event in events if isinstance(event, Answer))

    def summarize(
        self,
        document: str,
        *,
        language: str | None = None,
        length: Length = Length.MEDIUM,
        cancelled: Cancelled = never,
    ) -> Iterator[Event]:
        """Yield stages and pieces, and last the `Summary` of the whole document.

        Args:
            document: id, title or file name.
            language: of the summary; None takes the document's.

        Raises:
            UnknownDocument, AmbiguousDocument, UnknownLanguage, ModelError, Cancelled.
        """
        found = self._store.document(document)
        wanted = languages.check(language) if language else found.language
        with self._queue.ticket() as ticket:
            yield from waiting(ticket, cancelled)
            yield Stage(StageName.LOADING)
            notes = self._note_taker()
            summarizer = Summarizer(
                self._model, self._store, self._reader, notes, ticket, cancelled
            )
            yield from summarizer.summarize(found, wanted, length)

    def prepare(self, document: str, *, cancelled: Cancelled = never) -> Iterator[Stage]:
        """Read a document for all later questions; yield how far that is.

        Whoever asks something meanwhile goes first, at once.

        Args:
            document: id, title or file name.

        Raises:
            UnknownDocument, AmbiguousDocument, ModelError, Cancelled.
        """
        found = self._store.document(document)
        with self._queue.ticket(background=True) as ticket:
            while True:
                yield from waiting(ticket, cancelled)
                try:
                    yield from self._reader.read(found, lambda: cancelled() or ticket.wanted)
                    return
                except Stopped:
                    if cancelled():
                        raise
                    ticket.pass_on()

    def prepared(self, document: str) -> float:
        """Return which share of a document's tokens was read for later questions."""
        return self._reader.share_read(self._store.document(document))

    def _asked(
        self,
        question: str,
        language: str | None,
        documents: Sequence[str],
        history: Sequence[Message],
    ) -> Asked:
        """Return the question, checked."""
        question = question.strip()
        if not question:
            raise EmptyQuestion
        asked_in = languages.identify(question)
        wanted = languages.check(language) if language else asked_in
        every = self._store.documents()
        if not every:
            raise EmptyLibrary
        by_id = {document.id: document for document in every}
        chosen = [by_id.get(given) or self._store.document(given) for given in documents]
        return Asked(question, asked_in, wanted, tuple(chosen or every), tuple(history))

    def _note_taker(self) -> NoteTaker:
        return NoteTaker(self._model, self._store, self._embedder.embed_queries, self._reader)

    def _load(self, run: _Run) -> Iterator[Stage]:
        """Load what is not loaded yet, apart from the time that the question takes."""
        yield Stage(StageName.LOADING)
        begin = time.perf_counter()
        with ThreadPoolExecutor(1) as other:  # one reads its file while the other is imported
            model = other.submit(lambda: self._model.window_tokens)
            self._gatherer.open()
            model.result()
        run.start = time.perf_counter()
        run.load_s = run.start - begin

    def _standalone(self, question: str, history: Sequence[Message], cancelled: Cancelled) -> str:
        """Return the question with what it takes from the conversation put in."""
        if not history or stands_alone(question):
            return question
        prompt = self._model.encode(rewrite_messages(question, history[-4:]))
        pieces = self._model.stream(prompt, limit_tokens=REWRITE_TOKENS, cancelled=cancelled)
        rewritten = "".join(pieces).strip()
        return rewritten if usable(rewritten, question) else question

    def _answerable(self, packing: Packing, run: _Run) -> Generator[Event, None, bool]:
        """Ask the model whether the passages hold the answer; what it reads stays read."""
        if packing.plan.mode is ContextMode.HIERARCHICAL:
            return True  # notes on the whole answer what is asked of the whole
        if not packing.passages:
            return False
        messages = answerable_messages(run.searched, packing.text, run.language, packing.history)
        prompt = self._prompt(messages, packing)
        ahead = self._prompt(self._asking(packing, run), packing)
        yield Stage(StageName.READING, 0, len(prompt), "", packing.plan.predicted_s)

        def stage(done: int, total: int) -> Stage:
            speeds = self._model.speeds
            left = speeds.reading(total - done, depth=done) if speeds else None
            return Stage(StageName.READING, done, total, "", left)

        def choose(cancelled: Cancelled, report: PrefillReport) -> Choice:
            return self._model.choose(
                prompt,
                ["Yes", "No"],
                readings=packing.readings,
                ahead=ahead,
                cancelled=cancelled,
                report=report,
            )

        choice = yield from watched(choose, run.cancelled, stage)
        run.costs.append(choice.cost)
        return choice.shares[0] >= ANSWERABLE_SHARE

    def _write(self, packing: Packing, run: _Run) -> Generator[Event, None, _Reply]:
        """Yield the reply as it is written; again, held to its language, when it strays."""
        reply = yield from self._reply(packing, run, "")
        written = languages.written_in(reply.text)
        if written in ("", run.language) or says_not_found(reply.text):
            return reply
        yield Piece("", restart=True)
        return (yield from self._reply(packing, run, phrases(run.language).reply_start))

    def _reply(
        self, packing: Packing, run: _Run, reply_start: str
    ) -> Generator[Event, None, _Reply]:
        """Yield the reply with its markers; return it with its citations and the exact plan."""
        prompt = self._prompt(self._asking(packing, run), packing, reply_start)
        packing = self._exact(packing, prompt)
        yield Stage(StageName.WRITING)
        stream = self._model.stream(
            prompt,
            limit_tokens=ANSWER_TOKENS,
            readings=packing.readings,
            cancelled=run.cancelled,
        )
        citer = Citer(packing.passages, self._embedder.embed_queries, question=run.searched)
        text = ""
        for piece in citer.mark(chain([reply_start], _noting(stream, run))):
            text += piece
            yield Piece(piece)
        return _Reply(
            text.strip(), packing, citer.citations, citer.unsupported, citer.verified_share
        )

    def _asking(self, packing: Packing, run: _Run) -> list[Message]:
        return ask_messages(run.searched, packing.text, run.language, packing.history)

    def _prompt(
        self, messages: Sequence[Message], packing: Packing, reply_start: str = ""
    ) -> Tokens:
        """Return what has to be read now: without what was read of the passages before."""
        before, after = self._model.encode_apart(messages, reply_start=reply_start)
        if not packing.readings:
            return before + after
        return self._model.tokens(packing.text) + after

    def _exact(self, packing: Packing, prompt: Tokens) -> Packing:
        """Return the packing with its ledger as the prompt really is."""
        return packing.counted(packing.plan.kept_tokens + len(prompt), self._model.count)

    def _answer(self, reply: _Reply, run: _Run) -> Answer:
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
            written_in=languages.written_in(without_markers(reply.text)),
            searched_for=run.searched,
            verified_share=1.0 if refused else round(reply.verified_share, 3),
            unsupported=() if refused else reply.unsupported,
        )


def _noting(stream: Generator[str, None, Generation], run: _Run) -> Iterator[str]:
    """Pass the stream on and note when it began and what it cost."""
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            run.costs.append(end.value)
            return
        run.first_token = run.first_token or time.perf_counter()
        yield piece


def _timings(run: _Run) -> Timings:
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
