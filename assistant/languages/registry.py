"""The languages, and everything that depends on one: a TOML file per language, in this folder.

A language with a file, `xx.toml`, is supported: answers are asked for, checked and refused in it.
`others.toml` holds the languages that are only named, detected and stemmed. Adding a language means
adding its file; no code names a language. Imports no library.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

FOLDERS: tuple[Traversable, ...] = (files("assistant.languages"),)
OTHERS: Final = "others"
DEFAULT: Final = "en"  # first in every list; its phrases serve the languages without a file
WORD_SETS: Final = ("abbreviations", "back_matter", "numbered_abbreviations", "ordinal_nouns")
PLACEHOLDERS: Final = {"summarise": "{points}", "overview": "{points}", "focus": "{focus}"}


@dataclass(frozen=True)
class Phrases:
    """What is said in one language, to the model and to the user.

    Attributes:
        question: label before the question in a prompt.
        answer: last instruction of a question.
        not_found: the answer when the documents do not hold one.
        summarise: last instruction of a summary of `{points}` points.
        overview: last instruction of a summary of summaries, of `{points}` points.
        focus: what is added to it when a summary keeps to `{focus}`.
        nothing: the summary when nothing is about its focus.
        reply_start: first words of a reply that is forced into the language; "" for none.
        page: abbreviation before a page number.
        overview_title: heading of the points about a whole document.
    """

    question: str
    answer: str
    not_found: str
    summarise: str
    overview: str
    focus: str
    nothing: str
    reply_start: str
    page: str
    overview_title: str

    def __post_init__(self) -> None:
        for name, placeholder in PLACEHOLDERS.items():
            if placeholder not in getattr(self, name):
                raise ValueError(f"phrases.{name} lacks {placeholder}")

    def naming(self, language: str) -> "Phrases":
        """Return these English phrases asking for another language, given by its English name."""
        named = {key: text.replace("English", language) for key, text in vars(self).items()}
        return Phrases(**{**named, "reply_start": ""})


@dataclass(frozen=True)
class Refusals:
    """How a model says that the documents do not hold the answer.

    Attributes:
        negations: words without which a sentence is no refusal.
        variants: sentences that models write instead of `Phrases.not_found`.
    """

    negations: tuple[str, ...]
    variants: tuple[str, ...]


@dataclass(frozen=True)
class FollowUps:
    """What shows that a question needs the conversation before it.

    Attributes:
        openings: words that begin a continuation.
        pronouns: pronouns and adverbs that refer to something said before; without those that
            mostly do not, such as articles.
        patterns: regular expressions for what a list of words cannot express.
    """

    openings: tuple[str, ...]
    pronouns: tuple[str, ...]
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: ISO 639-1; the name of the file.
        name: English name, for instructions to the model.
        native: what the language calls itself.
        script: "Latin" for languages told apart by statistics; other scripts by their letters.
        abbreviations: in lower case, without the last full stop; single letters need no entry.
            They count in texts of every language: none may be a word that ends sentences.
        back_matter: headings, in lower case, of parts that only point elsewhere: tables of
            contents, lists of references, glossaries.
        overview_questions: examples of questions about a document as a whole.
        centering: the same plain sentences in every language, in the same order.
        numbered_abbreviations: likewise, but only before a figure, as "no" in "no. 5".
        ordinal_nouns: in lower case, nouns before which a number with a full stop is an ordinal,
            as in "3. Mai"; none where ordinals are written otherwise.
        letters: ranges of the script's letters, as in a regular expression's class; "" for Latin
            script, and for a language that is not detected.
        spaces: whether spaces separate words.
        stemmer: algorithm of PyStemmer; "" for none.
        heading_style: Word's name of heading styles, in lower case without their number.
        suspended_hyphen_words: words before which a hyphen at a line's end stays, as in "pre- and
            post-war". They count in texts of every language: none may be the end of a word that
            some language hyphenates.
    """

    code: str
    name: str
    native: str
    script: str
    phrases: Phrases
    refusals: Refusals
    follow_ups: FollowUps
    abbreviations: frozenset[str]
    back_matter: frozenset[str]
    overview_questions: tuple[str, ...]
    centering: tuple[str, ...]
    numbered_abbreviations: frozenset[str] = frozenset()
    ordinal_nouns: frozenset[str] = frozenset()
    letters: str = ""
    spaces: bool = True
    stemmer: str = ""
    heading_style: str = ""
    suspended_hyphen_words: tuple[str, ...] = ()


def languages() -> tuple[Language, ...]:
    """Return the languages that have a file: English, then the others by code."""
    return _load(FOLDERS)[0]


def supported() -> tuple[str, ...]:
    """Return the codes of `languages()`."""
    return tuple(each.code for each in languages())


def known() -> Mapping[str, Language]:
    """Return all languages by code: those of `others.toml` in its order, then the supported."""
    return _load(FOLDERS)[1]


def language(code: str) -> Language:
    """Return a language; an unknown code is its own name, and the phrases are English."""
    return known().get(code) or _without_file(code, {"name": code}, languages()[0].phrases)


def name_of(code: str) -> str:
    """Return the English name of a language."""
    return language(code).name


def phrases(code: str) -> Phrases:
    """Return the phrases of a language; without a file, English ones that name it."""
    return language(code).phrases


@cache
def _load(folders: tuple[Traversable, ...]) -> tuple[tuple[Language, ...], dict[str, Language]]:
    tables = {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
        for folder in folders
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    others = tables.pop(OTHERS, {})
    order = sorted(tables, key=lambda code: (code != DEFAULT, code))
    own = {code: _from_file(code, tables[code]) for code in order}
    english = own[DEFAULT]
    for each in own.values():
        if len(each.centering) != len(english.centering):
            raise ValueError(
                f"{each.code}.toml: centering needs {len(english.centering)} sentences"
            )
    rest = {code: _without_file(code, table, english.phrases) for code, table in others.items()}
    return tuple(own.values()), rest | own


def _from_file(code: str, table: Mapping[str, Any]) -> Language:
    """Return the language of a file.

    Raises:
        ValueError: a key is missing or unknown; names the file.
    """
    try:
        return Language(
            code=code,
            **{
                **_frozen(table),
                "phrases": Phrases(**table["phrases"]),
                "refusals": Refusals(**_frozen(table["refusals"])),
                "follow_ups": FollowUps(**_frozen(table["follow_ups"])),
                **{key: frozenset(table[key]) for key in WORD_SETS if key in table},
            },
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{code}.toml: {error}") from error


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}


def _without_file(code: str, table: Mapping[str, Any], english: Phrases) -> Language:
    return Language(
        code=code,
        **{"native": table["name"], "script": "", **table},
        phrases=english.naming(table["name"]),
        refusals=Refusals((), ()),
        follow_ups=FollowUps((), ()),
        abbreviations=frozenset(),
        back_matter=frozenset(),
        overview_questions=(),
        centering=(),
    )
