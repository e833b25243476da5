"""Which language a text is in. The only import of py3langid.

Scripts that few languages use are recognised by their letters: statistics fail on short texts.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from assistant.errors import UnknownLanguage
from assistant.languages.registry import DEFAULT, Language, known, language, languages

SCRIPT_SHARE: Final = 0.4  # of the letters that must be of a script
QUOTED: Final = re.compile(r"“[^”]*”|«[^»]*»|\"[^\"]*\"")
MIN_WORDS: Final = 5  # of a reply whose language statistics can tell
STRAY_WORDS: Final = 6  # of a sentence, likewise: shorter ones are mostly names
SAMPLE_CHARS: Final = 4_000
SAMPLES: Final = 5


def identify(text: str, *, among: Sequence[str] | None = None) -> str:
    """Return the ISO 639-1 code of the language of `text`; "en" when there are no letters.

    Args:
        among: the languages of Latin script to choose from; all known ones when None. For another
            script they matter only where several known languages share it.
    """
    letters = "".join(filter(str.isalpha, text))
    if not letters:
        return DEFAULT
    candidates = _candidates(letters, among)
    if len(candidates) == 1:
        return candidates[0]
    import py3langid  # with numpy; not before a text has to be told

    ranked: list[tuple[str, float]] = py3langid.rank(text)
    return next((code for code, _ in ranked if code in candidates), DEFAULT)


def _candidates(letters: str, among: Sequence[str] | None) -> Sequence[str]:
    sharing = _of_script(letters)
    if not sharing:
        return _latin(known().values()) if among is None else among
    return [code for code in sharing if among and code in among] or sharing


def _of_script(letters: str) -> list[str]:
    """Return the languages of the script of most letters; none for Latin script."""
    for script in dict.fromkeys(each.letters for each in known().values() if each.letters):
        if len(re.findall(f"[{script}]", letters)) > SCRIPT_SHARE * len(letters):
            return [each.code for each in known().values() if each.letters == script]
    return []


def _latin(among: Iterable[Language]) -> list[str]:
    return [each.code for each in among if each.script == "Latin"]


def identify_document(text: str) -> str:
    """Return the language most of the text is in, by samples from its beginning to its end."""
    step = max(1, len(text) // SAMPLES)
    samples = [text[start : start + SAMPLE_CHARS] for start in range(0, len(text), step)]
    found = Counter(identify(sample) for sample in samples if sample.strip())
    return found.most_common(1)[0][0] if found else identify(text)


def written_in(text: str) -> str:
    """Return the language of a reply among the supported ones; "" when it is too short to tell."""
    code = identify(text, among=_latin(languages()))
    is_latin = language(code).script == "Latin"
    return "" if is_latin and len(text.split()) < MIN_WORDS else code


def strays(sentence: str, wanted: str, others: Collection[str]) -> bool:
    """Return whether a sentence is in one of the other languages rather than the wanted one.

    Quotations may be in any language. Short sentences of Latin script never stray.
    """
    said = QUOTED.sub(" ", sentence)
    if len(said.split()) < STRAY_WORDS and language(wanted).script == "Latin":
        return False
    return bool(others) and identify(said, among=[wanted, *others]) != wanted


def check(code: str) -> str:
    """Return the code in lower case.

    Raises:
        UnknownLanguage: answers cannot be asked for in it.
    """
    if code.lower() not in known():
        raise UnknownLanguage(code=code, names=", ".join(sorted(known())))
    return code.lower()
