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
    """What became of a question."""

    RUNNING = "running"
    ANSWERED = "answered"
    STOPPED = "stopped"
    FAILED = "failed"
    REMOVED = "removed"  # because a document that it quoted was removed


@dataclass(frozen=True)
class Turn:
    """A question of a conversation, and its answer.

    Attributes:
        number: from 1.
        language: requested for the answer; "" for the question's.
        documents: ids of those it was asked about; none means all.
        filters: restrict what was searched in these documents.
        text: of the answer, also when it was stopped before its end.
        answer: None until it is complete.
        failure: why there is no answer; None when nothing failed.
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
    """A series of questions and answers.

    Attributes:
        title: the beginning of its first question, until it is renamed.
        begun_at: in ISO 8601, UTC.
    """

    id: str
    title: str
    begun_at: str


class VectorIndex(Protocol):
    """Finds the chunks with the nearest vectors. Can be rebuilt from the library at any time."""

    def add(self, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
        """Add or overwrite vectors.

        Args:
            ids: of the chunks.
            vectors: (n, dim), of length one.
            documents: the document id of each row.
        """
        ...

    def rebuild(self, rows: Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]) -> None:
        """Replace all rows by these, given in batches as for `add`."""
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
    """The library as the assistant sees it; what is not ready yet is invisible."""

    def open(self) -> None:
        """Prepare the vector index; to be called before a search.

        Raises:
            WrongEmbedder: its vectors are of another embedding model.
        """
        ...

    def documents(self) -> list[Document]:
        """Return all documents, in the order in which they were added."""
        ...

    def document(self, reference: str) -> Document:
        """Return the one document whose id starts with, or title or file name is, `reference`.

        Raises:
            UnknownDocument, AmbiguousDocument.
        """
        ...

    def document_text(self, document_id: str) -> DocumentText:
        """Return the text of a document with its pages and headings."""
        ...

    def chunks(self, document_id: str) -> list[Chunk]:
        """Return the chunks of a document in reading order."""
        ...

    def search_vectors(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Passage]:
        """Return the passages with the highest cosine, best first; the score is the cosine.

        Args:
            query: (dim,), of length one.
            documents: ids of the documents to search; None means all.
        """
        ...

    def search_words(
        self,
        question: str,
        *,
        limit: int,
        documents: Sequence[str] | None = None,
        shared: bool = False,
    ) -> list[Passage]:
        """Return the passages with the highest BM25, best first.

        The score is BM25 divided by the summed IDF of the question's words, so that scores of
        different questions are comparable.

        Args:
            documents: ids of the documents to search; None means all.
            shared: use only words that are probably the same in other languages.
        """
        ...

    def vectors(self, passages: Sequence[Passage]) -> Matrix:
        """Return the vectors of the passages' chunks, (n, dim)."""
        ...

    def cached(self, document_id: str, key: str) -> str | None:
        """Return the text cached for a document under a key, or None."""
        ...

    def cache(self, document_id: str, key: str, text: str) -> None:
        """Cache a text until the document is removed; do nothing if it is removed already."""
        ...


class ConversationStore(Protocol):
    """Stores conversations with their turns."""

    def conversations(self) -> list[Conversation]:
        """Return all conversations, the newest first."""
        ...

    def put_conversation(self, conversation: Conversation) -> None:
        """Add a conversation, or change the title of the one with its id."""
        ...

    def remove_conversation(self, conversation: str) -> None:
        """Remove a conversation, given by its id, with its turns."""
        ...

    def turns(self, conversation: str) -> list[Turn]:
        """Return the turns in order; none for an unknown conversation."""
        ...

    def put_turn(self, conversation: str, turn: Turn) -> None:
        """Add a turn, or replace the one of its number.

        Does nothing if the conversation is removed already.
        """
        ...


class ReportStore(Protocol):
    """Stored reports as JSON texts, one for each kind and key."""

    def reports(self, kind: str) -> list[str]:
        """Return the reports of a kind, the newest first."""
        ...

    def put_report(self, kind: str, key: str, documents: Sequence[str], text: str) -> None:
        """Store a report, replacing the one with its key.

        Does nothing if a document is removed already. Removing a document removes its reports.
        """
        ...


class DocumentWriter(Protocol):
    """The library as ingestion sees it: documents are staged, then published in one step."""

    def find(self, document_id: str) -> Document | None:
        """Return a document by its id; None when there is none."""
        ...

    def find_path(self, path: str) -> Document | None:
        """Return the document that was added from a path; None when there is none."""
        ...

    def stage(self, document: Document, pages: Sequence[Page], headings: Sequence[Heading]) -> None:
        """Write a document that is not visible yet; chunks embedded earlier are kept."""
        ...

    def staged_vectors(self, document_id: str) -> Mapping[int, tuple[str, Vector]]:
        """Return ordinal -> (text, vector) of the chunks embedded by an interrupted run."""
        ...

    def stage_chunks(self, chunks: Sequence[Chunk], vectors: Matrix) -> None:
        """Write chunks of a staged document with their vectors, (n, dim)."""
        ...

    def publish(self, document: Document) -> None:
        """Make a staged document visible and remove the older one of its path, in one step."""
        ...

    def discard(self, document_id: str) -> None:
        """Delete a staged document."""
        ...
