"""Contracts of storage: documents, vectors, conversations, reports and cached texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from assistant.errors import Notice
from assistant.types import (
    NO_FILTERS,
    Answer,
    Chunk,
    Document,
    DocumentText,
    Filters,
    Heading,
    Matrix,
    Page,
    Passage,
    Vector,
)


class TurnState(StrEnum):
    """What became of a turn of a conversation."""

    RUNNING = "running"
    ANSWERED = "answered"
    STOPPED = "stopped"
    FAILED = "failed"
    REMOVED = "removed"  # with a document that it was about


@dataclass(frozen=True)
class Turn:
    """A question of a conversation, and what came of it.

    Attributes:
        number: from 1.
        language: of the answer as it was asked for; "" for the question's.
        documents: ids of those it was asked of; none means all.
        filters: what of these documents was searched.
        text: what was written, also when it was stopped before its end.
        failure: why it failed.
    """

    number: int
    question: str
    language: str = ""
    documents: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS
    state: TurnState = TurnState.RUNNING
    text: str = ""
    answer: Answer | None = None
    failure: Notice | None = None


@dataclass(frozen=True)
class Conversation:
    """Attributes:
    title: the beginning of its first question, until it is renamed.
    """

    id: str
    title: str
    begun_at: str


class VectorIndex(Protocol):
    """Chunk ids by nearness. Holds nothing that cannot be rebuilt from the library."""

    def add(self, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
        """Add or overwrite; `documents` are the document ids of the rows."""
        ...

    def rebuild(self, rows: Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]) -> None:
        """Replace everything by `rows`, given in batches as for `add`."""
        ...

    def count(self) -> int:
        """Return the number of rows."""
        ...

    def search(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        """Return (chunk id, cosine), best first, within `documents` unless None."""
        ...


class Store(Protocol):
    """The library as the assistant reads it."""

    def open(self) -> None:
        """Make ready for searching what is not ready yet; whoever searches begins with it.

        Raises:
            WrongEmbedder: its vectors are of another embedding model.
        """
        ...

    def documents(self) -> list[Document]:
        """Return the documents that are ready, the oldest first."""
        ...

    def document(self, reference: str) -> Document:
        """Return the one document whose id starts with, or title or file name is, `reference`.

        Raises:
            UnknownDocument, AmbiguousDocument.
        """
        ...

    def document_text(self, document_id: str) -> DocumentText:
        """Return the text of all pages, with headings and the places where pages start."""
        ...

    def chunks(self, document_id: str) -> list[Chunk]:
        """Return the chunks of a document in order."""
        ...

    def search_vectors(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Passage]:
        """Return passages by cosine to the query, (dim,), best first."""
        ...

    def search_words(
        self,
        question: str,
        *,
        limit: int,
        documents: Sequence[str] | None = None,
        shared: bool = False,
    ) -> list[Passage]:
        """Return passages by the words they share with the question, best first.

        A score is BM25 as a share of what the rarity of all words of the question adds up to.

        Args:
            shared: go only by words that are likely the same in another language.
        """
        ...

    def vectors(self, passages: Sequence[Passage]) -> Matrix:
        """Return the vectors of the passages' chunks, (n, dim)."""
        ...

    def cached(self, document_id: str, key: str) -> str | None:
        """Return a text kept for this document under `key`, or None."""
        ...

    def cache(self, document_id: str, key: str, text: str) -> None:
        """Keep a text until the document is removed; nothing when it is gone already."""
        ...


class ConversationStore(Protocol):
    """Conversations with their turns, kept for another day."""

    def conversations(self) -> list[Conversation]:
        """Return all, the newest first."""
        ...

    def put_conversation(self, conversation: Conversation) -> None:
        """Add it, or give the one with its id another title."""
        ...

    def remove_conversation(self, conversation: str) -> None:
        """Remove a conversation with its turns."""
        ...

    def turns(self, conversation: str) -> list[Turn]:
        """Return the turns in order; none for a conversation that is not there."""
        ...

    def put_turn(self, conversation: str, turn: Turn) -> None:
        """Add it, or replace the one of its number; nothing when the conversation is gone."""
        ...


class ReportStore(Protocol):
    """Stored reports as JSON texts, one for each kind and key."""

    def reports(self, kind: str) -> list[str]:
        """Return the reports of a kind, the newest first."""
        ...

    def put_report(self, kind: str, key: str, documents: Sequence[str], text: str) -> None:
        """Store a report in the place of the one with its key.

        Nothing happens when a document is gone; with a document, its reports are removed.
        """
        ...


class DocumentWriter(Protocol):
    """The library as ingestion writes it: staged, then all at once."""

    def find(self, document_id: str) -> Document | None:
        """Return the ready document with this id, or None."""
        ...

    def find_path(self, path: str) -> Document | None:
        """Return the ready document that was added from this path, or None."""
        ...

    def stage(self, document: Document, pages: Sequence[Page], headings: Sequence[Heading]) -> None:
        """Write a document that nobody sees yet; what was embedded for it before stays."""
        ...

    def staged_vectors(self, document_id: str) -> Mapping[int, tuple[str, Vector]]:
        """Return ordinal -> (text, vector) of chunks that an interrupted run had embedded."""
        ...

    def stage_chunks(self, chunks: Sequence[Chunk], vectors: Matrix) -> None:
        """Add chunks with their vectors, (n, dim), to the staged document."""
        ...

    def publish(self, document: Document) -> None:
        """Show the staged document and drop the older one of the same path, in one step."""
        ...

    def discard(self, document_id: str) -> None:
        """Drop a staged document."""
        ...
