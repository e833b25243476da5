"""Text to keyword terms: case and accents folded, stemmed, unspaced scripts cut into pairs.

The only import of Stemmer. Knows nothing of the library; the same rules make rows and queries.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

import Stemmer

from assistant.languages import registry

Terms: TypeAlias = tuple[str, ...]  # a folded word and its stems

SHARED_CHARS: Final = 4
# `\w` does not match vowel signs and tone marks: Hindi and Thai words would be cut in pieces.
MARKS = "".join(c for c in map(chr, range(0x300, 0x1100)) if unicodedata.category(c)[0] == "M")
WORD = re.compile(rf"[\w{MARKS}]+")
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


def fold(text: str, language: str) -> str:
    """Return the terms of a text, separated by spaces: each word folded, and its stem."""
    stemmers = _stemmers([language])
    return " ".join(term for word in _words(text) for term in _terms(word, stemmers))


def query_terms(question: str, languages: Sequence[str], *, shared: bool = False) -> list[Terms]:
    """Return the terms of each word of the question, stemmed for each of the languages.

    Args:
        shared: use only words that other languages may share: words with digits, and words of at
            least `SHARED_CHARS` characters, such as names.
    """
    words = dict.fromkeys(_words(question))
    stemmers = _stemmers(languages)
    return [
        tuple(_terms(word, stemmers))
        for word in words
        if not shared or len(word) >= SHARED_CHARS or any(map(str.isdigit, word))
    ]


def match_expression(words: Sequence[Terms]) -> str:
    """Return an FTS5 query for any of the terms."""
    terms = {term for each in words for term in each}
    return " OR ".join(f'"{term}"' for term in sorted(terms)) or '""'


def rarity(words: Sequence[Terms], counts: Mapping[str, int], rows: int) -> float:
    """Return the summed IDF of the words in BM25 (Robertson and Zaragoza 2009).

    Args:
        counts: number of rows with a term; 0 when it is missing.
        rows: number of all rows.
    """
    weights = [
        min((_idf(counts[term], rows) for term in each if term in counts), default=_idf(0, rows))
        for each in words
    ]
    return sum(weights)


def _idf(count: int, rows: int) -> float:
    return math.log(1 + (rows - count + 0.5) / (count + 0.5))


def _words(text: str) -> Iterable[str]:
    for match in WORD.finditer(unicodedata.normalize("NFKC", text).lower()):
        yield from _pairs(match[0]) if UNSPACED.search(match[0]) else [match[0]]


def _pairs(word: str) -> list[str]:
    """Return overlapping pairs of characters, because no spaces separate the words."""
    return [word[i : i + 2] for i in range(max(1, len(word) - 1))]


def _terms(word: str, stemmers: Iterable["Stemmer.Stemmer"]) -> list[str]:
    return sorted({_plain(word), *(_plain(stemmer.stemWord(word)) for stemmer in stemmers)})


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(c for c in decomposed if not unicodedata.combining(c)) or word


def _stemmers(languages: Iterable[str]) -> list["Stemmer.Stemmer"]:
    """Return the stemmers of the languages that have one."""
    names = dict.fromkeys(registry.language(code).stemmer for code in languages)
    return [_stemmer(name) for name in names if name]


@cache
def _stemmer(algorithm: str) -> "Stemmer.Stemmer":
    return Stemmer.Stemmer(algorithm)
