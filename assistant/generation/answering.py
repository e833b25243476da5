"""From a packed context to a reply: is the answer there, then the reply, cited, in its language.

Asks the model and checks what it writes. Knows neither how passages were chosen nor who asked.
"""

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

from assistant.backends.base import ChatModel, Choice, Embedder, Generation, Prompt
from assistant.generation.budget import ANSWER_TOKENS, PackedContext
from assistant.generation.citing import Citer, without_markers
from assistant.generation.judging import ANSWERABLE, Judge
from assistant.generation.key_points import whole_sentences
from assistant.generation.prompts import answerable_prompt, says_not_found
from assistant.generation.translating import Translator
from assistant.languages import detection
from assistant.languages.registry import phrases
from assistant.languages.sentences import split
from assistant.streams import Events, IsCancelled, Progress, Step, TextDelta, with_progress
from assistant.types import Citation, ContextMode, Query, Repair, Timings

LONGEST_ANSWER: Final = 3 * ANSWER_TOKENS  # a reply that goes on after this is a loop or a copy
# Spaces and markers around a sentence: a marker stands behind its full stop.
FRAMED: Final = re.compile(r"((?:\s|\[\d+\])*)(.*?)((?:\s|\[\d+\])*)", re.DOTALL)


@dataclass
class Trace:
    """What is measured while a question is answered; times by `time.perf_counter`.

    Attributes:
        costs: of every call of the model, in order.
    """

    start: float = 0.0
    load_s: float = 0.0
    first_token: float | None = None
    costs: list[Generation] = field(default_factory=list)

    def timings(self) -> Timings:
        """Sum up the calls: the first one prefills, the others find most of it cached."""
        now = perf_counter()
        prefilled = sum(cost.prompt_tokens - cost.cached_tokens for cost in self.costs)
        written = sum(cost.completion_tokens for cost in self.costs)
        prefill_s = sum(cost.prefill_s for cost in self.costs)
        decode_s = sum(cost.decode_s for cost in self.costs)
        return Timings(
            load_s=self.load_s,
            ttft_s=(self.first_token or now) - self.start,
            prompt_tokens=self.costs[-1].prompt_tokens if self.costs else 0,
            cached_tokens=self.costs[0].cached_tokens if self.costs else 0,
            completion_tokens=written,
            prefill_tokens_per_s=prefilled / prefill_s if prefill_s else 0.0,
            decode_tokens_per_s=written / decode_s if decode_s else 0.0,
            total_s=now - self.start,
        )


@dataclass(frozen=True)
class Reply:
    """A reply, and what its sentences stand on.

    Attributes:
        truncated: it reached the token limit and was cut behind its last whole sentence.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    unsupported: tuple[str, ...] = ()
    verified_share: float = 1.0
    repaired: Repair = Repair.NONE
    truncated: bool = False


class Answerer:
    """Has a model answer from a packed context."""

    def __init__(self, model: ChatModel, embedder: Embedder) -> None:
        self._model = model
        self._embedder = embedder
        self._judge = Judge(model)
        self._translator = Translator(model)

    def answer(
        self, packed: PackedContext, query: Query, trace: Trace, cancelled: IsCancelled
    ) -> Events[Reply]:
        """Yield progress and the reply as it is written; return it.

        Args:
            query: as it is searched, with the language of the answer.

        Raises:
            ModelError, Cancelled.
        """
        run = _Run(packed, query, trace, cancelled)
        if not (yield from self._answerable(run)):
            not_found = phrases(query.language).not_found
            yield TextDelta(not_found)
            return Reply(not_found)
        reply = yield from self._written(run)
        return (yield from self._translated(reply, run))

    def _answerable(self, run: "_Run") -> Events[bool]:
        """Ask the model whether the passages state the answer; their KV stays for the reply."""
        plan, ask = run.packed.plan, run.packed.prompt
        if plan.mode is ContextMode.HIERARCHICAL:
            return True  # notes on the whole answer what is asked of the whole
        if not run.packed.passages:
            return False
        prompt = answerable_prompt(ask, run.query)
        fresh = self._model.count_prompt(prompt) - plan.kept_tokens
        yield Progress(Step.READING, 0, fresh, "", plan.predicted_s)

        def progress(done: int, total: int) -> Progress:
            throughput = self._model.throughput
            left = throughput.prefill_time(total - done, depth=done) if throughput else None
            return Progress(Step.READING, done, total, "", left)

        def judge(cancelled: IsCancelled, report: Callable[[Progress], None]) -> Choice:
            return self._judge.yes(
                prompt,
                next_prompt=ask,
                cancelled=cancelled,
                report=lambda *done: report(progress(*done)),
            )

        choice = yield from with_progress(judge, run.cancelled)
        run.trace.costs.append(choice.cost)
        return ANSWERABLE.met(choice.probabilities[0])

    def _written(self, run: "_Run") -> Events[Reply]:
        """Yield the reply as it is written; again, started in its language, when it strays."""
        reply = yield from self._reply(run, "")
        written = detection.written_in(reply.text)
        if written in ("", run.query.language) or says_not_found(reply.text):
            return reply
        yield TextDelta("", restart=True)
        again = yield from self._reply(run, phrases(run.query.language).reply_start)
        return replace(again, repaired=Repair.REWRITTEN)

    def _reply(self, run: "_Run", reply_start: str) -> Events[Reply]:
        """Yield the reply with its markers; return it with its citations."""
        yield Progress(Step.WRITING)
        decoding = _Decoding(self._model, run, replace(run.packed.prompt, reply_start=reply_start))
        citer = run.citer(self._embedder)
        text = ""
        for piece in citer.mark(decoding):
            text += piece
            yield TextDelta(piece)
        if decoding.truncated:
            citer = run.citer(self._embedder)
            text = "".join(citer.mark([whole_sentences(decoding.text)]))
            yield TextDelta("", restart=True)
            yield TextDelta(text)
        return Reply(
            text.strip(),
            citer.citations,
            citer.unsupported,
            citer.verified_share,
            truncated=decoding.truncated,
        )

    def _translated(self, reply: Reply, run: "_Run") -> Events[Reply]:
        """Translate the sentences of a reply that are in a document's language, or English."""
        language = run.query.language
        spoken = {passage.document.language for passage in run.packed.passages} | {"en"}
        parts = [reply.text[start:end] for start, end in split(reply.text)]
        strays = [detection.strays(without_markers(part), language, spoken) for part in parts]
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

    def _sentence(self, part: str, run: "_Run") -> str:
        """Return one sentence translated, with its markers; unchanged when that fails."""
        before, said, behind = FRAMED.fullmatch(part).groups()  # type: ignore[union-attr]
        translated, cost = self._translator.translate(
            said, run.query.language, cancelled=run.cancelled
        )
        run.trace.costs.append(cost)
        return f"{before}{translated}{behind}"


@dataclass(frozen=True)
class _Run:
    """One question on its way through the answerer."""

    packed: PackedContext
    query: Query
    trace: Trace
    cancelled: IsCancelled

    def citer(self, embedder: Embedder) -> Citer:
        return Citer(self.packed.passages, embedder.embed_queries, question=self.query.question)


class _Decoding:
    """The raw text of a reply, continued when it reaches the limit of one call.

    Attributes:
        text: what was written so far, from the start of the reply.
        truncated: the reply did not end before the last limit.
    """

    def __init__(self, model: ChatModel, run: _Run, prompt: Prompt) -> None:
        self._model = model
        self._run = run
        self._prompt = prompt
        self.text = prompt.reply_start
        self.truncated = False

    def __iter__(self) -> Iterator[str]:
        yield self.text
        room = self._model.window_tokens - self._model.count_prompt(self._prompt)
        left = min(LONGEST_ANSWER, room)
        while left > 0:
            cost = yield from self._call(min(ANSWER_TOKENS, left))
            left -= cost.completion_tokens
            self.truncated = cost.stopped_by_limit
            if not self.truncated or _repeats(self.text):
                return

    def _call(self, limit_tokens: int) -> Generator[str, None, Generation]:
        """Yield what one call adds; note when the first token came, and what the call cost."""
        run = self._run
        stream = self._model.stream(
            replace(self._prompt, reply_start=self.text),
            limit_tokens=limit_tokens,
            cancelled=run.cancelled,
        )
        while True:
            try:
                piece = next(stream)
            except StopIteration as end:
                cost: Generation = end.value
                run.trace.costs.append(cost)
                return cost
            run.trace.first_token = run.trace.first_token or perf_counter()
            self.text += piece
            yield piece


def _repeats(text: str) -> bool:
    """Tell whether the last whole sentence of a text stands in it before."""
    sentences = [text[start:end].strip() for start, end in split(text)]
    return len(sentences) > 2 and sentences[-2] in sentences[:-2]
