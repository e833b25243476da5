"""The assistant: the only place that knows the order of the steps of an answer.

retrieve → plan → messages → generate (stream) → cite and check
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from assistant import languages
from assistant.citing import cite, drop_unknown_markers, resolve_markers
from assistant.errors import EmptyQuestion
from assistant.planning import ANSWER_TOKENS, PASSAGE_TOKENS, Packing, pack
from assistant.prompting import (
    answerable_messages,
    ask_messages,
    phrases,
    rewrite_messages,
    says_not_found,
)
from assistant.protocols import Cancelled, Embedder, LanguageModel, Store, never
from assistant.retrieving import retrieve
from assistant.rewriting import stands_alone, usable
from assistant.summarizing import Length, Summarizer
from assistant.types import (
    Answer,
    Citation,
    Document,
    Generation,
    Matrix,
    Message,
    Passage,
    Piece,
    Role,
    Stage,
    StageName,
    Summary,
    Timings,
)

PASSAGES: Final = 6  # asked of the search; the plan takes those that fit
REWRITE_TOKENS: Final = 80
ANSWERABLE_SHARE: Final = 0.45  # of yes against no; measured in docs/architecture.md
WORDS_PER_TOKEN: Final = 3  # no language writes more words than tokens; 3 is far on the safe side

Event: TypeAlias = Stage | Piece | Answer | Summary


@dataclass
class _Run:
    """What is measured while one question is answered; times by `time.perf_counter`."""

    start: float
    load_s: float
    first_token: float | None = None
    generation: Generation | None = None


class Assistant:
    """Answers questions about the documents of a store, and summarises them."""

    def __init__(self, model: LanguageModel, embedder: Embedder, store: Store) -> None:
        self._model = model
        self._embedder = embedder
        self._store = store

    def ask(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
        cancelled: Cancelled = never,
    ) -> Iterator[Event]:
        """Yield what happens: stages, pieces of the answer's text, and last the `Answer`.

        Args:
            language: of the answer; None takes the question's.
            documents: ids, titles or file names to answer from; none means all.
            history: the conversation so far, question and reply in turn.

        Raises:
            EmptyQuestion, UnknownLanguage, UnknownDocument, AmbiguousDocument, ModelError.
            assistant.errors.Cancelled: `cancelled` said so.
        """
        question = question.strip()
        if not question:
            raise EmptyQuestion
        asked_in = languages.identify(question)
        language = languages.check(language) if language else asked_in
        chosen = [self._store.document(reference) for reference in documents]
        run = self._start()
        yield Stage(StageName.SEARCHING)
        searched = self._standalone(question, history, cancelled)
        packing = self._pack(searched, language, asked_in, chosen, history)
        text = phrases(language).not_found
        if (yield from self._answerable(searched, packing, cancelled)):
            text = yield from self._write(searched, language, packing, cancelled, run)
        else:
            yield Piece(text)
        yield Stage(StageName.CHECKING)
        yield self._answer(question, searched, language, text, packing, run)

    def answer(
        self,
        question: str,
        *,
        language: str | None = None,
        documents: Sequence[str] = (),
        history: Sequence[Message] = (),
    ) -> Answer:
        """Return the answer at once; see `ask`."""
        events = self.ask(question, language=language, documents=documents, history=history)
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
        yield from Summarizer(self._model, self._store, cancelled).summarize(found, wanted, length)

    def _start(self) -> _Run:
        """Load what is not loaded yet, apart from the time that the question takes."""
        begin = time.perf_counter()
        _ = self._model.window_tokens, self._embedder.dimensions
        start = time.perf_counter()
        return _Run(start=start, load_s=start - begin)

    def _standalone(self, question: str, history: Sequence[Message], cancelled: Cancelled) -> str:
        """Return the question with what it takes from the conversation put in."""
        if not history or stands_alone(question):
            return question
        prompt = self._model.encode(rewrite_messages(question, history[-4:]))
        pieces = self._model.stream(prompt, limit_tokens=REWRITE_TOKENS, cancelled=cancelled)
        rewritten = "".join(pieces).strip()
        return rewritten if usable(rewritten, question) else question

    def _pack(
        self,
        question: str,
        language: str,
        asked_in: str,
        chosen: Sequence[Document],
        history: Sequence[Message],
    ) -> Packing:
        whole = self._whole(chosen or self._store.documents())
        found = whole or retrieve(
            question,
            asked_in,
            store=self._store,
            embedder=self._embedder,
            limit=PASSAGES,
            documents=[document.id for document in chosen] or None,
        )
        return pack(
            question,
            language,
            found,
            history,
            count=self._model.count,
            window=self._model.effective_tokens,
            whole=bool(whole),
        )

    def _whole(self, documents: Sequence[Document]) -> list[Passage]:
        """Return all passages of the documents when that is no more than a search would give."""
        if sum(d.word_count for d in documents) > PASSAGE_TOKENS // WORDS_PER_TOKEN:
            return []
        return [
            Passage(chunk=chunk, document=document, score=1.0)
            for document in documents
            for chunk in self._store.chunks(document.id)
        ]

    def _answerable(
        self, question: str, packing: Packing, cancelled: Cancelled
    ) -> Generator[Event, None, bool]:
        """Ask the model whether the passages hold the answer; what it reads stays read."""
        if not packing.passages:
            return False
        prompt = self._model.encode(answerable_messages(question, packing.passages))
        yield Stage(StageName.READING, 0, len(prompt))
        yes, _ = self._model.choose(prompt, ["Yes", "No"], cancelled=cancelled)
        return yes >= ANSWERABLE_SHARE

    def _write(
        self,
        question: str,
        language: str,
        packing: Packing,
        cancelled: Cancelled,
        run: _Run,
    ) -> Generator[Event, None, str]:
        """Yield the reply as it is written; again, held to its language, when it strays."""
        messages = ask_messages(question, packing.passages, language, packing.history)
        text = yield from self._reply(messages, "", packing, cancelled, run)
        written = languages.written_in(text)
        if written and written != language and not says_not_found(text):
            yield Piece("", restart=True)
            start = phrases(language).reply_start
            text = yield from self._reply(messages, start, packing, cancelled, run)
        return text

    def _reply(
        self,
        messages: Sequence[Message],
        reply_start: str,
        packing: Packing,
        cancelled: Cancelled,
        run: _Run,
    ) -> Generator[Event, None, str]:
        prompt = self._model.encode(messages, reply_start=reply_start)
        yield Stage(StageName.WRITING)
        stream = self._model.stream(prompt, limit_tokens=ANSWER_TOKENS, cancelled=cancelled)
        text = reply_start
        if reply_start:
            yield Piece(reply_start)
        for piece in drop_unknown_markers(_noting(stream, run), len(packing.passages)):
            text += piece
            yield Piece(piece)
        return text.strip()

    def _answer(
        self,
        question: str,
        searched: str,
        language: str,
        text: str,
        packing: Packing,
        run: _Run,
    ) -> Answer:
        refused = says_not_found(text)
        if refused:
            text = phrases(language).not_found
        citations = [] if refused else cite(text, packing.passages, self._similarity)
        return Answer(
            question=question,
            language=language,
            text=resolve_markers(text, len(packing.passages)),
            answerable=not refused,
            citations=tuple(citations),
            plan=packing.plan,
            timings=_timings(run),
            model=self._model.name,
            written_in=languages.written_in(text),
            searched_for=searched,
        )

    def _similarity(self, left: Sequence[str], right: Sequence[str]) -> Matrix:
        """Return cosines between two lists of sentences, both seen as queries (symmetric)."""
        vectors = self._embedder.embed_queries([*left, *right])
        matrix: Matrix = vectors[: len(left)] @ vectors[len(left) :].T  # (n, dim) @ (dim, m)
        return matrix


def _noting(stream: Generator[str, None, Generation], run: _Run) -> Iterator[str]:
    """Pass the stream on and note when it began and what it cost."""
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            run.generation = end.value
            return
        run.first_token = run.first_token or time.perf_counter()
        yield piece


def _timings(run: _Run) -> Timings:
    now = time.perf_counter()
    cost = run.generation or Generation(0, 0, 0, 0.0, 0.0)
    read = cost.prompt_tokens - cost.cached_tokens
    return Timings(
        load_s=run.load_s,
        ttft_s=(run.first_token or now) - run.start,
        prompt_tokens=cost.prompt_tokens,
        cached_tokens=cost.cached_tokens,
        completion_tokens=cost.completion_tokens,
        prefill_tokens_per_s=read / cost.prefill_s if cost.prefill_s else 0.0,
        decode_tokens_per_s=cost.completion_tokens / cost.decode_s if cost.decode_s else 0.0,
        total_s=now - run.start,
    )


def turns(answer: Answer) -> list[Message]:
    """Return an answered question as two turns of a conversation."""
    return [Message(Role.USER, answer.question), Message(Role.ASSISTANT, answer.text)]


def used_citations(answer: Answer) -> list[Citation]:
    """Return the citations to list under the answer, by document and page."""
    return sorted(answer.citations, key=lambda c: (c.marker, c.page))
