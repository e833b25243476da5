"""From passages to a reply: is the answer there, then the reply, cited and held to its language.

Asks the model and checks what it says; knows neither how the passages were chosen nor who asked.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from time import perf_counter
from typing import Final, TypeAlias

from assistant.backends.base import ChatModel, Choice, Embedder, Generation, PrefillReport, Tokens
from assistant.generation.budget import ANSWER_TOKENS, PackedContext
from assistant.generation.citing import Citer, without_markers
from assistant.generation.prompts import answerable_messages, ask_messages, says_not_found
from assistant.generation.translating import Translator
from assistant.languages import detection
from assistant.languages.registry import phrases
from assistant.languages.sentences import split
from assistant.streams import IsCancelled, Progress, Step, TextDelta
from assistant.types import Citation, ContextMode, Message, Repair
from assistant.watching import watched

ANSWERABLE_SHARE: Final = 0.4  # of yes against no; measured in docs/quality.md
# Spaces and markers around what is said: a marker stands behind the full stop of its sentence.
FRAMED: Final = re.compile(r"((?:\s|\[\d+\])*)(.*?)((?:\s|\[\d+\])*)", re.DOTALL)

Event: TypeAlias = Progress | TextDelta


@dataclass
class Trace:
    """One question on its way, and what is measured on it; times by `time.perf_counter`.

    Attributes:
        searched: the question as it stands alone.
    """

    question: str
    language: str
    cancelled: IsCancelled
    start: float = 0.0
    load_s: float = 0.0
    searched: str = ""
    first_token: float | None = None
    costs: list[Generation] = field(default_factory=list)


@dataclass(frozen=True)
class Reply:
    """What was written, the plan as it really was, and what the sentences stand on."""

    text: str
    packing: PackedContext
    citations: tuple[Citation, ...] = ()
    unsupported: tuple[str, ...] = ()
    verified_share: float = 1.0
    repaired: Repair = Repair.NONE


class Answerer:
    """Lets a model answer from passages."""

    def __init__(self, model: ChatModel, embedder: Embedder) -> None:
        self._model = model
        self._embedder = embedder
        self._translator = Translator(model)

    def answer(self, packing: PackedContext, run: Trace) -> Generator[Event, None, Reply]:
        """Yield stages and the reply as it is written; return it.

        Raises:
            ModelError, Cancelled.
        """
        if not (yield from self._answerable(packing, run)):
            not_found = phrases(run.language).not_found
            yield TextDelta(not_found)
            return Reply(not_found, packing)
        reply = yield from self._write(packing, run)
        return (yield from self._translated(reply, run))

    def exact(self, packing: PackedContext, question: str, language: str) -> PackedContext:
        """Return the packing with its ledger as the prompt really is."""
        messages = ask_messages(question, packing.text, language, packing.history)
        return self._exact(packing, self._prompt(messages, packing))

    def _answerable(self, packing: PackedContext, run: Trace) -> Generator[Event, None, bool]:
        """Ask the model whether the passages hold the answer; what it reads stays read."""
        if packing.plan.mode is ContextMode.HIERARCHICAL:
            return True  # notes on the whole answer what is asked of the whole
        if not packing.passages:
            return False
        messages = answerable_messages(run.searched, packing.text, run.language, packing.history)
        prompt = self._prompt(messages, packing)
        ahead = self._prompt(self._asking(packing, run), packing)
        yield Progress(Step.READING, 0, len(prompt), "", packing.plan.predicted_s)

        def stage(done: int, total: int) -> Progress:
            speeds = self._model.speeds
            left = speeds.reading(total - done, depth=done) if speeds else None
            return Progress(Step.READING, done, total, "", left)

        def choose(cancelled: IsCancelled, report: PrefillReport) -> Choice:
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

    def _write(self, packing: PackedContext, run: Trace) -> Generator[Event, None, Reply]:
        """Yield the reply as it is written; again, held to its language, when it strays."""
        reply = yield from self._reply(packing, run, "")
        written = detection.written_in(reply.text)
        if written in ("", run.language) or says_not_found(reply.text):
            return reply
        yield TextDelta("", restart=True)
        again = yield from self._reply(packing, run, phrases(run.language).reply_start)
        return replace(again, repaired=Repair.REWRITTEN)

    def _translated(self, reply: Reply, run: Trace) -> Generator[Event, None, Reply]:
        """Bring the sentences of a reply into its language that are in a document's, or English."""
        spoken = {passage.document.language for passage in reply.packing.passages} | {"en"}
        parts = [reply.text[start:end] for start, end in split(reply.text)]
        strays = [detection.strays(without_markers(part), run.language, spoken) for part in parts]
        if not any(strays) or says_not_found(reply.text):
            return reply
        yield Progress(Step.TRANSLATING)
        pairs = zip(parts, strays, strict=True)
        text = "".join([self._sentence(part, run) if stray else part for part, stray in pairs])
        if text == reply.text:
            return reply
        yield TextDelta("", restart=True)
        yield TextDelta(text)
        return replace(reply, text=text, repaired=Repair.TRANSLATED)

    def _sentence(self, part: str, run: Trace) -> str:
        """Return one sentence translated, with its markers; as it was when that fails."""
        before, said, behind = FRAMED.fullmatch(part).groups()  # type: ignore[union-attr]
        translated, cost = self._translator.translate(said, run.language, cancelled=run.cancelled)
        run.costs.append(cost)
        return f"{before}{translated}{behind}"

    def _reply(
        self, packing: PackedContext, run: Trace, reply_start: str
    ) -> Generator[Event, None, Reply]:
        """Yield the reply with its markers; return it with its citations and the exact plan."""
        prompt = self._prompt(self._asking(packing, run), packing, reply_start)
        packing = self._exact(packing, prompt)
        yield Progress(Step.WRITING)
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
            yield TextDelta(piece)
        return Reply(
            text.strip(), packing, citer.citations, citer.unsupported, citer.verified_share
        )

    def _asking(self, packing: PackedContext, run: Trace) -> list[Message]:
        return ask_messages(run.searched, packing.text, run.language, packing.history)

    def _prompt(
        self, messages: Sequence[Message], packing: PackedContext, reply_start: str = ""
    ) -> Tokens:
        """Return what has to be read now: without what was read of the passages before."""
        before, after = self._model.encode_apart(messages, reply_start=reply_start)
        if not packing.readings:
            return before + after
        return self._model.tokens(packing.text) + after

    def _exact(self, packing: PackedContext, prompt: Tokens) -> PackedContext:
        return packing.counted(packing.plan.kept_tokens + len(prompt), self._model.count)


def _noting(stream: Generator[str, None, Generation], run: Trace) -> Iterator[str]:
    """Pass the stream on and note when it began and what it cost."""
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            run.costs.append(end.value)
            return
        run.first_token = run.first_token or perf_counter()
        yield piece
