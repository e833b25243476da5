"""What is laid before the model: what fits, what the question is about, and what takes too long."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.assistant import Assistant
from assistant.backends.base import PrefillReport, Prefix, Throughput
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.errors import Cancelled, ContextOverflow
from assistant.generation.context import spread
from assistant.reports import kinds
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import IsCancelled, Progress, Step, Stream, never
from assistant.types import ContextMode, ContextOptions, Document, PlanReason, Query
from tests.assistant.passages import passage
from tests.assistant.storage.libraries import add

PAGES = 60
BOOK = "\n\n".join(
    f"Page {n} tells of bridge number {n}. " + "It is long and old. " * 60 for n in range(PAGES)
)
SLOW = Throughput(prefill_s=0.05, prefill_deeper_s=0.0, decode_s=0.5, decode_deeper_s=0.0)
ABOUT = "What is this document about?"  # one of the examples, so that even a hash finds it near
DETAIL = "What does page 7 tell of bridge number 7?"
SAID = "It tells of bridge number 7."


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    yield opened
    opened.close()


@pytest.fixture
def book(library: Library) -> Document:
    return add(library, BOOK)


def opened(
    library: Library, *, throughput: Throughput | None = None
) -> tuple[Assistant, ScriptedModel]:
    model = ScriptedModel(SAID, throughput=throughput)
    return Assistant(model, HashEmbedder(), library), model


def test_a_short_text_is_read_whole(library: Library) -> None:
    add(library, "The bridge is old.\n\nIt is long.")
    plan = opened(library)[0].plan(Query(DETAIL))
    assert (plan.mode, plan.reason) == (ContextMode.WHOLE, PlanReason.FITS)
    assert [page for _, page in plan.pages_read] == [1, 2]


def test_a_question_about_a_part_of_a_long_text_gets_passages(
    library: Library, book: Document
) -> None:
    plan = opened(library)[0].plan(Query(DETAIL))
    assert (plan.mode, plan.reason) == (ContextMode.PACKED, PlanReason.DETAIL)
    assert (book.id, 8) in plan.pages_read


def test_a_question_about_the_whole_is_answered_from_notes_on_every_section(
    library: Library, book: Document
) -> None:
    assistant, model = opened(library)
    plan = assistant.plan(Query(ABOUT))
    assert (plan.mode, plan.reason) == (ContextMode.HIERARCHICAL, PlanReason.OVERVIEW)
    assert model.asked == []
    answer = assistant.answer(Query(ABOUT))
    assert answer.plan.mode is ContextMode.HIERARCHICAL
    assert model.asked[-1][0].text.count(SAID) == len(model.asked) - 1 > 2
    assert [citation.page for citation in answer.citations] == [8]
    before = len(model.asked)
    assistant.answer(Query(ABOUT))
    assert len(model.asked) == before + 1  # the notes are kept


def test_what_would_take_too_long_is_not_done_and_the_plan_says_so(
    library: Library, book: Document
) -> None:
    assistant, model = opened(library, throughput=SLOW)
    patient = assistant.plan(Query(ABOUT, context=ContextOptions(budget_s=100_000)))
    assert (patient.mode, patient.reason) == (ContextMode.HIERARCHICAL, PlanReason.OVERVIEW)
    hasty = assistant.plan(Query(ABOUT, context=ContextOptions(budget_s=60)))
    assert (hasty.mode, hasty.reason) == (ContextMode.PACKED, PlanReason.SLOW)
    assert patient.predicted_s is not None
    assert hasty.predicted_s is not None
    assert hasty.predicted_s < 90 < patient.predicted_s
    assert max(page for _, page in hasty.pages_read) > PAGES // 2  # beginnings of sections
    assert model.asked == []


def test_a_whole_text_that_takes_too_long_is_read_in_passages(library: Library) -> None:
    add(library, "\n\n".join(f"Page {n}. " + "It is long and old. " * 20 for n in range(12)))
    assistant, _ = opened(library, throughput=SLOW)
    assert (
        assistant.plan(Query(DETAIL, context=ContextOptions(budget_s=1000))).reason
        is PlanReason.FITS
    )
    plan = assistant.plan(Query(DETAIL, context=ContextOptions(budget_s=40)))
    assert (plan.mode, plan.reason) == (ContextMode.PACKED, PlanReason.SLOW)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 9, 30])
def test_passages_are_spread_over_all_the_text_whatever_fits_of_them(count: int) -> None:
    passages = [passage("x", ordinal=n) for n in range(count)]
    ordinals = [p.chunk.ordinal for p in spread(passages)]
    assert sorted(ordinals) == list(range(count))
    assert ordinals[:2] == [*range(min(1, count)), count - 1][:count]
    if count == 9:
        assert ordinals == [0, 8, 4, 2, 6, 1, 3, 5, 7]


@pytest.mark.parametrize("mode", [ContextMode.PACKED, ContextMode.HIERARCHICAL])
def test_a_wish_is_followed(library: Library, book: Document, mode: ContextMode) -> None:
    plan = opened(library, throughput=SLOW)[0].plan(Query(DETAIL, context=ContextOptions(mode)))
    assert (plan.mode, plan.reason) == (mode, PlanReason.ASKED)


def test_a_whole_text_that_does_not_fit_is_an_overflow_with_numbers(
    library: Library, book: Document
) -> None:
    with pytest.raises(ContextOverflow) as caught:
        opened(library)[0].plan(Query(DETAIL, context=ContextOptions(ContextMode.WHOLE)))
    assert caught.value.needed_tokens > caught.value.window_tokens == 8192


def test_a_plan_is_what_is_then_done(library: Library, book: Document) -> None:
    assistant, model = opened(library)
    plan = assistant.plan(Query(DETAIL))
    assert model.asked == []
    assert replace(assistant.answer(Query(DETAIL)).plan, ledger={}) == replace(plan, ledger={})


class Waiting(ScriptedModel):
    """Reads until it is stopped or told to end."""

    def __init__(self) -> None:
        super().__init__(SAID)
        self.reading = threading.Event()
        self.end = threading.Event()
        self.stops = 0

    def prefill(
        self,
        prefix: Prefix,
        *,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        self.reading.set()
        while not self.end.is_set():
            if cancelled():
                self.stops += 1
                self.reading.clear()
                raise Cancelled
            time.sleep(0.002)
        return super().prefill(prefix, cancelled=cancelled, report=report)


def test_a_question_goes_before_what_is_being_prepared(library: Library, book: Document) -> None:
    model = Waiting()
    assistant = Assistant(model, HashEmbedder(), library)
    stages: list[Any] = []
    thread = threading.Thread(target=lambda: stages.extend(assistant.prefill(book.id)))
    thread.start()
    assert model.reading.wait(5)
    assert assistant.answer(Query(DETAIL)).text.startswith(SAID[:-1])
    assert model.reading.wait(5)  # it went on afterwards
    model.end.set()
    thread.join(10)
    assert model.stops == 1
    assert stages[-1].done == stages[-1].total
    assert assistant.prefilled(book.id).share == 1.0


def begun(stream: Stream[Any]) -> tuple[Stream[Any], Any]:
    """Return a stream with its first event."""
    return stream, next(iter(stream))


def test_who_waits_for_another_question_is_told_the_place(library: Library, book: Document) -> None:
    assistant, _ = opened(library)
    first, _ = begun(assistant.ask(Query(DETAIL)))  # has its turn
    second, event = begun(assistant.ask(Query(DETAIL)))
    assert event == Progress(Step.WAITING, 0, 1)
    assert first.result.question == second.result.question == DETAIL


def test_who_waits_may_give_up(library: Library, book: Document) -> None:
    assistant, _ = opened(library)
    first, _ = begun(assistant.ask(Query(DETAIL)))
    stop = threading.Event()
    second, _ = begun(assistant.ask(Query(DETAIL), cancelled=stop.is_set))
    third, _ = begun(assistant.ask(Query(DETAIL)))
    stop.set()
    third.cancel()
    for given_up in (second, third):
        with pytest.raises(Cancelled):
            _ = given_up.result
    assert first.result.question == DETAIL


def test_one_who_leaves_in_the_middle_holds_up_nobody(library: Library, book: Document) -> None:
    assistant, _ = opened(library)
    first = assistant.ask(Query(DETAIL))
    for _ in first:
        break
    first.close()
    assert assistant.answer(Query(DETAIL)).question == DETAIL


def test_a_question_goes_between_two_sections_of_a_summary(
    library: Library, book: Document
) -> None:
    assistant, _ = opened(library)
    summary, _ = begun(assistant.write(kinds()["summary"].spec([book.id], "en")))
    question, event = begun(assistant.ask(Query(DETAIL)))
    assert event == Progress(Step.WAITING, 0, 1)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(question.result))
    thread.start()
    rest = list(summary)
    thread.join(10)
    assert answers[0].question == DETAIL
    assert Progress(Step.WAITING, 0, 1) in rest
