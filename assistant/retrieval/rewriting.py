"""When a follow-up needs the conversation to be understood. Pure.

Rewriting every question makes drifted searches, so only a question that cannot stand alone is
rewritten: one that is short, begins like a continuation, or leans on a pronoun. The words are
those of the question's own language: "es" is Spanish for "is" and German for "it".
"""

import re
from typing import Final

from assistant.languages.detection import identify

SHORT_WORDS: Final = 3
MARKS: Final = ("?", "？")
LONG_WORDS: Final = 12  # a question this long carries what it needs, pronouns or not

# Language -> how a continuation begins. No `\b` in scripts whose vowel signs it would stop at.
CONTINUES: Final = {
    "de": r"(?:und|aber|oder|auch)\b",
    "en": r"(?:and|but|so|or|what about|how about)\b",
    "es": r"(?:y|e|pero|o|qué hay)\b",
    "fr": r"(?:et|mais|ou)\b",
    "hi": r"(?:और|लेकिन|तो)\s",
    "it": r"(?:e|ma|o|oppure)\b",
    "pt": r"(?:e|mas|ou)\b",
    "th": r"(?:และ|แล้ว|แต่|หรือ)",
}
# Language -> words that mean something said before. Left out are those that mostly do not:
# the German and Italian articles, "there" in "there is", the "il" of "il y a".
LEANS: Final = {
    "de": r"\b(?:er|sie|es|ihr|ihre|ihren|ihrem|ihrer|ihm|ihn|dies|diese|diesen|diesem|dieser|"
    r"dieses|dort|damals|dessen|deren|davon|dazu|dafür)\b",
    "en": r"\b(?:it|its|they|them|their|he|she|his|her|him|this|that|these|those|then)\b"
    r"|\bthere\s*\?",
    "es": r"\b(?:él|ella|ellos|ellas|ello|esto|eso|este|esta|estos|estas|ese|esa|esos|esas|su|sus|"
    r"allí|entonces|le|les)\b",
    "fr": r"\b(?:elle|ils|elles|lui|leur|leurs|cela|ça|ceci|celui-ci|celle-ci|ce|cet|cette|ces|"
    r"son|sa|ses|là|alors)\b|(?<!-)\bil\b(?! y a\b)|(?<!y a-t)(?<!y a)-(?:t-)?il\b",
    "hi": r"(?:^|\s)(?:यह|वह|ये|वे|इस|उस|इसे|उसे|इसका|इसकी|इसके|उसका|उसकी|उसके|इनका|उनका|उनकी|उनके|"
    r"इसमें|उसमें|उन्होंने|उसने|वहाँ)(?=\s|[?।]|$)",
    "it": r"\b(?:esso|essa|essi|esse|lui|lei|loro|questo|questa|questi|queste|quello|quella|ciò|"
    r"suo|sua|suoi|sue|lì|allora)\b",
    "pt": r"\b(?:ele|ela|eles|elas|isso|isto|aquilo|este|esta|esse|essa|dele|dela|deles|delas|"
    r"seu|sua|seus|suas|nele|nela|lá|então)\b",
    "th": r"(?:เขา|มัน|เธอ|พวกเขา|สิ่งนี้|สิ่งนั้น|ที่นั่น|ตอนนั้น)",
}


def stands_alone(question: str) -> bool:
    """Tell whether a question can be searched without the conversation before it."""
    language = identify(question)
    words = [word for word in question.split() if any(map(str.isalnum, word))]
    if _begins(CONTINUES.get(language), question):
        return False
    if language != "th" and len(words) <= SHORT_WORDS:
        return False
    leans = LEANS.get(language)
    return (
        len(words) >= LONG_WORDS or leans is None or not re.search(leans, question, re.IGNORECASE)
    )


def _begins(pattern: str | None, question: str) -> bool:
    return bool(pattern and re.match(rf"[¿\s]*{pattern}", question, re.IGNORECASE))


def usable(rewritten: str, question: str) -> bool:
    """Tell whether the model's rewriting is one question: small models like to answer instead."""
    length = len(rewritten.strip())
    asks = not question.rstrip().endswith(MARKS) or rewritten.rstrip().endswith(MARKS)
    return 3 < length < 60 + 6 * len(question) and "\n" not in rewritten.strip() and asks
