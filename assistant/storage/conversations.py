"""Conversations as rows of the library's database.

Removing a document removes the turns about it, since they quote its sentences.
"""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from assistant.storage.base import Conversation, Turn, TurnState
from assistant.storage.database import Connection, Database

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def stored() -> "TypeAdapter[Turn]":
    """Return the serialiser of turns; built on first use, because that takes a while."""
    from pydantic import TypeAdapter

    return TypeAdapter(Turn)


class ConversationTable:
    """A `ConversationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def conversations(self) -> list[Conversation]:
        rows = self._database.rows("SELECT * FROM conversations ORDER BY begun_at DESC, rowid DESC")
        return [Conversation(**row) for row in rows]

    def put_conversation(self, conversation: Conversation) -> None:
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO conversations VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET title = excluded.title",
                (conversation.id, conversation.title, conversation.begun_at),
            )

    def remove_conversation(self, conversation: str) -> None:
        with self._database.writing() as db:
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    def turns(self, conversation: str) -> list[Turn]:
        rows = self._database.rows(
            "SELECT turn FROM turns WHERE conversation_id = ? ORDER BY number", conversation
        )
        return [stored().validate_json(row["turn"]) for row in rows]

    def put_turn(self, conversation: str, turn: Turn) -> None:
        with self._database.writing() as db:
            if db.execute(
                "SELECT 1 FROM conversations WHERE id = ?", (conversation,)
            ).fetchone():  # it may have been removed while the question was answered
                _put(db, conversation, turn)


def forget(db: Connection, document_id: str) -> None:
    """Delete the answers of all turns that may quote a document; the questions stay."""
    rows = db.execute(
        "SELECT turns.conversation_id, turn FROM turns JOIN turn_documents "
        "USING (conversation_id, number) WHERE document_id = ?",
        (document_id,),
    ).fetchall()
    for row in rows:
        _write(db, row["conversation_id"], _emptied(stored().validate_json(row["turn"])), set())


def pass_on(db: Connection, document_id: str, newer: str) -> None:
    """Assign the turns about a document to its newer version."""
    db.execute(
        "UPDATE OR IGNORE turn_documents SET document_id = ? WHERE document_id = ?",
        (newer, document_id),
    )


def _put(db: Connection, conversation: str, turn: Turn) -> None:
    """Write a turn with the documents that it may quote, unless it was emptied meanwhile."""
    key = (conversation, turn.number)
    kept = db.execute(
        "SELECT state FROM turns WHERE conversation_id = ? AND number = ?", key
    ).fetchone()
    if kept and kept["state"] == TurnState.REMOVED:
        return
    quoted = _quoted(db, turn)
    if quoted:  # a follow-up may repeat what earlier turns say
        earlier = db.execute(
            "SELECT document_id FROM turn_documents WHERE conversation_id = ? AND number < ?", key
        )
        quoted |= {row["document_id"] for row in earlier}
    _write(db, conversation, turn, quoted)


def _quoted(db: Connection, turn: Turn) -> set[str]:
    """Return the documents whose text a turn contains, or may contain once it is answered."""
    if turn.answer:
        return {document for document, _ in turn.answer.plan.pages_read}
    if not turn.text and turn.state is not TurnState.RUNNING:
        return set()
    ready = db.execute("SELECT id FROM documents WHERE state = 'ready'")
    return set(turn.documents) or {row["id"] for row in ready}


def _emptied(turn: Turn) -> Turn:
    return replace(turn, state=TurnState.REMOVED, text="", answer=None, failure=None)


def _write(db: Connection, conversation: str, turn: Turn, quoted: set[str]) -> None:
    key = (conversation, turn.number)
    db.execute("DELETE FROM turns WHERE conversation_id = ? AND number = ?", key)
    values = (turn.question, turn.state.value, stored().dump_json(turn).decode())
    db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?)", (*key, *values))
    db.executemany(
        "INSERT INTO turn_documents VALUES (?, ?, ?)", [(*key, document) for document in quoted]
    )
