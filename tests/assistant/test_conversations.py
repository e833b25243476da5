"""Conversations that go on beside, and are there again on another day."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.assistant import Assistant
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.conversations import Conversations
from assistant.errors import EmptyLibrary, StillAnswering
from assistant.storage.base import Conversation, Turn, TurnState
from assistant.storage.conversations import ConversationTable
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Message, Query
from tests.assistant.storage.libraries import add

BRIDGE = "The bridge is 91 metres long and six metres wide."
REPLY = "The bridge is 91 metres long [1]."
SAID = "The bridge is 91 metres long. [1]"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    yield opened
    opened.close()


def talking(
    library: Library, reply: str | Callable[[Sequence[Message]], str] = REPLY
) -> Conversations:
    assistant = Assistant(ScriptedModel(reply), HashEmbedder(), library)
    return Conversations(assistant, ConversationTable(library.database))


def asked(talks: Conversations, *questions: str) -> Conversation:
    conversation = talks.begin()
    for question in questions:
        talks.ask(conversation, Query(question)).wait()
    return conversation


class Held:
    """A reply that comes when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may = threading.Event()

    def __call__(self, messages: Sequence[Message]) -> str:
        self.begun.set()
        assert self.may.wait(20)
        return REPLY


def test_an_answered_question_is_there_again_in_another_process(library: Library) -> None:
    book = add(library, BRIDGE)
    first = talking(library)
    conversation = asked(first, "How long is the bridge?")
    again = talking(library)
    assert [each.title for each in again.every()] == ["How long is the bridge?"]
    (turn,) = again.turns(conversation.id)
    assert (turn.state, turn.text) == (TurnState.ANSWERED, SAID)
    assert turn.answer is not None
    assert [c.document_id for c in turn.answer.citations] == [book.id]
    assert first.turns(conversation.id) == [turn]


def test_an_empty_conversation_is_not_kept(library: Library) -> None:
    talks = talking(library)
    assert talks.turns(talks.begin().id) == []
    assert talks.every() == []


def test_a_follow_up_is_asked_with_what_was_said_before(library: Library) -> None:
    add(library, BRIDGE)
    heard: list[str] = []

    def reply(messages: Sequence[Message]) -> str:
        heard.extend(message.text for message in messages)
        return REPLY

    talks = talking(library, reply)
    conversation = asked(talks, "How long is the bridge?", "And how wide is the bridge?")
    assert [turn.number for turn in talks.turns(conversation.id)] == [1, 2]
    assert "The bridge is 91 metres long." in heard


def test_while_one_question_is_answered_no_other_is_taken_and_both_can_be_seen(
    library: Library,
) -> None:
    add(library, BRIDGE)
    held = Held()
    talks = talking(library, held)
    conversation, other = talks.begin(), talks.begin()
    job = talks.ask(conversation, Query("How long is the bridge?"))
    assert held.begun.wait(20)
    with pytest.raises(StillAnswering):
        talks.ask(conversation, Query("How wide?"))
    assert talks.job(conversation.id) is job
    assert talks.job(other.id) is None
    assert [turn.state for turn in talks.turns(conversation.id)] == [TurnState.RUNNING]
    held.may.set()
    job.wait()
    assert talks.job(conversation.id) is None
    assert [turn.question for turn in talks.turns(conversation.id)] == ["How long is the bridge?"]


def test_what_was_written_before_a_stop_is_kept(library: Library) -> None:
    add(library, BRIDGE)
    held = Held()
    talks = talking(library, held)
    conversation = talks.begin()
    job = talks.ask(conversation, Query("How long is the bridge?"))
    assert held.begun.wait(20)
    job.cancel()
    held.may.set()
    assert job.wait().cancelled
    (turn,) = talks.turns(conversation.id)
    assert (turn.state, turn.answer) == (TurnState.STOPPED, None)
    assert SAID.startswith(turn.text)


def test_a_failure_is_kept_in_one_sentence(library: Library) -> None:
    talks = talking(library)
    conversation = asked(talks, "How long is the bridge?")
    (turn,) = talks.turns(conversation.id)
    assert turn.state is TurnState.FAILED
    assert turn.failure == EmptyLibrary().notice


def test_a_question_whose_process_died_was_stopped(library: Library) -> None:
    table = ConversationTable(library.database)
    table.put_conversation(Conversation("c", "A question", "2026-01-01T00:00:00+00:00"))
    table.put_turn("c", Turn(1, "A question"))
    assert [turn.state for turn in talking(library).turns("c")] == [TurnState.STOPPED]


def test_a_conversation_can_be_renamed_and_removed(library: Library) -> None:
    add(library, BRIDGE)
    talks = talking(library)
    conversation = asked(talks, "How long is the bridge?")
    talks.rename(conversation.id, "Bridges")
    assert [each.title for each in talks.every()] == ["Bridges"]
    talks.remove(conversation.id)
    assert talks.every() == []
    assert talks.turns(conversation.id) == []


def test_a_conversation_that_is_removed_while_it_is_answered_stays_gone(library: Library) -> None:
    add(library, BRIDGE)
    held = Held()
    talks = talking(library, held)
    conversation = talks.begin()
    job = talks.ask(conversation, Query("How long is the bridge?"))
    assert held.begun.wait(20)
    threading.Timer(0.1, held.may.set).start()
    talks.remove(conversation.id)
    assert job.view.over
    assert talks.every() == []
    assert talks.turns(conversation.id) == []


def test_a_removed_document_takes_what_was_said_of_it_along(
    library: Library, tmp_path: Path
) -> None:
    book = add(library, BRIDGE)
    talks = talking(library)
    conversation = asked(talks, "What does the book say?")
    library.remove(book)
    (turn,) = talks.turns(conversation.id)
    assert (turn.state, turn.text, turn.answer) == (TurnState.REMOVED, "", None)
    assert turn.question == "What does the book say?"
    every = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"91 metres" not in every


def test_what_was_stopped_is_forgotten_with_its_document_too(
    library: Library, tmp_path: Path
) -> None:
    book = add(library, BRIDGE)
    table = ConversationTable(library.database)
    table.put_conversation(Conversation("c", "A question", "2026-01-01T00:00:00+00:00"))
    table.put_turn("c", Turn(1, "How long?", state=TurnState.STOPPED, text="It is 91 metres"))
    library.remove(book)
    assert [turn.state for turn in table.turns("c")] == [TurnState.REMOVED]
    every = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"91 metres" not in every


def test_an_answer_that_comes_after_its_document_has_gone_is_not_kept(library: Library) -> None:
    book = add(library, BRIDGE)
    held = Held()
    talks = talking(library, held)
    conversation = talks.begin()
    job = talks.ask(conversation, Query("How long is the bridge?"))
    assert held.begun.wait(20)
    library.remove(book)
    held.may.set()
    job.wait()
    (turn,) = talks.turns(conversation.id)
    assert (turn.state, turn.text, turn.answer) == (TurnState.REMOVED, "", None)


def test_a_follow_up_goes_with_the_documents_before_it(library: Library) -> None:
    book = add(library, BRIDGE)
    talks = talking(library)
    conversation = asked(talks, "How long is the bridge?")
    other = add(library, "Wool is spun in every village.", title="Wool")
    talks.ask(conversation, Query("And the wool, where is it spun?", documents=(other.id,))).wait()
    library.remove(book)
    assert [turn.state for turn in talks.turns(conversation.id)] == [TurnState.REMOVED] * 2


def test_a_late_turn_is_forgotten_with_a_document_that_only_those_before_it_read(
    library: Library,
) -> None:
    """What was said before stands in its prompt, whatever it is asked of."""
    book = add(library, BRIDGE)
    wool = add(library, "Wool is spun in every village.", title="Wool")
    table = ConversationTable(library.database)
    table.put_conversation(Conversation("c", "A question", "2026-01-01T00:00:00+00:00"))
    table.put_turn("c", Turn(1, "How long?", "", (book.id,), state=TurnState.STOPPED, text="91"))
    late = Turn(2, "And the wool?", "", (wool.id,))
    table.put_turn("c", late)
    library.remove(book)
    table.put_turn("c", replace(late, state=TurnState.STOPPED, text="Not 91 metres."))
    assert [turn.text for turn in table.turns("c")] == ["", ""]


def test_what_is_stopped_after_a_removal_is_not_kept(library: Library) -> None:
    book = add(library, BRIDGE)
    add(library, "Wool is spun in every village.", title="Wool")
    table = ConversationTable(library.database)
    table.put_conversation(Conversation("c", "A question", "2026-01-01T00:00:00+00:00"))
    table.put_turn("c", Turn(1, "How long?"))
    library.remove(book)
    table.put_turn("c", Turn(1, "How long?", state=TurnState.STOPPED, text="It is 91 metres"))
    assert [(t.state, t.text) for t in table.turns("c")] == [(TurnState.REMOVED, "")]
