"""From a reply to citations: each claim to the sentence of a page that supports it. Pure.

A small model's `[2]` is a hint, not a proof. Its markers are taken out of the stream; every
sentence, once whole, is compared with the sentences of the passages by meaning and by its figures,
names and rare words. The best match is the quote, its place gives the page, and a
marker is put behind the sentence. Knows nothing of models or stores.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from assistant.languages.sentences import split
from assistant.types import Citation, Matrix, Passage, Vector

Embed: TypeAlias = Callable[[Sequence[str]], Matrix]  # n texts -> (n, dim), rows of length one

MARKERS: Final = re.compile(r"\s*\[(\d{1,2}(?:\s*[,;]\s*\d{1,2})*)\]")
OPEN_MARKER: Final = re.compile(r"\s*(?:\[[\d,; ]{0,40})?$")
LABEL: Final = re.compile(r"(?:\d{1,2}|[a-z])[.)]|```\w*")  # of an item or of code, not a claim
NUMBER: Final = re.compile(
    r"(?<![A-Za-z_\d])(?<!\w\()(?:"  # the digits of Q4_0 and of the page ls(1) are no figures
    r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?(?!\d)"  # 12 000, 1.234,50
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d{1,2})?(?!\d)"  # 1,00,000, as in India
    r"|\d+(?:[.,]\d+)?)"
)
NAME: Final = re.compile(r"(?<![.!?…]\s)(?<!^)\b[A-ZÀ-ÖØ-Þ][\w-]{2,}|\b\w*\d\w*[A-Za-z]\w*")
WORD: Final = re.compile(r"(?=[\w-]*[^\W\d_])[\w-]{3,}")  # with a letter: 131,072 holds no word
CODE: Final = re.compile(r"[\w.~-]*(?:[/_@][\w.~-]+)+")  # paths, addresses, identifiers
# Cosines of multilingual-e5-small between unrelated and equal sentences, its usual range.
COSINE_RANGE: Final = (0.75, 0.95)
FACTS_SHARE: Final = 0.5  # of the strength, for figures and names; the rest is meaning
FIGURE_WEIGHT: Final = 2.0  # of a figure against a name
ASKED_SHARE: Final = 0.25  # of these weights, for what the question said already
TERM_CHARS: Final = 4  # of a word that may be recognised in another language; "par" is in many
RARE_BONUS: Final = 0.25  # for all rare words of a claim; for the choice of the quote alone
SENTENCE_ENDS: Final = ".!?…:;।。！？"
JOINED_CHARS: Final = 240  # rows of a table are no sentence
NAMES_FOUND: Final = 0.5  # of the names of a claim, at least; others may be translated
NAMED_BONUS: Final = 0.08  # for a passage that the model named itself
SUPPORTED: Final = 0.45
LISTED: Final = 0.25  # a match below this is none
MIN_QUOTE_CHARS: Final = 25  # shorter pieces are labels, which support nothing


@dataclass(frozen=True)
class _Candidate:
    """A sentence of a passage that may be quoted; `start` is its offset in the chunk."""

    passage: Passage
    start: int
    text: str

    @cached_property
    def facts(self) -> set[str]:
        return numbers_of(self.text) | _words(self.text)


class Citer:
    """Cites the sentences of one reply, in the order in which they are written.

    Markers count the passages used, from 1, in the order of their first use. Figures and names
    that the reply only repeats from the question prove little.
    """

    def __init__(self, passages: Sequence[Passage], embed: Embed, *, question: str = "") -> None:
        self._embed = embed
        self._asked = numbers_of(question) | _words(question)
        self._candidates = [c for passage in passages for c in _sentences(passage)]
        self._seen = Counter(fact for candidate in self._candidates for fact in candidate.facts)
        self._vectors: Matrix | None = None
        self._citations: list[Citation] = []
        self._used: list[int] = []
        self._claims = 0
        self._unsupported: list[str] = []

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations so far; a quote that supports several sentences is listed once."""
        by_quote: dict[tuple[str, int], Citation] = {}
        for citation in self._citations:
            by_quote.setdefault((citation.document_id, citation.char_start), citation)
        return tuple(by_quote.values())

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The sentences so far that no passage supports well enough to rely on."""
        return tuple(self._unsupported)

    @property
    def verified_share(self) -> float:
        """The share of the sentences so far that a passage supports; 1 when there are none."""
        return 1 - len(self._unsupported) / self._claims if self._claims else 1.0

    def mark(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield the stream with the model's markers taken out and ours put in."""
        held = sentence = ""
        shown = 0  # characters of `sentence` that were yielded
        named: set[int] = set()
        for piece in pieces:
            ready, held = _hold_open_marker(held + piece)
            named |= set(_numbers_in_markers(ready))
            sentence += MARKERS.sub("", ready)
            sentence = sentence if shown else sentence.lstrip()
            while len(spans := split(sentence)) > 1:
                end = spans[0][1]
                whole = sentence[:end].rstrip()
                marker = "" if LABEL.fullmatch(whole.strip()) else self._marker(whole, named)
                yield whole[shown:] + marker + sentence[len(whole) : end]
                sentence, shown, named = sentence[end:], 0, set()
            yield sentence[shown:]
            shown = len(sentence)
        named |= set(_numbers_in_markers(held))
        sentence += MARKERS.sub("", held).rstrip()
        yield sentence[shown:] + self._marker(sentence, named)

    def _marker(self, sentence: str, named: set[int]) -> str:
        """Cite the sentence; return its marker, or nothing when no passage supports it."""
        citation = self.cite(sentence, named)
        if sentence.strip():
            self._claims += 1
            if citation is None or not citation.supported:
                self._unsupported.append(sentence.strip())
        if citation is None:
            return ""
        self._citations.append(citation)
        return f" [{citation.marker}]"

    def cite(self, sentence: str, named: Collection[int] = ()) -> Citation | None:
        """Return the sentence of the passages that supports this one best, if any does.

        Args:
            named: numbers of the passages that the model itself named.
        """
        claim = sentence.strip(" \n-*•")
        if len(claim) < 2 or not self._candidates:
            return None
        if self._vectors is None:
            self._vectors = self._embed([candidate.text for candidate in self._candidates])
        cosines: Vector = self._vectors @ self._embed([claim])[0]  # (m, dim) @ (dim,) -> (m,)
        full = _weights(claim)
        facts, rare = self._discounted(full), self._discounted(self._rare(claim))
        share = FACTS_SHARE * sum(facts.values()) / sum(full.values()) if full else 0.0
        strengths = [
            (1 - share) * _meaning(float(cosine))
            + share * _found(facts, candidate)
            + (NAMED_BONUS if candidate.passage.number in named else 0.0)
            for candidate, cosine in zip(self._candidates, cosines, strict=True)
        ]
        hints = [RARE_BONUS * _found(rare, candidate) for candidate in self._candidates]
        best = max(range(len(hints)), key=lambda place: strengths[place] + hints[place])
        strength = min(1.0, strengths[best])
        return self._citation(claim, self._candidates[best], strength)

    def _discounted(self, weights: Mapping[str, float]) -> dict[str, float]:
        """Return the weights, less for what the question said already."""
        return {f: w * (ASKED_SHARE if f in self._asked else 1) for f, w in weights.items()}

    def _rare(self, claim: str) -> dict[str, float]:
        """Return the words of the claim that stand in the passages, weighed by how rarely."""
        seen = {word: self._seen[word] for word in _words(claim) if len(word) >= TERM_CHARS}
        total = len(self._candidates)
        return {word: math.log(total / n) for word, n in seen.items() if 0 < n < total}

    def _citation(self, claim: str, candidate: _Candidate, strength: float) -> Citation | None:
        if strength < LISTED:
            return None
        chunk, document = candidate.passage.chunk, candidate.passage.document
        if candidate.passage.number not in self._used:
            self._used.append(candidate.passage.number)
        has_facts = numbers_of(claim) <= numbers_of(chunk.text) and _has_names(claim, chunk.text)
        return Citation(
            marker=self._used.index(candidate.passage.number) + 1,
            document_id=document.id,
            document=document.title,
            page=chunk.page_at(candidate.start),
            quote=candidate.text,
            char_start=chunk.char_start + candidate.start,
            claim=claim,
            strength=round(strength, 3),
            supported=strength >= SUPPORTED and has_facts,
        )


def without_markers(text: str) -> str:
    """Return the text without any `[n]`."""
    return MARKERS.sub("", text)


def numbers_of(text: str) -> set[str]:
    """Return the figures of a text, written alike: "1,5" as "1.5", "12 000" as "12000"."""
    return {_plain_number(match[0]) for match in NUMBER.finditer(text)}


def _plain_number(text: str) -> str:
    text = "".join(str(int(c)) if c.isdecimal() else c for c in text)  # also १२ and ١٢
    text = re.sub(r"[.,\u00a0\u202f ](?=\d{2,3}[.,\u00a0\u202f ]|\d{3}(?!\d))", "", text)
    return text.replace(",", ".")


def _numbers_in_markers(text: str) -> list[int]:
    return [int(n) for match in MARKERS.finditer(text) for n in re.findall(r"\d+", match[1])]


def _hold_open_marker(text: str) -> tuple[str, str]:
    """Split off a last "[" (and the space before it) that may still become a marker."""
    match = OPEN_MARKER.search(text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def _sentences(passage: Passage) -> list[_Candidate]:
    text = passage.chunk.text
    titles = passage.chunk.heading.split(" › ")
    trimmed = [(start, text[start:end].strip()) for start, end in _joined(text)]
    return [
        _Candidate(passage, start, sentence)
        for start, sentence in trimmed
        if len(sentence) >= MIN_QUOTE_CHARS and sentence not in titles
    ] or [_Candidate(passage, 0, text.strip())]


def _joined(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences; one that a line end cut before a small letter is whole."""
    spans: list[tuple[int, int]] = []
    for start, end in split(text):
        open_before = spans and text[spans[-1][0] : start].rstrip()[-1:] not in SENTENCE_ENDS
        short = spans and end - spans[-1][0] <= JOINED_CHARS
        if open_before and short and text[start : start + 1].islower():
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _names(text: str) -> set[str]:
    """Return the names and codes of a claim, which are the same in any language."""
    return {_fold(match[0]) for match in NAME.finditer(text)} | _codes(text)


def _weights(claim: str) -> dict[str, float]:
    """Return the figures and names of a claim, each with what it weighs."""
    return dict.fromkeys(_names(claim), 1.0) | dict.fromkeys(numbers_of(claim), FIGURE_WEIGHT)


def _meaning(cosine: float) -> float:
    """Return how near two sentences are in meaning, from 0 to 1."""
    low, high = COSINE_RANGE
    return min(1.0, max(0.0, (cosine - low) / (high - low)))


def _found(weights: Mapping[str, float], candidate: _Candidate) -> float:
    """Return the share of the weights that the candidate holds; 0 when there are none."""
    held = sum(weight for fact, weight in weights.items() if fact in candidate.facts)
    return held / sum(weights.values()) if weights else 0.0


def _has_names(claim: str, text: str) -> bool:
    names = _names(claim)
    return len(names & _words(text)) >= NAMES_FOUND * len(names)


def _words(text: str) -> set[str]:
    return {_fold(match[0]) for match in WORD.finditer(text)} | _codes(text)


def _codes(text: str) -> set[str]:
    return {_fold(match[0]).rstrip("./-") for match in CODE.finditer(text)}


def _fold(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c))
