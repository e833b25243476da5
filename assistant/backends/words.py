"""Text to keyword terms: case and accents folded, stemmed, unspaced scripts cut into pairs.

The only import of Stemmer. Knows nothing of the library; the same rules make rows and queries.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

import Stemmer

STEMMERS = {
    "ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fr": "french",
    "hi": "hindi", "it": "italian", "nl": "dutch", "pt": "portuguese", "ru": "russian",
}  # fmt: skip
# `\w` leaves out vowel signs and tone marks, which would cut Hindi and Thai words in pieces.
MARKS = "".join(c for c in map(chr, range(0x300, 0x1100)) if unicodedata.category(c)[0] == "M")
WORD = re.compile(rf"[\w{MARKS}]+")
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


def fold(text: str, language: str) -> str:
    """Return the terms of `text` with spaces between: each word folded, and its stem."""
    return " ".join(term for word in _words(text) for term in _terms(word, [language]))


def match_expression(question: str, languages: Sequence[str]) -> str:
    """Return an FTS5 query for any word of the question, stemmed for each of the languages."""
    terms = {term for word in _words(question) for term in _terms(word, languages)}
    return " OR ".join(f'"{term}"' for term in sorted(terms)) or '""'


def _words(text: str) -> Iterable[str]:
    for match in WORD.finditer(unicodedata.normalize("NFKC", text).lower()):
        yield from _pairs(match[0]) if UNSPACED.search(match[0]) else [match[0]]


def _pairs(word: str) -> list[str]:
    """Return overlapping pairs of characters: there are no spaces to find words by."""
    return [word[i : i + 2] for i in range(max(1, len(word) - 1))]


def _terms(word: str, languages: Sequence[str]) -> list[str]:
    stems = [_stemmer(language).stemWord(word) for language in languages if language in STEMMERS]
    return sorted({_plain(word), *map(_plain, stems)})


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(c for c in decomposed if not unicodedata.combining(c)) or word


@cache
def _stemmer(language: str) -> "Stemmer.Stemmer":
    return Stemmer.Stemmer(STEMMERS[language])
