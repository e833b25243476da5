"""The words: every language says everything, with the same facts and its own plural forms."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from babel import Locale

from assistant import errors
from assistant.errors import (
    AmbiguousDocument,
    EmptyLibrary,
    NoSpace,
    NoSuchPage,
    NotEnoughMemory,
    Notice,
    QuipuError,
    Reason,
    UnknownDocument,
    UnreadableDocument,
)
from assistant.models.catalogue import ModelRole
from assistant.reports import kinds as report_kinds
from assistant.reports.base import ReportKind
from assistant.storage.conversations import ConversationTable
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import Progress, Step
from assistant.types import ContextMode, ContextPlan, PlanReason
from ingest.indexing import Status
from tests.ui.workspaces import fake_workspace, with_report
from ui.cli.grammar import OWN
from ui.cli.tables import ANSWER_FIGURES
from ui.page.app import views
from ui.words import LANGUAGES, Words, native, nearest
from ui.words.words import places, texts

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "ui" / "page"
ENGLISH = texts("en")


def forms(text: str | dict[str, str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_says_everything_with_the_same_facts(code: str) -> None:
    other = texts(code)
    assert list(other) == list(ENGLISH)
    for key, text in other.items():
        facts = {place for form in forms(ENGLISH[key]) for place in places(form)}
        assert [places(form) for form in forms(text)] == [facts] * len(forms(text)), key
        assert all(form.strip() for form in forms(text)), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_its_plural_forms(code: str) -> None:
    wanted = {*Locale.parse(code).plural_form.tags, "other"}
    for key, text in texts(code).items():
        if not isinstance(text, str):
            assert set(text) == wanted, key
            assert "{count}" in text["other"], key
        assert isinstance(text, str) is isinstance(ENGLISH[key], str), key


def test_languages_do_not_say_the_same() -> None:
    for code in LANGUAGES[1:]:
        other = texts(code)
        same = [key for key, text in ENGLISH.items() if text == other[key] and " " in str(text)]
        assert len(same) < 6, (code, same)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_sentence_ends_and_none_has_two_spaces(code: str) -> None:
    for key, text in texts(code).items():
        for form in forms(text):
            assert "  " not in form, key
            if key.startswith("errors.") and key != "errors.Remark":
                assert form.rstrip().endswith((".", "**")), key


def kinds() -> set[str]:
    """Return the names of the errors that are raised: those without subclasses."""
    found = {k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, QuipuError)}
    return {kind.__name__ for kind in found if not kind.__subclasses__()} | {"QuipuError"}


def test_every_error_and_every_reason_has_words() -> None:
    keys = {key for key in ENGLISH if key.startswith("errors.") and key.count(".") == 1}
    notices = {"PagesWithoutText", "FileLost", "DamagedRows", "Remark"}
    assert keys == {f"errors.{kind}" for kind in kinds() | notices}
    assert {key for key in ENGLISH if key.startswith("reasons.")} == {
        f"reasons.{reason}" for reason in Reason
    }


def test_the_facts_of_a_sentence_are_those_of_its_error() -> None:
    for kind in kinds():
        facts = set(getattr(getattr(errors, kind), "__dataclass_fields__", ()))
        for key in (f"errors.{kind}", f"errors.{kind}.terminal"):
            said = {place for form in forms(ENGLISH.get(key, "")) for place in places(form)}
            assert said <= facts, key


# plural forms, numbers, times


@pytest.mark.parametrize(
    ("code", "count", "text"),
    [
        ("en", 1, "1 page"),
        ("en", 0, "0 pages"),
        ("en", 1200, "1,200 pages"),
        ("es", 1, "1 página"),
        ("es", 2, "2 páginas"),
        ("es", 1_000_000, "1.000.000 de páginas"),
        ("fr", 0, "0 page"),
        ("fr", 2, "2 pages"),
        ("de", 1, "1 Seite"),
        ("de", 2, "2 Seiten"),
        ("it", 1, "1 pagina"),
        ("it", 2, "2 pagine"),
        ("pt", 1, "1 página"),
        ("pt", 3, "3 páginas"),
    ],
)
def test_plural_forms_are_those_of_the_language(code: str, count: int, text: str) -> None:
    assert Words(code)("count.pages", count=count) == text


def test_numbers_dates_and_sizes_are_written_as_the_language_does() -> None:
    assert Words("de").number(1234567) == "1.234.567"
    assert Words("fr").number(1.25) == "1,2"
    assert Words("en").percent(0.45) == "45%"
    assert Words("en").date("2026-11-25T10:00:00+00:00") == "25 Nov 2026"
    assert Words("es").date("2026-11-25T10:00:00+00:00") == "25 nov 2026"
    assert Words("en").size(1_117_000_000) == "1.1 GB"
    assert Words("en").size(0) == "0 kB"
    assert Words("fr").size(72_000_000) == "72\u202fMo"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3_700, "1 h 1 min"), (86_400, "24 h")],
)
def test_durations_name_the_two_largest_units(seconds: float, text: str) -> None:
    assert Words("es").duration(seconds) == text


def test_measured_times_have_a_decimal_below_a_minute() -> None:
    assert [Words("es").took(seconds) for seconds in (0.24, 13, 75)] == [
        "0,2 s",
        "13,0 s",
        "1 min 15 s",
    ]


def test_languages_are_called_what_they_call_themselves() -> None:
    assert [native(code) for code in ("en", "es", "hi", "zh", "xx")] == [
        "English", "Español", "हिन्दी", "中文", "xx",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("fr-CA", "fr"),
        ("DE", "de"),
        ("es_ES.UTF-8", "es"),
        ("pt_BR@euro", "pt"),
        ("sv", "en"),
        ("C.UTF-8", "en"),
        (None, "en"),
        ("", "en"),
    ],
)
def test_the_nearest_language_is_taken(asked: str | None, found: str) -> None:
    assert nearest(asked) == found


# errors and notices


def test_an_error_is_told_with_its_facts() -> None:
    full = NoSpace(name="starter", needed_gb=2.5, free_gb=0.5, folder="models")
    assert Words("fr").error(full).startswith("starter demande 2,5 Go, mais seuls 0,5 Go")
    refused = UnreadableDocument(name="a.pdf", reason=Reason.NO_PERMISSION)
    assert Words("es").error(refused) == (
        "No se puede leer a.pdf: usted no tiene permiso para abrirlo."
    )
    assert Words("en").error(NoSuchPage(title="A", count=1)) == "“A” has only 1 page."


def test_only_a_terminal_is_told_what_to_type() -> None:
    assert Words("en").error(EmptyLibrary()) == "The library is empty. Add a document first."
    assert Words("en", in_terminal=True).error(EmptyLibrary()) == (
        "The library is empty. Add a document first. `quipu add FILE` adds one."
    )


@pytest.mark.parametrize(
    ("fits", "fits_q8", "hints"),
    [
        (65_536, 122_880, "`--window 65536` fits. `--window 122880 --kv q8_0` fits."),
        (65_536, 0, "`--window 65536` fits."),
        (0, 4_096, "`--window 4096 --kv q8_0` fits."),
    ],
)
def test_a_hint_about_nothing_is_left_out(fits: int, fits_q8: int, hints: str) -> None:
    error = NotEnoughMemory(
        name="big", window_tokens=131_072, needed_gb=22.7, free_gb=9.8, fits=fits, fits_q8=fits_q8
    )
    text = Words("en").error(error)
    assert Words("en", in_terminal=True).error(error) == f"{text} {hints}"


def test_a_notice_without_words_is_told_by_its_facts() -> None:
    assert Words("fr").message(Notice("Other", {"a": 1})) == "Other: a=1"
    assert Words("fr").message(Notice("NoSpace", {"name": "x"})) == "NoSpace: name='x'"


def test_programmers_read_errors_in_english() -> None:
    assert str(UnknownDocument(reference="x")) == (
        "“x” is not in the library. `quipu docs list` shows all documents."
    )
    program = "from assistant.errors import *; print(UnknownDocument(reference='x'), Cancelled())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "UnknownDocument: reference='x' Cancelled\n"


def test_values_are_not_taken_for_places() -> None:
    names = AmbiguousDocument(reference="{names}", names="{0}")
    assert Words("en").error(names) == "“{names}” matches several documents: {0}."


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return with_report(fake_workspace(tmp_path / "home"), tmp_path).library


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (
            {
                "kind": "NotEnoughMemory",
                "text": "big with a window of 8,192 tokens needs 9.8 GB and 2.0 GB are free: …",
                "facts": {
                    "name": "big", "window": 8192, "needed_gb": 9.8, "free_gb": 2.0, "fits": 0,
                },
            },
            "big braucht 9,8 GB Speicher für einen Kontext von 8.192 Token, aber nur 2,0 GB sind "
            "frei. Schließen Sie andere Programme, oder wählen Sie ein kleineres Modell.",
        ),
        (
            {
                "kind": "ContextOverflow",
                "text": "The prompt needs 9000 tokens and the model's window holds 8192: …",
                "facts": {"needed": 9000, "window": 8192},
            },
            "Das braucht 9.000 Token, aber der Kontext des Modells fasst 8.192. Fragen Sie etwas "
            "Kürzeres, oder wählen Sie ein Modell mit größerem Kontext.",
        ),
        (
            {
                "kind": "UnreadableDocument",
                "text": "a.pdf: cannot be read (its reader broke down).",
                "facts": {"name": "a.pdf", "reason": "its reader broke down"},
            },
            "a.pdf kann nicht gelesen werden: das Leseprogramm ist abgestürzt.",
        ),
        (
            {"kind": "QuipuError", "text": "Something broke inside Quipu: …", "facts": {}},
            "In Quipu ist etwas schiefgegangen. Versuchen Sie es noch einmal, und melden Sie es "
            "mit dem, was das Terminal anzeigt.",
        ),
    ],
)  # fmt: skip
def test_failures_that_the_version_before_stored_are_told(
    library: Library, stored: dict[str, object], told: str
) -> None:
    turn = {"number": 1, "question": "Why?", "state": "failed", "failure": stored}
    with library.database.writing() as db:
        db.execute("INSERT INTO conversations VALUES ('c', 'Why?', '2026-11-20')")
        db.execute("INSERT INTO turns VALUES ('c', 1, 'Why?', 'failed', ?)", (json.dumps(turn),))
    (loaded,) = ConversationTable(library.database).turns("c")
    assert loaded.failure is not None
    assert Words("de").message(loaded.failure) == told


def test_notes_that_the_version_before_stored_are_told(library: Library) -> None:
    note = {
        "kind": "PagesWithoutText",
        "text": "no text on these pages: 2, 4 (its letters cannot be told)",
        "facts": {"pages": "2, 4", "reason": "its letters cannot be told"},
    }
    with library.database.writing() as db:
        db.execute("UPDATE documents SET notes = ?", (json.dumps([note]),))
    (document,) = Library(library.folder, ExactIndex()).documents()
    (loaded,) = document.notes
    assert (
        Words("fr").message(loaded) == "Pas de texte sur ces pages : 2, 4 (texte indéchiffrable)."
    )


# progress and plans


def test_every_step_has_words_in_every_language() -> None:
    for code in LANGUAGES:
        for name in Step:
            assert Words(code).progress(Progress(name, 1, 2, "3", 61.0))


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        (Progress(Step.WAITING), "Waiting …"),
        (Progress(Step.WAITING, 0, 2), "Waiting: 2 jobs ahead …"),
        (Progress(Step.READING, 512, 1150), "Reading, 45% …"),
        (Progress(Step.SUMMARISING, 1, 9, "3", 65), "Part 2 of 9 … · pages 3 · 1 min 5 secs left"),
        (Progress(Step.MEASURING, note="starter"), "Measuring starter on this machine, once …"),
    ],
)  # fmt: skip
def test_progress_is_told(stage: Progress, told: str) -> None:
    assert Words("en").progress(stage) == told


def test_a_plan_is_told_with_what_is_left_out() -> None:
    ledger = {"rules": 100, "documents": 1000, "conversation": 0, "question": 20, "answer": 320}
    plan = ContextPlan(
        ContextMode.PACKED,
        8192,
        ledger,
        pages_read=(("a", 1), ("a", 2)),
        pages_left_out=(("b", 7),),
        kept_tokens=1,
        turns_left_out=2,
    )
    assert Words("en").plan(plan, {"a": "Report"}) == [
        "1,440 of 8,192 tokens of the context window used",
        "1 token was already in the cache",
        "Read: Report, p. 1, 2",
        "Found but not read: b, p. 7",
        "2 earlier turns of the conversation were left out",
    ]


# every key is used, and no text is written anywhere else


def report_keys(kind: ReportKind[Any]) -> list[str]:
    """Return the keys that the view and the command of a kind use."""
    options = [option.name for option in kind.options]
    choices = [choice for option in kind.options for choice in option.choices]
    free = [option.name for option in kind.options if not option.choices]
    more = [f"{name}_{what}" for name in free for what in ("placeholder", "help")]
    few = ["too_few"] if len(kind.document_fields) > 1 else []
    names = [*kind.document_fields, *options, *choices, *more, *few, "start", "none"]
    helps = [f"help.{kind.command}", *(f"options.{name}" for name in options)]
    return [*(f"{kind.name}.{name}" for name in names), *helps]


# Keys that are put together: by an error, a step, a mode, a role, ... of the vocabulary.
BUILT = (
    *(key for key in ENGLISH if key.startswith("errors.") or key.endswith(".terminal")),
    *(f"reasons.{reason}" for reason in Reason),
    *(f"progress.{name}" for name in Step if name is not Step.READING),
    "progress.reading",
    *(f"plan.{name}" for name in (*ContextMode, *PlanReason, "read", "left_out")),
    *(f"plan.{part}" for part in ("rules", "documents", "conversation", "question", "answer")),
    *(key for kind in report_kinds().values() for key in report_keys(kind)),
    *(f"comparison.{part}" for part in ("agree", "differ", "only")),
    *(f"models.{role}" for role in ModelRole),
    *(f"models.{part}" for part in ("others", "weights", "cache", "free")),
    *(f"library.{status}" for status in (Status.UNCHANGED, Status.REPLACED)),
    *(f"view.{name}" for name in views()),
    *(f"ask.example_{number}" for number in (1, 2, 3)),
    *(f"library.{name}" for name in ("queued", "waiting", "reading", "added", "file")),
    *(f"pulling.{note}" for note in ("fetching", "waiting", "checking", "unpacking")),
    *(f"figure.{name}" for name in ANSWER_FIGURES),
    *(f"eval.{name}" for name in ("same_language", "cross_language", "overall")),
    *(f"usage.{name}" for name in ("needs_value", "no_value")),
    *(f"help.{name}" for name in ("arguments", "options")),
    *(f"options.{name}" for name in OWN),
    *(key for key in ENGLISH if key.startswith("table.")),
)
COMMAND = re.compile(r'options\.(?:command|group)\((?:\s*\w+,)?\s*"(\w+)"')


def test_every_key_is_used_and_there_is_no_other() -> None:
    files = sorted((ROOT / "ui").rglob("*.py"))
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = set(re.findall(r"[\"'](\w+\.(?!jsonl)\w+)[\"']", source))  # a file is no key
    sections = {key.split(".")[0] for key in ENGLISH}
    commands = {f"help.{name}" for name in COMMAND.findall(source)}
    asked = {key for key in named if key.split(".")[0] in sections} | commands | set(BUILT)
    assert asked == set(ENGLISH)


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
