"""Contracts between the assistant and what it is built from. Small, and no library's types."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

from assistant.types import (
    Choice,
    Chunk,
    Conversation,
    Document,
    DocumentText,
    Generation,
    Heading,
    Matrix,
    Message,
    Page,
    Passage,
    Reading,
    Speeds,
    Tokens,
    Turn,
    Vector,
)

R = TypeVar("R")
Count: TypeAlias = Callable[[str], int]  # text -> tokens
Cancelled: TypeAlias = Callable[[], bool]
PrefillReport: TypeAlias = Callable[[int, int], None]  # tokens read, tokens to read


def never() -> bool:
    """The `Cancelled` of somebody who never stops."""
    return False


class LanguageModel(Protocol):
    """A chat model with its own tokenizer and window."""

    @property
    def name(self) -> str: ...

    @property
    def window_tokens(self) -> int:
        """Tokens of prompt and answer together that the open context holds."""
        ...

    @property
    def effective_tokens(self) -> int:
        """Tokens up to which the model still reads well; at most `window_tokens`."""
        ...

    @property
    def whole_tokens(self) -> int:
        """Tokens of a whole text from which it answers as well as from passages of it."""
        ...

    @property
    def speeds(self) -> Speeds | None:
        """How fast it reads and writes here; None when that was not measured."""
        ...

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of `text` as content, without special tokens."""
        ...

    def count(self, text: str) -> int:
        """Return how many tokens `text` is as content."""
        ...

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        """Return the prompt. No message's text can become a control token.

        Args:
            messages: may end with the user's; the assistant's turn is opened after it.
            reply_start: text the assistant's turn begins with.
        """
        ...

    def encode_apart(
        self, messages: Sequence[Message], *, reply_start: str = ""
    ) -> tuple[Tokens, Tokens]:
        """Return the prompt as `encode` does, cut where the text of the first message ends."""
        ...

    def has_read(self, reading: Reading) -> bool:
        """Tell whether `stream` would find this text read."""
        ...

    def read(
        self,
        reading: Reading,
        *,
        cancelled: Cancelled = never,
        report: PrefillReport | None = None,
    ) -> bool:
        """Read a text for later; return whether it could be kept.

        Raises: as `stream`.
        """
        ...

    def stream(
        self,
        prompt: Tokens,
        *,
        limit_tokens: int,
        readings: Sequence[Reading] = (),
        cancelled: Cancelled = never,
        report: PrefillReport | None = None,
    ) -> Generator[str, None, Generation]:
        """Yield the reply piece by piece, greedily; return what it cost.

        Args:
            readings: what stands before the prompt, each read by itself; see `encode_apart`.

        Raises:
            ContextOverflow: prompt and limit exceed the window.
            assistant.errors.Cancelled: `cancelled` said so.
        """
        ...

    def choose(
        self,
        prompt: Tokens,
        options: Sequence[str],
        *,
        readings: Sequence[Reading] = (),
        ahead: Tokens | None = None,
        cancelled: Cancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        """Return how likely the reply begins with each option.

        Args:
            ahead: a prompt that is likely to come next, on the same readings. Where it begins as
                this one does, it may be read along, in hardly more time.

        Raises: as `stream`.
        """
        ...


class Embedder(Protocol):
    """Texts to vectors of length one. Knows its own prefixes."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Names weights and prefixes; vectors of different fingerprints must not mix."""
        ...

    @property
    def dimensions(self) -> int: ...

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special tokens."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Matrix: ...

    def embed_queries(self, texts: Sequence[str]) -> Matrix: ...


class Reranker(Protocol):
    """Says how well texts answer a question, having read each with the question."""

    @property
    def name(self) -> str: ...

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        """Return a score for each text, (n,); only their order means something."""
        ...


class VectorIndex(Protocol):
    """Chunk ids by nearness. Holds nothing that cannot be rebuilt from the library."""

    def add(self, ids: Sequence[int], vectors: Matrix, documents: Sequence[str]) -> None:
        """Add or overwrite; `documents` are the document ids of the rows."""
        ...

    def rebuild(self, rows: Iterable[tuple[Sequence[int], Matrix, Sequence[str]]]) -> None:
        """Replace everything by `rows`, given in batches as for `add`."""
        ...

    def count(self) -> int: ...

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

    def documents(self) -> list[Document]: ...

    def document(self, reference: str) -> Document:
        """Return the one document whose id starts with, or title or file name is, `reference`.

        Raises:
            UnknownDocument, AmbiguousDocument.
        """
        ...

    def document_text(self, document_id: str) -> DocumentText: ...

    def chunks(self, document_id: str) -> list[Chunk]: ...

    def search_vectors(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Passage]: ...

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

    def kept(self, document_id: str, key: str) -> str | None:
        """Return a text kept for this document under `key`, or None."""
        ...

    def keep(self, document_id: str, key: str, text: str) -> None:
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

    def remove_conversation(self, conversation: str) -> None: ...

    def turns(self, conversation: str) -> list[Turn]:
        """Return the turns in order; none for a conversation that is not there."""
        ...

    def put_turn(self, conversation: str, turn: Turn) -> None:
        """Add it, or replace the one of its number; nothing when the conversation is gone."""
        ...


class WorkStore(Protocol[R]):
    """Works of one kind, such as summaries, kept for another day."""

    def every(self) -> list[R]:
        """Return all, the newest first."""
        ...

    def put(self, work: R) -> None:
        """Keep it in the place of one like it; nothing when a document of it is gone."""
        ...


class Shelf(Protocol):
    """The library as ingestion writes it: staged, then all at once."""

    def find(self, document_id: str) -> Document | None: ...

    def find_path(self, path: str) -> Document | None: ...

    def stage(self, document: Document, pages: Sequence[Page], headings: Sequence[Heading]) -> None:
        """Write a document that nobody sees yet; what was embedded for it before stays."""
        ...

    def staged_vectors(self, document_id: str) -> Mapping[int, tuple[str, Vector]]:
        """Return ordinal -> (text, vector) of chunks that an interrupted run had embedded."""
        ...

    def stage_chunks(self, chunks: Sequence[Chunk], vectors: Matrix) -> None: ...

    def publish(self, document: Document) -> None:
        """Show the staged document and drop the older one of the same path, in one step."""
        ...

    def discard(self, document_id: str) -> None:
        """Drop a staged document."""
        ...
