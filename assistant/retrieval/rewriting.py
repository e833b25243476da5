"""Tells which follow-ups cannot be understood without the conversation. Pure.

Rewriting every question makes searches drift, so only a question that cannot stand alone is
rewritten: one that is short, begins like a continuation, or depends on a pronoun. The word lists
are those of the question's language: "es" is Spanish for "is" and German for "it".
"""

import re
from collections.abc import Iterable
from typing import Final

from assistant.languages.detection import identify
from assistant.languages.registry import FollowUps, language

SHORT_WORDS: Final = 3
LONG_WORDS: Final = 12  # a question this long can be searched, even with pronouns
QUESTION_MARKS: Final = ("?", "？")
# `\b` matches at vowel signs of Indic scripts and at combining accents, inside of words.
IN_WORD: Final = r"[\w\u0300-\u036f\u0900-\u0963\u0966-\u0dff]"


def stands_alone(question: str) -> bool:
    """Return whether a question can be searched without the conversation before it."""
    spoken = language(identify(question))
    words = [word for word in question.split() if any(map(str.isalnum, word))]
    if spoken.spaces and len(words) <= SHORT_WORDS:
        return False
    if _continues(question, spoken.follow_ups, spaces=spoken.spaces):
        return False
    return len(words) >= LONG_WORDS or not _refers(
        question, spoken.follow_ups, spaces=spoken.spaces
    )


def _continues(question: str, marks: FollowUps, *, spaces: bool) -> bool:
    opening = rf"[¿\s]*(?:{_any_of(marks.openings, spaces=spaces)})"
    return bool(re.match(opening, question, re.IGNORECASE))


def _refers(question: str, marks: FollowUps, *, spaces: bool) -> bool:
    pronoun = _any_of(marks.pronouns, spaces=spaces)
    return bool(re.search("|".join([pronoun, *marks.patterns]), question, re.IGNORECASE))


def _any_of(words: Iterable[str], *, spaces: bool) -> str:
    """Return a pattern for any of the words; whole words where spaces separate words."""
    pattern = "|".join(map(re.escape, words)) or r"(?!)"
    return rf"(?<!{IN_WORD})(?:{pattern})(?!{IN_WORD})" if spaces else f"(?:{pattern})"


def usable(rewritten: str, question: str) -> bool:
    """Return whether the rewritten text is one question: small models tend to answer instead."""
    length = len(rewritten.strip())
    asked = question.rstrip().endswith(QUESTION_MARKS)
    asks = not asked or rewritten.rstrip().endswith(QUESTION_MARKS)
    return 3 < length < 60 + 6 * len(question) and "\n" not in rewritten.strip() and asks
