"""Stored conversations: questions, answers, and the answers that are being written.

Answers are written in the background, so that people may leave and come back. Knows no screen.
"""

import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from assistant.assistant import Assistant, turns
from assistant.errors import StillAnswering
from assistant.jobs import Job, Jobs, View
from assistant.storage.base import Conversation, ConversationStore, Turn, TurnState
from assistant.types import Answer, Message, Query

TITLE_CHARS: Final = 60


class Conversations:
    """The conversations of one library."""

    def __init__(self, assistant: Assistant, store: ConversationStore) -> None:
        self._assistant = assistant
        self._store = store
        self._jobs: Jobs[str, Answer] = Jobs()  # by conversation
        self._lock = threading.Lock()

    def every(self) -> list[Conversation]:
        """Return all conversations, the newest first."""
        return self._store.conversations()

    def begin(self) -> Conversation:
        """Return a new conversation; it is stored with its first question."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Conversation(id=uuid.uuid4().hex, title="", begun_at=now)

    def turns(self, conversation: str) -> list[Turn]:
        """Return the turns of a conversation, as they are now.

        A turn whose process ended before it was answered counts as stopped.
        """
        going_on = (
            self.job(conversation) is not None
        )  # first: what ends meanwhile is stored by then
        kept = self._store.turns(conversation)
        return [
            replace(turn, state=TurnState.STOPPED)
            if turn.state is TurnState.RUNNING and not (going_on and turn is kept[-1])
            else turn
            for turn in kept
        ]

    def job(self, conversation: str) -> Job[Answer] | None:
        """Return the running job of a conversation, if there is one."""
        return self._jobs.running.get(conversation)

    def ask(self, conversation: Conversation, query: Query) -> Job[Answer]:
        """Store the question, answer it in the background, and return the job.

        Args:
            query: without history, which is the conversation's.

        Raises:
            StillAnswering: the question before it is not answered yet.
        """
        with self._lock:
            if self.job(conversation.id):
                raise StillAnswering
            before = self._store.turns(conversation.id)
            if not before:
                title = " ".join(query.question.split())[:TITLE_CHARS]
                self._store.put_conversation(replace(conversation, title=title))
            number = before[-1].number + 1 if before else 1
            turn = Turn(number, query.question, query.language, query.documents, query.filters)
            self._store.put_turn(conversation.id, turn)
            stream = self._assistant.ask(replace(query, history=_history(before)))
            return self._jobs.start(
                conversation.id, stream, partial(self._keep, conversation.id, turn)
            )

    def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title."""
        kept = next(each for each in self.every() if each.id == conversation)
        self._store.put_conversation(replace(kept, title=title))

    def remove(self, conversation: str) -> None:
        """Remove a conversation; its running answer is stopped."""
        self._jobs.end([conversation])
        self._store.remove_conversation(conversation)

    def drop(self, document: str) -> None:
        """Stop all answers that may use a document."""
        asked = {each: self._store.turns(each) for each in self._jobs.running}
        self._jobs.end([each for each, turns in asked.items() if _may_read(document, turns)])

    def stop(self) -> None:
        """Stop all running answers as soon as possible."""
        self._jobs.end(self._jobs.running, 0.0)

    def _keep(self, conversation: str, turn: Turn, view: View[Answer]) -> None:
        if view.result is not None:
            state = TurnState.ANSWERED
        else:
            state = TurnState.STOPPED if view.cancelled else TurnState.FAILED
        text = view.result.text if view.result else view.text
        failure = view.error.notice if view.error else None
        self._store.put_turn(
            conversation,
            replace(turn, state=state, text=text, answer=view.result, failure=failure),
        )


def _may_read(document: str, turns: Sequence[Turn]) -> bool:
    """Tell whether the last turn may hold text of a document, its own or of turns before."""
    return any(not turn.documents or document in turn.documents for turn in turns)


def _history(before: Sequence[Turn]) -> tuple[Message, ...]:
    """Return the answered turns as messages."""
    return tuple(message for turn in before if turn.answer for message in turns(turn.answer))
