"""From a reply to citations: each claim to the sentence of a page that supports it. Pure.

A small model's `[2]` is a hint, not a proof. Every sentence of the reply is held against the
sentences of the passages by meaning and by its figures and names; the best match is the quote,
and the quote's place gives the page. Knows nothing of models or stores.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from assistant.sentences import split
from assistant.types import Citation, Matrix, Passage

Similarity: TypeAlias = Callable[[Sequence[str], Sequence[str]], Matrix]  # cosines, (n, m)

MARKERS: Final = re.compile(r"\s*\[(\d{1,2}(?:\s*[,;]\s*\d{1,2})*)\]")
NUMBER: Final = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d{3})*(?:[.,]\d+)?")
NAME: Final = re.compile(r"(?<![.!?…]\s)(?<!^)\b[A-ZÀ-ÖØ-Þ][\w-]{2,}|\b\w*\d\w*[A-Za-z]\w*")
# Cosines of multilingual-e5-small between unrelated and equal sentences, its usual range.
COSINE_RANGE: Final = (0.75, 0.95)
FACTS_SHARE: Final = 0.4  # of the strength, for figures and names; the rest is meaning
MARKED_BONUS: Final = 0.08  # for a passage that the model named itself
SUPPORTED: Final = 0.45
LISTED: Final = 0.25  # a match below this is none
MIN_QUOTE_CHARS: Final = 25  # shorter pieces are labels, which support nothing


@dataclass(frozen=True)
class _Candidate:
    """A sentence of a passage that may be quoted."""

    passage: Passage
    start: int  # in the chunk
    text: str


def cite(reply: str, passages: Sequence[Passage], similarity: Similarity) -> list[Citation]:
    """Return one citation for each sentence of the reply that a passage supports.

    In the order of the reply; a quote that supports several sentences is listed once, with the
    first. Markers that point at nothing are dropped.
    """
    claims = [(text, markers) for text, markers in claims_of(reply) if len(text) > 3]
    candidates = [candidate for passage in passages for candidate in _sentences(passage)]
    if not claims or not candidates:
        return []
    meaning = similarity([c for c, _ in claims], [candidate.text for candidate in candidates])
    cited = [
        _best(claim, markers, candidates, row)
        for (claim, markers), row in zip(claims, meaning, strict=True)
    ]
    return _listed_once(citation for citation in cited if citation.strength >= LISTED)


def claims_of(reply: str) -> list[tuple[str, set[int]]]:
    """Return the sentences of a reply without markers, each with the passages it names.

    A marker that stands behind the full stop belongs to the sentence before it.
    """
    reply = re.sub(r"([.!?。।])((?:\s*\[[\d,; ]+\])+)", r"\2\1", reply)
    return [
        (MARKERS.sub("", reply[start:end]).strip(), set(_numbers_in_markers(reply[start:end])))
        for start, end in split(reply)
        if MARKERS.sub("", reply[start:end]).strip(" \n.-*")
    ]


def drop_unknown_markers(pieces: Iterable[str], known: int) -> Iterator[str]:
    """Yield the stream without `[n]` that point at no passage, also when cut over two pieces."""
    held = ""
    for piece in pieces:
        held += piece
        ready, held = _split_open_bracket(held)
        if ready:
            yield resolve_markers(ready, known)
    if held:
        yield resolve_markers(held, known)


def resolve_markers(text: str, known: int) -> str:
    """Return the text without markers beyond the passages 1 to `known`."""

    def keep(match: re.Match[str]) -> str:
        numbers = [n for n in _numbers_in_markers(match[0]) if 1 <= n <= known]
        space = " " if match[0][:1].isspace() else ""
        return space + "".join(f"[{n}]" for n in numbers) if numbers else ""

    return MARKERS.sub(keep, text)


def numbers_of(text: str) -> set[str]:
    """Return the figures of a text, written alike: "1,5" as "1.5", "12 000" as "12000"."""
    return {_plain_number(match[0]) for match in NUMBER.finditer(text)}


def _plain_number(text: str) -> str:
    text = re.sub(r"[.,\u00a0\u202f ](?=\d{3}(?!\d))", "", text)
    return text.replace(",", ".").rstrip(".")


def _numbers_in_markers(text: str) -> list[int]:
    return [int(n) for match in MARKERS.finditer(text) for n in re.findall(r"\d+", match[1])]


def _split_open_bracket(text: str) -> tuple[str, str]:
    """Split off a last "[" (and the space before it) that may still become a marker."""
    match = re.search(r"\s*(?:\[[\d,; ]{0,12})?$", text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def _sentences(passage: Passage) -> list[_Candidate]:
    text = passage.chunk.text
    trimmed = [(start, text[start:end].strip()) for start, end in split(text)]
    return [
        _Candidate(passage, start, sentence)
        for start, sentence in trimmed
        if len(sentence) >= MIN_QUOTE_CHARS
    ] or [_Candidate(passage, 0, text.strip())]


def _best(
    claim: str, markers: set[int], candidates: Sequence[_Candidate], cosines: Matrix
) -> Citation:
    strengths = [
        _strength(claim, candidate, float(cosine))
        + (MARKED_BONUS if candidate.passage.number in markers else 0.0)
        for candidate, cosine in zip(candidates, cosines, strict=True)
    ]
    best = int(np.argmax(strengths))
    return _citation(claim, candidates[best], min(1.0, strengths[best]))


def _strength(claim: str, candidate: _Candidate, cosine: float) -> float:
    low, high = COSINE_RANGE
    meaning = min(1.0, max(0.0, (cosine - low) / (high - low)))
    facts = _facts(claim)
    if not facts:
        return meaning
    found = len(facts & _facts_at_large(candidate.text)) / len(facts)
    return (1 - FACTS_SHARE) * meaning + FACTS_SHARE * found


def _facts(text: str) -> set[str]:
    """Return the figures and names of a claim, which must be the same in any language."""
    return numbers_of(text) | {_fold(match[0]) for match in NAME.finditer(text)}


def _facts_at_large(text: str) -> set[str]:
    return numbers_of(text) | {_fold(word) for word in re.findall(r"[\w-]{3,}", text)}


def _fold(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _citation(claim: str, candidate: _Candidate, strength: float) -> Citation:
    chunk, document = candidate.passage.chunk, candidate.passage.document
    has_figures = numbers_of(claim) <= numbers_of(chunk.text)
    return Citation(
        marker=candidate.passage.number,
        document_id=document.id,
        document=document.title,
        page=chunk.page_at(candidate.start),
        quote=candidate.text,
        char_start=chunk.char_start + candidate.start,
        claim=claim,
        strength=round(strength, 3),
        supported=strength >= SUPPORTED and has_figures,
    )


def _listed_once(citations: Iterable[Citation]) -> list[Citation]:
    by_quote: dict[tuple[str, int], Citation] = {}
    for citation in citations:
        by_quote.setdefault((citation.document_id, citation.char_start), citation)
    return list(by_quote.values())
