"""The page's words: the same keys in every language, and no text anywhere but there."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from assistant import errors
from assistant.errors import NoSpace, Notice, QuipuError, Reason, UnreadableDocument
from assistant.models.catalogue import ModelRole
from assistant.reports import kinds
from assistant.reports.base import ReportKind
from assistant.streams import Progress, Step
from assistant.types import ContextMode, PlanReason
from ingest.indexing import Status
from ui.page import words as module
from ui.page.app import views
from ui.page.words import LANGUAGES, Words, nearest, texts

PAGE = Path(module.__file__).parent
PLACES = re.compile(r"{(\w+)}")


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_says_everything_with_the_same_facts(code: str) -> None:
    english, other = texts("en"), texts(code)
    assert list(other) == list(english)
    for key, text in other.items():
        assert text.strip() or key == "thousands", key
        assert set(PLACES.findall(text)) == set(PLACES.findall(english[key])), key


def test_languages_do_not_say_the_same() -> None:
    english = texts("en")
    for code in LANGUAGES[1:]:
        other = texts(code)
        same = [key for key, text in english.items() if text == other[key] and " " in text]
        assert len(same) < 6, (code, same)


def test_every_error_that_a_reader_can_meet_has_words() -> None:
    kinds = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, QuipuError) and "__init__" in vars(kind)
    }
    missing = {kind for kind in kinds if f"notices.{kind}" not in texts("en")}
    assert missing == {"UnusableDataSet", "BadSetting"}  # of the command line alone


def test_a_failure_is_said_with_its_facts() -> None:
    failure = NoSpace("starter", 2_500_000_000, 500_000_000, Path("models")).notice
    assert Words("fr").notice(failure).count("2,5") == 1
    refused = UnreadableDocument(Path("a.pdf"), Reason.NO_PERMISSION).notice
    assert Words("es").notice(refused) == "a.pdf no se puede leer (no hay permiso para abrirlo)."
    unknown = Notice("Other", "Something else.", {})
    assert Words("fr").notice(unknown) == "Something else."


def test_every_stage_has_words_in_every_language() -> None:
    for code in LANGUAGES:
        for name in Step:
            assert Words(code).stage(Progress(name, 1, 2, "3", 61.0))


def test_numbers_and_dates_are_written_as_the_language_does() -> None:
    assert Words("de").number(1234567) == "1.234.567"
    assert Words("fr").number(1.25) == "1,2"
    assert Words("es").date("2026-11-25T10:00:00+00:00") == "25/11/2026"


@pytest.mark.parametrize(
    ("asked", "found"), [("fr-CA", "fr"), ("DE", "de"), ("sv", "en"), (None, "en"), ("", "en")]
)
def test_the_nearest_language_is_taken(asked: str | None, found: str) -> None:
    assert nearest(asked) == found


def report_keys(kind: ReportKind[Any]) -> list[str]:
    """Return the keys that the view of a kind uses."""
    options = [option.name for option in kind.options]
    choices = [choice for option in kind.options for choice in option.choices]
    free = [option.name for option in kind.options if not option.choices]
    more = [f"{name}_{what}" for name in free for what in ("placeholder", "help")]
    few = ["too_few"] if len(kind.document_fields) > 1 else []
    names = [*kind.document_fields, *options, *choices, *more, *few, "start", "none"]
    return [f"{kind.name}.{name}" for name in names]


# Keys that are put together: by a stage, a mode, a role, ... of the vocabulary.
BUILT = (
    *(key for key in texts("en") if key.startswith("notices.")),
    *(f"why.{reason.name.lower()}" for reason in Reason),
    *(f"stage.{name}" for name in Step),
    *(f"plan.{name}" for name in (*ContextMode, *PlanReason)),
    *(f"plan.{part}" for part in ("rules", "documents", "conversation", "question", "answer")),
    *(key for kind in kinds().values() for key in report_keys(kind)),
    *(f"models.{role}" for role in ModelRole),
    *(f"models.{part}" for part in ("others", "weights", "cache", "free")),
    *(f"library.{status}" for status in (Status.UNCHANGED, Status.REPLACED)),
    *(f"view.{name}" for name in views()),
    *(f"comparison.{part}" for part in ("agree", "differ", "only")),
    *(f"ask.example_{number}" for number in (1, 2, 3)),
)


def test_the_page_uses_every_key_and_no_other() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.py")))
    named = set(re.findall(r"[\"'](\w+\.\w+)[\"']", source))
    sections = {key.split(".")[0] for key in texts("en") if "." in key}
    asked = {key for key in named if key.split(".")[0] in sections} | set(BUILT)
    assert asked == {key for key in texts("en") if "." in key}


def test_no_text_is_wired_into_the_page() -> None:
    """Whatever Streamlit is given to show comes from the words."""
    wired = []
    for path in sorted(PAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "st"
            ):
                wired += [
                    (path.name, argument.value)
                    for argument in node.args
                    if isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                    and re.search(r"[A-Za-z]{3} |^[A-Z][a-z]{3}", argument.value)
                    and argument.value != "Quipu"
                ]
    assert wired == []
