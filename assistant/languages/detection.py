"""Which language a text is in, and what languages are called. The only import of py3langid.

Scripts that few languages use are told by their characters first: short texts mislead statistics.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import py3langid

from assistant.errors import UnknownLanguage

# The eight that Llama 3.1 supports; the assistant's own words exist in these.
SUPPORTED: Final = ("en", "de", "es", "fr", "hi", "it", "pt", "th")
NAMES: Final = {
    "ar": "Arabic", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fr": "French", "he": "Hebrew", "hi": "Hindi", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "th": "Thai", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip
SCRIPTS: Final = (
    (re.compile("[\u0900-\u097f]"), "hi"),
    (re.compile("[\u0e00-\u0e7f]"), "th"),
    (re.compile("[\u3040-\u30ff]"), "ja"),
    (re.compile("[\uac00-\ud7af]"), "ko"),
    (re.compile("[\u4e00-\u9fff]"), "zh"),
    (re.compile("[\u0590-\u05ff]"), "he"),
    (re.compile("[\u0370-\u03ff]"), "el"),
    (re.compile("[\u0600-\u06ff]"), "ar"),
    (re.compile("[\u0400-\u04ff]"), "ru"),
)
LATIN: Final = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ro")
QUOTED: Final = re.compile(r"“[^”]*”|«[^»]*»|\"[^\"]*\"")
STRAY_WORDS: Final = 6
SAMPLE_CHARS: Final = 4_000
SAMPLES: Final = 5


def identify(text: str, *, among: Sequence[str] = LATIN) -> str:
    """Return the ISO 639-1 code of the language of `text`; "en" when there are no letters.

    Args:
        among: the languages of Latin script it may be.
    """
    letters = [character for character in text if character.isalpha()]
    for pattern, code in SCRIPTS:
        if letters and sum(map(bool, map(pattern.match, letters))) > 0.4 * len(letters):
            return code
    if not letters:
        return "en"
    ranked: list[tuple[str, float]] = py3langid.rank(text)
    return next((code for code, _ in ranked if code in among), "en")


def identify_document(text: str) -> str:
    """Return the language most of the text is in, by samples from its beginning to its end."""
    step = max(1, len(text) // SAMPLES)
    samples = [text[start : start + SAMPLE_CHARS] for start in range(0, len(text), step)]
    found = Counter(identify(sample) for sample in samples if sample.strip())
    return found.most_common(1)[0][0] if found else identify(text)


def written_in(text: str) -> str:
    """Return the language of a reply among the supported ones; "" under five words."""
    code = identify(text, among=[code for code in SUPPORTED if code in LATIN])
    return code if len(text.split()) >= 5 or code not in LATIN else ""


def strays(sentence: str, wanted: str, others: Collection[str]) -> bool:
    """Tell whether a sentence is rather in one of the other languages than in the one wanted.

    Quotations may be in any language, and short sentences are mostly names: they never stray.
    """
    said = QUOTED.sub(" ", sentence)
    if len(said.split()) < STRAY_WORDS and wanted in LATIN:
        return False
    return bool(others) and identify(said, among=[wanted, *others]) != wanted


def name_of(code: str) -> str:
    """Return the English name of a language, for instructions to the model."""
    return NAMES.get(code, code)


def check(code: str) -> str:
    """Return the code in lower case.

    Raises:
        UnknownLanguage: answers cannot be asked for in it.
    """
    if code.lower() not in NAMES:
        raise UnknownLanguage(code=code, names=", ".join(sorted(NAMES)))
    return code.lower()
