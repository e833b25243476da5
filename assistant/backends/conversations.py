"""Conversations and summaries as rows of the library's database.

A removed document takes its summaries and what was said of it along: its sentences stand there.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter

from assistant.backends.database import Connection, Database
from assistant.types import Conversation, Summary, Turn, TurnState

TURN: Final = TypeAdapter(Turn)
SUMMARY: Final = TypeAdapter(Summary)


class ConversationTable:
    """A `ConversationStore` and a `SummaryStore`."""

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
        return [TURN.validate_json(row["turn"]) for row in rows]

    def put_turn(self, conversation: str, turn: Turn) -> None:
        with self._database.writing() as db:
            if db.execute(
                "SELECT 1 FROM conversations WHERE id = ?", (conversation,)
            ).fetchone():  # it may have been removed while this was answered
                _put(db, conversation, turn)

    def summaries(self) -> list[Summary]:
        rows = self._database.rows("SELECT summary FROM summaries ORDER BY made_at DESC")
        return [SUMMARY.validate_json(row["summary"]) for row in rows]

    def put_summary(self, summary: Summary) -> None:
        now = datetime.now(UTC).isoformat()
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?, ?)",
                (
                    *(summary.document.id, summary.language, summary.length, now),
                    SUMMARY.dump_json(summary).decode(),
                ),
            )


def forget(db: Connection, document_ids: Sequence[str]) -> None:
    """Take out of all turns what they say of these documents; the questions stay."""
    for document_id in document_ids:
        rows = db.execute(
            "SELECT turns.conversation_id, turn FROM turns JOIN turn_documents "
            "USING (conversation_id, number) WHERE document_id = ?",
            (document_id,),
        ).fetchall()
        for row in rows:
            turn = TURN.validate_json(row["turn"])
            gone = replace(turn, state=TurnState.REMOVED, text="", answer=None, failure=None)
            _put(db, row["conversation_id"], gone)


def _put(db: Connection, conversation: str, turn: Turn) -> None:
    key = (conversation, turn.number)
    db.execute("DELETE FROM turns WHERE conversation_id = ? AND number = ?", key)
    values = (turn.question, turn.state.value, TURN.dump_json(turn).decode())
    db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?)", (*key, *values))
    quoted = {page[0] for page in turn.answer.plan.pages_read} if turn.answer else set()
    db.executemany(
        "INSERT INTO turn_documents VALUES (?, ?, ?)", [(*key, document) for document in quoted]
    )
