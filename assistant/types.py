"""The values that move through Quipu: documents, passages, queries, answers. All frozen."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from assistant.errors import Notice

if TYPE_CHECKING:  # numpy takes longer to import than a command that only lists documents
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"  # (dim,), length one
Matrix: TypeAlias = "NDArray[np.float32]"  # (n, dim), rows of length one

PAGE_BREAK = "\n\n"  # stands between the texts of two pages in a document's text


@dataclass(frozen=True)
class Page:
    """One page as cleaned text.

    Attributes:
        number: physical page, from 1. Formats without pages have one page.
        label: what is printed on the page ("iv"), or "" when that is the number.
    """

    number: int
    text: str
    label: str = ""


@dataclass(frozen=True)
class Heading:
    """Attributes:
    level: 1 for a chapter, 2 for a section in it, ...
    char_start: offset of the heading's line in the document's text.
    """

    level: int
    title: str
    char_start: int


@dataclass(frozen=True)
class Document:
    """A document of the library; its id is the SHA-256 of the file's bytes.

    Attributes:
        notes: what the user must know of it, such as pages without text.
        read_as: the title it came in with, when it was given another since.
    """

    id: str
    title: str
    path: str
    language: str
    page_count: int
    word_count: int
    chunk_count: int
    added_at: str
    notes: tuple[Notice, ...] = ()
    read_as: str = ""

    @property
    def title_read(self) -> str:
        """The title in what models read of it: another one would have them read it anew."""
        return self.read_as or self.title

    @property
    def short_id(self) -> str:
        """Return the beginning of the id, as lists show it."""
        return self.id[:10]


@dataclass(frozen=True)
class DocumentText:
    """The whole text of a document with the way back to its pages.

    Attributes:
        text: page texts joined by `PAGE_BREAK`.
        page_starts: offset in `text` of each page, ascending.
        page_numbers: the number of each of those pages.
    """

    text: str
    page_starts: tuple[int, ...]
    page_numbers: tuple[int, ...]
    headings: tuple[Heading, ...] = ()

    @classmethod
    def of(cls, pages: Sequence[Page], headings: Sequence[Heading] = ()) -> "DocumentText":
        """Return the text of pages put together, separated by line feeds."""
        starts, offset = [], 0
        for page in pages:
            starts.append(offset)
            offset += len(page.text) + len(PAGE_BREAK)
        return cls(
            text=PAGE_BREAK.join(page.text for page in pages),
            page_starts=tuple(starts),
            page_numbers=tuple(page.number for page in pages),
            headings=tuple(headings),
        )

    def page_at(self, char: int) -> int:
        """Return the number of the page that holds the character at offset `char`."""
        return self.page_numbers[max(0, bisect_right(self.page_starts, char) - 1)]


@dataclass(frozen=True)
class Chunk:
    """A piece of a document that is embedded and found as one.

    Attributes:
        ordinal: position among the document's chunks, from 0.
        char_start: first character in the document's text.
        char_end: one past the last character; `text == document_text[char_start:char_end]`.
        page_starts: for each page it touches, (offset within the chunk, page number), ascending.
        heading: titles of the sections it stands in, outermost first, joined by " › ".
    """

    document_id: str
    ordinal: int
    text: str
    char_start: int
    char_end: int
    page_starts: tuple[tuple[int, int], ...]
    heading: str = ""

    @property
    def pages(self) -> tuple[int, ...]:
        """Return the numbers of the pages it stands on."""
        return tuple(number for _, number in self.page_starts)

    def page_at(self, char: int) -> int:
        """Return the page that holds the character at offset `char` of the chunk."""
        offsets = [offset for offset, _ in self.page_starts]
        return self.page_starts[max(0, bisect_right(offsets, char) - 1)][1]


@dataclass(frozen=True)
class Passage:
    """A chunk as the answer to a search: relevance lives here.

    Attributes:
        number: of the passage in the prompt, from 1; 0 before it is packed.
        score: relevance; only comparable within one search. 0 for a passage no search found.
    """

    chunk: Chunk
    document: Document
    score: float = 0.0
    number: int = 0

    def goes_on_from(self, before: "Passage") -> bool:
        """Tell whether this is the next piece of the same text, under the same heading."""
        return (
            self.document.id == before.document.id
            and self.chunk.ordinal == before.chunk.ordinal + 1
            and self.chunk.heading == before.chunk.heading
        )


@dataclass(frozen=True)
class Citation:
    """The sentence of a document that supports a claim of an answer or a report.

    Attributes:
        marker: the number `n` of `[n]` in the answer; in a summary, within its section.
        document: its title.
        page: physical page, from 1.
        quote: the sentence of the page, verbatim.
        char_start: offset of the quote in the document's text.
        claim: the sentence of the answer it supports.
        strength: 0 to 1, how well the quote matches the claim.
        supported: whether the strength is high enough to rely on.
    """

    marker: int
    document_id: str
    document: str
    page: int
    quote: str
    char_start: int
    claim: str
    strength: float
    supported: bool


class Role(StrEnum):
    """Who says a message of a prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True)
class Message:
    """One message of a prompt."""

    role: Role
    text: str


class ContextMode(StrEnum):
    """How documents reach the model.

    WHOLE: all of the text, in reading order. PACKED: the passages a search found.
    HIERARCHICAL: notes on every section, taken from the text before.
    """

    WHOLE = "whole"
    PACKED = "packed"
    HIERARCHICAL = "hierarchical"


class PlanReason(StrEnum):
    """Why a plan has its mode."""

    ASKED = "asked"  # the user wanted it
    FITS = "fits"  # all of the text is as good as passages of it
    OVERVIEW = "overview"  # the question is about the whole
    DETAIL = "detail"  # the question is about a part, and the text is long
    SLOW = "slow"  # what would suit better takes longer than the user wants to wait


BUDGET_S: Final = 60.0  # to the first token of an answer, where nobody says otherwise


@dataclass(frozen=True)
class ContextOptions:
    """How documents are given to the model.

    Attributes:
        mode: whole texts, retrieved passages, or key points of every section; None chooses what
            suits the question and fits the context window.
        budget_s: target for the seconds until the first token; `mode` takes precedence.
    """

    mode: ContextMode | None = None
    budget_s: float = BUDGET_S


DEFAULT_CONTEXT: Final = ContextOptions()


@dataclass(frozen=True)
class ContextPlan:
    """Who gets how many tokens of the window.

    Attributes:
        ledger: tokens for rules, documents, conversation, question and answer, in this order; what
            chat templates put round texts counts as rules.
        pages_read: (document id, page) of every page the model is given text from.
        pages_left_out: (document id, page) of found pages for which there was no room; of a
            summary, pages with nothing but lists of contents, terms or sources.
        page_tokens: (document id, page, tokens) of what is given of each page.
        kept_tokens: of the documents' tokens, those that were read before and are not read again.
        turns_left_out: earlier questions and replies for which there was no room.
        predicted_s: seconds until the first word; None when the model's speed is not known.
    """

    mode: ContextMode
    window: int
    ledger: dict[str, int]
    pages_read: tuple[tuple[str, int], ...] = ()
    pages_left_out: tuple[tuple[str, int], ...] = ()
    page_tokens: tuple[tuple[str, int, int], ...] = ()
    kept_tokens: int = 0
    turns_left_out: int = 0
    predicted_s: float | None = None
    reason: PlanReason = PlanReason.DETAIL


@dataclass(frozen=True)
class Filters:
    """Restricts which documents and pages are searched; an empty field restricts nothing.

    Attributes:
        languages: of the documents, as ISO 639-1 codes.
        added_from, added_until: dates as YYYY-MM-DD, both inclusive.
        pages: first and last physical page, both inclusive, from 1.
    """

    languages: tuple[str, ...] = ()
    added_from: str = ""
    added_until: str = ""
    pages: tuple[int, int] | None = None

    def takes(self, document: Document) -> bool:
        """Tell whether a document is searched."""
        day = document.added_at[:10]
        return (
            (not self.languages or document.language in self.languages)
            and (not self.added_from or day >= self.added_from)
            and (not self.added_until or day <= self.added_until)
            and (self.pages is None or self.pages[0] <= document.page_count)
        )

    def takes_chunk(self, chunk: Chunk) -> bool:
        """Tell whether some of a chunk stands on the pages."""
        first, last = self.pages or (1, chunk.pages[-1])
        return first <= chunk.pages[-1] and chunk.pages[0] <= last


NO_FILTERS: Final = Filters()


@dataclass(frozen=True)
class Query:
    """A question, the documents to answer it from, and the language to answer in.

    Attributes:
        language: of the answer, as an ISO 639-1 code; "" takes the question's.
        documents: ids, titles or file names to answer from; none means all.
        filters: restrict what is searched in these documents.
        history: the conversation so far, questions and replies alternating.
        context: how the documents are given to the model.
        asked_in: language of the question, as an ISO 639-1 code; "" detects it.
    """

    question: str
    language: str = ""
    documents: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS
    history: tuple[Message, ...] = ()
    context: ContextOptions = DEFAULT_CONTEXT
    asked_in: str = ""


@dataclass(frozen=True)
class Timings:
    """Seconds and tokens of one answer; `ttft_s` counts from the question, models loaded."""

    load_s: float = 0.0
    ttft_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prefill_tokens_per_s: float = 0.0
    decode_tokens_per_s: float = 0.0
    total_s: float = 0.0


class Repair(StrEnum):
    """What was done because a reply was not in the language asked for."""

    NONE = ""
    REWRITTEN = "rewritten"
    TRANSLATED = "translated"


@dataclass(frozen=True)
class Answer:
    """The answer to a question, with the sentences of the documents that support it.

    Attributes:
        language: the language asked for, as an ISO 639-1 code.
        text: with markers such as [2], each of which is explained by a citation.
        answerable: False when the documents do not hold the answer.
        plan: how the documents were given to the model, and what was left out.
        model: name of the chat model.
        written_in: the language detected in the text; "" when it is too short to tell.
        searched_for: the question as it was searched; a follow-up question is rewritten so that
            it can be understood alone.
        verified_share: share of the sentences that a passage supports, from 0 to 1.
        unsupported: the other sentences.
        repaired: what was done because the reply was not in the language asked for.
        truncated: the reply reached the token limit, and ends with its last whole sentence.
    """

    question: str
    language: str
    text: str
    answerable: bool
    citations: tuple[Citation, ...]
    plan: ContextPlan
    timings: Timings
    model: str
    written_in: str = ""
    searched_for: str = ""
    verified_share: float = 1.0
    unsupported: tuple[str, ...] = ()
    repaired: Repair = Repair.NONE
    truncated: bool = False


@dataclass(frozen=True)
class Point:
    """One statement of a summary, and the sentence it stands on where one was found.

    The claim of the citation is the statement as it was written, in the document's language.
    """

    text: str
    citation: Citation | None
