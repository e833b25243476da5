"""Cuts a document's text into chunks: whole sentences up to a size in tokens, within a chapter.

The tokens are those of the embedding model, which cuts what is too long without a word. Spans are
computed here and never guessed: `text[chunk.char_start:chunk.char_end] == chunk.text`.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from assistant.languages.sentences import split, split_long
from assistant.types import Chunk, DocumentText, Heading

CHUNK_TOKENS: Final = 350
SMALL_TOKENS: Final = 150  # a section with fewer joins the chunk before it
HARD_CHARS: Final = 900  # of one "sentence", before it is cut at a space

Counts: TypeAlias = Callable[[Sequence[str]], list[int]]
Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class _Sentence:
    start: int
    end: int
    tokens: int
    heading: int  # index of the heading it stands under, -1 before the first


def chunk(
    document_id: str, text: DocumentText, counts: Counts, *, limit_tokens: int = CHUNK_TOKENS
) -> list[Chunk]:
    """Return the chunks in reading order; together they hold all the text but white space."""
    sentences = _sentences(text, counts, limit_tokens)
    groups = _pack(sentences, limit_tokens)
    return [
        _chunk(document_id, ordinal, text, group)
        for ordinal, group in enumerate(group for group in groups if group)
    ]


def _sentences(text: DocumentText, counts: Counts, limit: int) -> list[_Sentence]:
    spans = _trimmed(text.text, _short_spans(text.text))
    starts = [heading.char_start for heading in text.headings]
    return [
        _Sentence(start, end, count, bisect_right(starts, start) - 1)
        for (start, end), count in _fitting(text.text, spans, counts, limit)
    ]


def _fitting(
    text: str, spans: Sequence[Span], counts: Counts, limit: int
) -> Iterator[tuple[Span, int]]:
    """Yield the spans with their tokens; those over the limit in halves, until they fit."""
    tokens = counts([text[start:end] for start, end in spans]) if spans else []
    for (start, end), count in zip(spans, tokens, strict=True):
        if count <= limit or end - start < 2:
            yield (start, end), count
            continue
        parts = split_long(text[start:end], (end - start + 1) // 2)
        halves = [(start + first, start + last) for first, last in parts]
        yield from _fitting(text, _trimmed(text, halves), counts, limit)


def _short_spans(text: str) -> list[Span]:
    return [
        (start + first, start + last)
        for start, end in split(text)
        for first, last in split_long(text[start:end], HARD_CHARS)
    ]


def _trimmed(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans without white space round them, and without those of nothing else."""
    pieces = [(start, text[start:end].rstrip()) for start, end in spans]
    return [
        (start + len(piece) - len(piece.lstrip()), start + len(piece))
        for start, piece in pieces
        if piece
    ]


def _pack(sentences: Sequence[_Sentence], limit: int) -> list[list[_Sentence]]:
    """Fill chunks sentence by sentence; a new section starts a new chunk unless it is small."""
    groups: list[list[_Sentence]] = [[]]
    used = 0
    for sentence in sentences:
        new_section = bool(groups[-1]) and sentence.heading != groups[-1][-1].heading
        if used + sentence.tokens > limit or (new_section and used >= SMALL_TOKENS):
            groups.append([])
            used = 0
        groups[-1].append(sentence)
        used += sentence.tokens
    return groups


def _chunk(document_id: str, ordinal: int, text: DocumentText, group: Sequence[_Sentence]) -> Chunk:
    start, end = group[0].start, group[-1].end
    first = bisect_right(text.page_starts, start) - 1
    pages = [
        (max(0, text.page_starts[index] - start), text.page_numbers[index])
        for index in range(first, len(text.page_starts))
        if text.page_starts[index] < end
    ]
    return Chunk(
        document_id=document_id,
        ordinal=ordinal,
        text=text.text[start:end],
        char_start=start,
        char_end=end,
        page_starts=tuple(pages),
        heading=heading_path(text.headings, group[0].heading),
    )


def heading_path(headings: Sequence[Heading], index: int) -> str:
    """Return the titles of the sections that hold heading `index`, outermost first."""
    path: list[str] = []
    level = 99
    for heading in reversed(headings[: index + 1]):
        if heading.level < level:
            path.insert(0, heading.title)
            level = heading.level
    return " › ".join(path[-3:])
