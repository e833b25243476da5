"""The order of the steps, with a model that says what it is told to say."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.assistant import Assistant, turns
from assistant.backends.base import Generation, Prompt
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.errors import (
    Cancelled,
    ContextOverflow,
    EmptyLibrary,
    EmptyQuestion,
    NothingLeft,
    UnknownDocument,
    UnknownLanguage,
)
from assistant.generation.answering import LONGEST_ANSWER
from assistant.generation.budget import ANSWER_TOKENS
from assistant.generation.citing import without_markers
from assistant.languages.registry import phrases
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import IsCancelled, Progress, Step, TextDelta, never
from assistant.types import Answer, ContextMode, Filters, Message, Repair, Role
from tests.assistant.running import events_and_result, query
from tests.assistant.storage.libraries import add

BRIDGE = (
    "The old bridge over the river was built in 1820.\n\n"
    "The bridge is 91 metres long and six metres wide.\n\n"
    "The keeper of the bridge was called Ana Quispe."
)
LLAMA = "Llamas carry loads over the passes.\n\nTheir wool is spun in every village."
REPLY = "The bridge is 91 metres long [2]."
SHOWN = "The bridge is 91 metres long. [1]"  # the first passage used is number 1


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    yield opened
    opened.close()


@pytest.fixture
def ask(library: Library) -> Callable[..., list[Any]]:
    """Ask, and return all that happens."""

    def run(
        model: ScriptedModel, question: str, cancelled: IsCancelled = never, **options: Any
    ) -> list[Any]:
        assistant = Assistant(model, HashEmbedder(), library)
        return events_and_result(assistant.ask(query(question, **options), cancelled=cancelled))

    return run


def answer_of(events: Sequence[Any]) -> Answer:
    assert isinstance(events[-1], Answer)
    assert not any(isinstance(event, Answer) for event in events[:-1])
    return events[-1]


def streamed(events: Sequence[Any]) -> str:
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text = event.text if event.restart else text + event.text
    return text


def last_words(model: ScriptedModel) -> list[str]:
    return [messages[-1].text for messages in model.asked]


def read_by(model: ScriptedModel) -> str:
    return "\n".join(message.text for messages in model.asked for message in messages)


# the order of things


def test_searching_comes_first_and_the_answer_last(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    events = ask(ScriptedModel(REPLY), "How long is the bridge?")
    stages = [event.name for event in events if isinstance(event, Progress)]
    assert list(dict.fromkeys(stages)) == [
        Step.LOADING,
        Step.SEARCHING,
        Step.READING,
        Step.WRITING,
    ]
    writing = next(i for i, e in enumerate(events) if e == Progress(Step.WRITING))
    pieces = [i for i, event in enumerate(events) if isinstance(event, TextDelta)]
    assert writing < pieces[0] <= pieces[-1] == len(events) - 2


def test_the_answer_is_what_was_streamed_with_its_citation(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    book = add(library, BRIDGE, title="The bridge")
    events = ask(ScriptedModel(REPLY), "How long is the bridge?")
    answer = answer_of(events)
    assert answer.text == streamed(events) == SHOWN
    assert (answer.question, answer.language, answer.answerable, answer.model) == (
        *("How long is the bridge?", "en", True, "scripted"),
    )
    assert [(c.document_id, c.document, c.page, c.marker, c.quote) for c in answer.citations] == [
        (book.id, "The bridge", 2, 1, "The bridge is 91 metres long and six metres wide.")
    ]


def test_the_plan_and_the_timings_are_those_of_the_answer(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    book = add(library, BRIDGE)
    answer = answer_of(ask(ScriptedModel(REPLY), "How long is the bridge?"))
    assert answer.plan.mode is ContextMode.WHOLE
    assert answer.plan.pages_read == ((book.id, 1), (book.id, 2), (book.id, 3))
    assert answer.plan.pages_left_out == ()
    assert sum(answer.plan.ledger.values()) <= answer.plan.window == 8192
    assert answer.timings.completion_tokens == len(REPLY.split())
    assert 0 < answer.timings.ttft_s <= answer.timings.total_s


def test_invented_markers_are_not_shown(library: Library, ask: Callable[..., list[Any]]) -> None:
    add(library, BRIDGE)
    events = ask(ScriptedModel("The bridge is 91 metres long [2] [9]."), "How long is the bridge?")
    assert streamed(events) == answer_of(events).text == SHOWN


def test_a_large_library_is_searched_and_not_read_whole(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    saga = "\n\n".join(f"Saga part {n}. " + "The hero rides on. " * 20 for n in range(30))
    add(library, saga, title="Saga")
    model = ScriptedModel(REPLY)
    answer = answer_of(ask(model, "How many metres long is the bridge?"))
    assert answer.plan.mode is ContextMode.PACKED
    assert "91 metres" in read_by(model)
    assert len(answer.plan.pages_read) < 30


# what is asked for


@pytest.mark.parametrize("question", ["", "   \n"])
def test_an_empty_question_is_refused(ask: Callable[..., list[Any]], question: str) -> None:
    with pytest.raises(EmptyQuestion):
        ask(ScriptedModel(REPLY), question)


def test_an_unknown_document_is_refused(library: Library, ask: Callable[..., list[Any]]) -> None:
    add(library, BRIDGE)
    with pytest.raises(UnknownDocument, match="saga"):
        ask(ScriptedModel(REPLY), "How long?", documents=["saga"])


def test_an_unknown_language_is_refused(library: Library, ask: Callable[..., list[Any]]) -> None:
    with pytest.raises(UnknownLanguage, match="xx"):
        ask(ScriptedModel(REPLY), "How long is the bridge?", language="xx")


def test_only_the_named_documents_are_read(library: Library, ask: Callable[..., list[Any]]) -> None:
    add(library, BRIDGE)
    llamas = add(library, LLAMA, title="Llamas")
    model = ScriptedModel("Their wool is spun in every village [2].")
    answer = answer_of(ask(model, "How long is the old bridge?", documents=["Llamas"]))
    assert {document for document, _ in answer.plan.pages_read} == {llamas.id}
    assert {citation.document_id for citation in answer.citations} == {llamas.id}
    assert "91 metres" not in read_by(model)


def test_an_empty_library_is_told(ask: Callable[..., list[Any]]) -> None:
    model = ScriptedModel(REPLY)
    with pytest.raises(EmptyLibrary):
        ask(model, "¿Cuánto mide el puente viejo?")
    assert model.asked == []


def test_a_question_too_long_for_the_window_is_an_overflow_and_no_refusal(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    with pytest.raises(ContextOverflow) as caught:
        ask(ScriptedModel(REPLY, window_tokens=2048), "How long is the bridge? " * 600)
    assert caught.value.needed_tokens > caught.value.window_tokens == 2048


# refusals


def test_a_refusal_is_no_answer_and_cites_nothing(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = ScriptedModel("The passages do not contain the answer [1].")
    answer = answer_of(ask(model, "¿Quién pintó el puente viejo?"))
    assert (answer.answerable, answer.citations) == (False, ())
    assert answer.text == phrases("es").not_found


def test_passages_without_the_answer_are_not_made_to_answer(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    events = ask(ScriptedModel(REPLY, knows=False), "Who painted the old bridge?")
    answer = answer_of(events)
    assert (answer.answerable, answer.citations) == (False, ())
    assert answer.text == streamed(events) == phrases("en").not_found


# languages


def test_the_answer_is_asked_for_in_the_question_s_language(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = ScriptedModel("El puente mide 91 metros de largo [2].")
    answer = answer_of(ask(model, "¿Cuánto mide de largo el puente viejo?"))
    assert (answer.language, answer.written_in) == ("es", "es")
    assert last_words(model)[-1].endswith(phrases("es").answer)


def test_a_language_asked_for_goes_before_the_question_s(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = ScriptedModel("Die Brücke ist 91 Meter lang und alt [2].")
    answer = answer_of(ask(model, "How long is the bridge?", language="de"))
    assert (answer.language, answer.written_in) == ("de", "de")


def test_an_answer_in_the_wrong_language_is_written_once_more(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    replies = iter(
        [
            "The bridge is 91 metres long and it is old [2].",
            " el puente mide 91 metros de largo [2].",
        ]
    )
    events = ask(ScriptedModel(lambda _: next(replies)), "¿Cuánto mide de largo el puente viejo?")
    answer = answer_of(events)
    assert [event.restart for event in events if isinstance(event, TextDelta)].count(True) == 1
    assert "".join(answer.text.split()) == "".join(streamed(events).split())
    assert answer.text.startswith(phrases("es").reply_start)
    assert answer.text.endswith(" el puente mide 91 metros de largo. [1]")
    assert (answer.written_in, answer.repaired) == ("es", Repair.REWRITTEN)


def test_a_model_that_keeps_to_the_wrong_language_is_not_asked_for_ever(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = ScriptedModel("The bridge is 91 metres long and it is very old indeed [2].")
    events = ask(model, "¿Cuánto mide de largo el puente viejo?")
    assert sum(event.restart for event in events if isinstance(event, TextDelta)) <= 1
    assert answer_of(events).answerable


STRAYING = (
    "El puente viejo mide 91 metros de largo y seis metros de ancho, según lo que dice el texto "
    "del libro [2]. The old bridge was built in the year 1820 [1]."
)


def test_a_sentence_that_strays_is_translated_with_its_source_kept(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)

    def reply(messages: Sequence[Message]) -> str:
        translating = messages[0].text.startswith("You translate")
        return "El viejo puente se construyó en el año 1820." if translating else STRAYING

    events = ask(ScriptedModel(reply), "¿Cuánto mide de largo el puente viejo?")
    answer = answer_of(events)
    first, second = answer.text.split("] ")
    assert first.endswith("el texto del libro. [1")
    assert second.startswith("El viejo puente se construyó en el año 1820.")
    assert second.endswith("[2]")
    assert answer.repaired is Repair.TRANSLATED
    assert streamed(events) == answer.text


def test_a_sentence_that_cannot_be_translated_stays_as_it_was(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)

    def reply(messages: Sequence[Message]) -> str:
        translating = messages[0].text.startswith("You translate")
        return messages[-1].text if translating else STRAYING

    answer = answer_of(ask(ScriptedModel(reply), "¿Cuánto mide de largo el puente viejo?"))
    assert "The old bridge was built in the year 1820." in answer.text
    assert answer.repaired is Repair.NONE


def test_a_quote_is_translated_once_and_kept_with_its_document(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    citation = answer_of(ask(ScriptedModel(REPLY), "How long is the bridge?")).citations[0]
    model = ScriptedModel("El puente viejo mide 91 metros de largo, dice el libro.")
    assistant = Assistant(model, HashEmbedder(), library)
    assert (
        assistant.translate(citation, "es").result
        == "El puente viejo mide 91 metros de largo, dice el libro."
    )
    assert assistant.translate(citation, "es").result.startswith("El puente viejo")
    assert len(model.asked) == 1
    assert assistant.translate(citation, "en").result == citation.quote
    assert len(model.asked) == 1


# conversations

HISTORY = [
    Message(Role.USER, "Who kept the old bridge?"),
    Message(Role.ASSISTANT, "Ana Quispe [3]."),
]


def scripted(rewriting: str) -> ScriptedModel:
    """A model that rewrites to `rewriting` and answers `REPLY`."""
    return ScriptedModel(
        lambda messages: rewriting if "Last question" in messages[-1].text else REPLY
    )


def test_a_follow_up_that_leans_on_the_conversation_is_rewritten(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = scripted("How long is the old bridge that Ana Quispe kept?")
    answer = answer_of(ask(model, "And how long is it?", history=HISTORY))
    assert answer.question == "And how long is it?"
    assert answer.searched_for == "How long is the old bridge that Ana Quispe kept?"
    assert "Ana Quispe [3]." in last_words(model)[0]


def test_a_question_that_stands_alone_is_searched_as_it_is(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = scripted("Something else entirely?")
    answer = answer_of(ask(model, "How long is the bridge over the river?", history=HISTORY))
    assert answer.searched_for == "How long is the bridge over the river?"
    assert [text for text in last_words(model) if "Last question" in text] == []


def test_without_a_conversation_nothing_is_rewritten(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = scripted("Something else entirely?")
    assert answer_of(ask(model, "And how long is it?")).searched_for == "And how long is it?"


@pytest.mark.parametrize(
    "rewriting",
    ["Sure!\nHere is the question: how long is it?", "The bridge is 91 metres long."],
)
def test_what_is_no_question_is_not_taken_for_a_rewriting(
    rewriting: str, library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    model = scripted(rewriting)
    answer = answer_of(ask(model, "And how long is it?", history=HISTORY))
    assert answer.searched_for == f"{HISTORY[0].text} And how long is it?"


def test_an_answer_becomes_two_turns(library: Library, ask: Callable[..., list[Any]]) -> None:
    add(library, BRIDGE)
    answer = answer_of(ask(ScriptedModel(REPLY), "How long is the bridge?"))
    assert turns(answer) == [
        Message(Role.USER, "How long is the bridge?"),
        Message(Role.ASSISTANT, "The bridge is 91 metres long."),
    ]


# stopping


@pytest.mark.parametrize("after", [0, 2])
def test_an_answer_can_be_stopped(
    library: Library, ask: Callable[..., list[Any]], after: int
) -> None:
    add(library, BRIDGE)
    calls = iter(range(100))
    with pytest.raises(Cancelled):
        ask(ScriptedModel(REPLY), "How long is the bridge?", cancelled=lambda: next(calls) >= after)


def test_the_answer_at_once_is_the_last_event(library: Library) -> None:
    add(library, BRIDGE)
    assistant = Assistant(ScriptedModel(REPLY), HashEmbedder(), library)
    assert assistant.answer(query("How long is the bridge?")).text == SHOWN


@pytest.mark.parametrize(
    "filters",
    [
        Filters(languages=("es",)),
        Filters(added_from="2026-01-02"),
        Filters(added_until="2025-12-31"),
        Filters(pages=(4, 9)),
    ],
)
def test_filters_that_leave_nothing_are_told(library: Library, filters: Filters) -> None:
    add(library, BRIDGE)
    assistant = Assistant(ScriptedModel(""), HashEmbedder(), library)
    with pytest.raises(NothingLeft):
        assistant.search(query("How long is it?", filters=filters))


def test_a_whole_document_is_read_on_the_pages_asked_for_alone(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    book = add(library, BRIDGE)
    add(library, LLAMA, title="Llamas", language="es")
    model = ScriptedModel(REPLY)
    filters = Filters(languages=("en",), added_from="2026-01-01", pages=(2, 3))
    answer = answer_of(ask(model, "How long is the bridge?", filters=filters))
    assert answer.plan.pages_read == ((book.id, 2), (book.id, 3))


# answers that reach the token limit


class Talkative(ScriptedModel):
    """Goes on with one long reply where a call before stopped."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.whole = reply

    def stream(self, prompt: Prompt, **options: Any) -> Generator[str, None, Generation]:
        self._reply = lambda messages: self.whole.removeprefix(prompt.reply_start)
        return super().stream(prompt, **options)


def test_an_answer_that_reaches_the_limit_of_a_call_goes_on(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    reply = " ".join(
        f"The bridge number {n} is {n} metres long." for n in range(ANSWER_TOKENS // 5)
    )
    model = Talkative(reply)
    events = ask(model, "How long is the bridge?")
    answer = answer_of(events)
    assert streamed(events) == answer.text
    assert without_markers(answer.text) == reply
    assert not answer.truncated
    assert [bool(prompt.reply_start) for prompt in model.prompts] == [False, False, True]


def test_an_answer_beyond_all_limits_ends_with_a_whole_sentence_and_says_so(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    reply = " ".join(f"The bridge number {n} is {n} metres long." for n in range(LONGEST_ANSWER))
    events = ask(Talkative(reply), "How long is the bridge?")
    answer = answer_of(events)
    assert answer.truncated
    assert streamed(events) == answer.text
    text = without_markers(answer.text)
    assert reply.startswith(text)
    assert text.endswith("metres long.")
    assert LONGEST_ANSWER - 9 < len(text.split()) <= LONGEST_ANSWER


def test_a_reply_that_repeats_itself_is_not_continued_for_ever(
    library: Library, ask: Callable[..., list[Any]]
) -> None:
    add(library, BRIDGE)
    answer = answer_of(ask(Talkative("It is long. " * 2000), "How long is the bridge?"))
    assert answer.truncated
    assert len(answer.text.split()) <= 2 * ANSWER_TOKENS
