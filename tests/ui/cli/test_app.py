"""The command line: what goes wrong is told in one sentence, with exit code 1 and no traceback."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.errors import EncryptedDocument, Reason, UnreadableDocument
from ingest.indexing import Outcome, Status
from tests.ui.page.browser import QUIPU
from tests.ui.workspaces import REPORT
from ui.cli.app import run
from ui.cli.commands.evaluation import spread
from ui.cli.language import VARIABLES, chosen, of
from ui.schemas import outcome_json

NOBODY = 65534


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIPU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUIPU_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("QUIPU_LANG", "en")
    return tmp_path / "home"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command see the user's own models."""
    monkeypatch.delenv("QUIPU_MODELS")


def quipu(*arguments: str) -> int:
    return run(arguments)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on stderr, and assert that there is no more."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]


def test_an_empty_question_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("ask", "   ") == 1
    assert sentence(capsys) == "quipu: The question is empty. Write what you want to know."


def test_no_model_installed_says_which_command_fetches_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert quipu("ask", "Who?") == 1
    assert sentence(capsys).endswith("`quipu models pull starter` does that.")


def test_adding_without_an_embedding_model_says_which(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert quipu("add", str(tmp_path)) == 1
    assert sentence(capsys).endswith("`quipu models pull multilingual-e5-small` does that.")


@pytest.mark.parametrize("verb", ["pull", "remove"])
def test_an_unknown_model_is_told(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("models", verb, "gpt-9") == 1
    assert sentence(capsys) == (
        "quipu: There is no model called gpt-9. `quipu models list` shows all models."
    )


def test_an_unknown_model_to_ask_with_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("ask", "Who?", "--model", "gpt-9") == 1
    assert sentence(capsys).startswith("quipu: There is no model called gpt-9.")


def test_a_file_that_is_no_model_is_not_imported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "fake.gguf"
    path.write_bytes(b"not a model at all")
    assert quipu("models", "import", str(path)) == 1
    assert sentence(capsys).startswith("quipu: fake.gguf cannot be used: it is not a GGUF file.")


@pytest.mark.parametrize("command", [["docs", "show"], ["docs", "remove"]])
def test_an_unknown_document_is_told(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu(*command, "nothing.pdf") == 1
    assert sentence(capsys) == (
        "quipu: “nothing.pdf” is not in the library. `quipu docs list` shows all documents."
    )


def test_a_window_that_is_no_number_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("ask", "Who?", "--window", "huge") == 1
    assert "“huge” is not a size of the context" in sentence(capsys)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--pages", "9-3", "“9-3” is not a page or a range of pages."),
        ("--pages", "iv", "“iv” is not a page or a range of pages."),
        ("--since", "yesterday", "“yesterday” is not a date."),
        ("--doc-lang", "xx", "“xx” is not a language that Quipu supports."),
    ],
)
def test_filters_that_make_no_sense_are_told(
    option: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu("plan", "Who?", option, value) == 1
    assert told in sentence(capsys)


COMMANDS = (
    "add", "ask", "chat", "search", "plan", "prepare", "summarize", "compare", "page", "doctor",
    "eval", "docs list", "docs show", "docs remove", "models list", "models pull",
    "models import", "models use", "models remove", "cache list", "cache clear",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu(*command.split(), "--help") == 0
    told = capsys.readouterr().out
    assert f"Example:\n    quipu {command}" in told
    assert not re.search(r"\b(help|options)\.\w+", told)  # a key without its text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ask",), "QUESTION is missing."),
        (("docs", "lst"), "There is no command “lst”. Did you mean list?"),
        (("docs", "list", "--jsn"), "There is no option --jsn. Did you mean --json?"),
        (("docs", "list", "all"), "Not expected here: all."),
        (("page", "--port", "99999"), "Choose a number from 1 to 65535."),
        (("plan", "x", "--mode", "all"), "Choose one of auto, whole, packed, hierarchical."),
        (("ask", "x", "--time-budget", "soon"), "“soon” is not valid for --time-budget."),
        (("ask", "x", "--lang"), "--lang needs a value."),
        (("docs", "list", "--json=1"), "--json takes no value."),
    ],
)
def test_wrong_usage_is_told_and_leaves_with_two(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu(*arguments) == 2
    assert told in capsys.readouterr().err


def test_a_command_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu() == 2
    assert "Commands:\n  add" in capsys.readouterr().err
    assert quipu("docs") == 2
    assert "Commands:\n  list" in capsys.readouterr().err


def test_the_former_name_of_the_cache_still_works(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cache", "snapshots"):
        assert quipu(name, "list", "--json") == 0
        assert capsys.readouterr().out == "[]\n"
    assert quipu("--help") == 0
    assert "snapshots" not in capsys.readouterr().out


def test_shells_complete_commands_with_what_they_do() -> None:
    environment = {
        **os.environ, "_QUIPU_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "quipu docs ",
        "QUIPU_LANG": "fr",
    }  # fmt: skip
    done = subprocess.run(QUIPU, env=environment, capture_output=True, text=True, check=False)
    assert '"list":"Lister les documents."' in done.stdout


# the language of the terminal


@pytest.fixture
def locale(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without a language."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("arguments", "variables", "code"),
    [
        ((), {}, "en"),
        ((), {"LANG": "es_ES.UTF-8"}, "es"),
        ((), {"LANG": "es_ES.UTF-8", "LC_MESSAGES": "de_DE", "LC_ALL": ""}, "de"),
        ((), {"LANG": "es_ES.UTF-8", "LC_ALL": "C"}, "en"),
        ((), {"LC_ALL": "it_IT", "QUIPU_LANG": "pt"}, "pt"),
        (("--ui-lang", "fr"), {"QUIPU_LANG": "pt"}, "fr"),
        (("--ui-lang=fr",), {}, "fr"),
        ((), {"LANG": "sv_SE.UTF-8"}, "en"),
    ],
)
def test_the_terminal_speaks_the_users_language(
    arguments: tuple[str, ...], variables: dict[str, str], code: str
) -> None:
    for line in ([*arguments, "docs", "list"], ["docs", "list", *arguments]):
        asked, rest = chosen(line)
        assert (asked or of(variables), rest) == (code, ["docs", "list"])


def test_what_follows_two_dashes_is_no_option() -> None:
    arguments = ["ask", "--", "--ui-lang", "fr"]
    assert chosen(arguments) == (None, arguments)


def test_a_language_that_quipu_does_not_speak_is_told(
    locale: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    locale.setenv("LANG", "fr_FR")
    assert quipu("docs", "list", "--ui-lang", "xx") == 1
    assert sentence(capsys) == (
        "quipu: Quipu ne prend pas en charge la langue « xx ». Choisissez parmi "
        "en, es, fr, de, it, pt."
    )


def test_errors_help_and_usage_are_told_in_spanish(
    locale: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    locale.setenv("LANG", "es_ES.UTF-8")
    assert quipu("docs", "show", "nada.pdf") == 1
    assert sentence(capsys) == (
        "quipu: «nada.pdf» no está en la biblioteca. "
        "`quipu docs list` muestra todos los documentos."
    )
    assert quipu("ask") == 2
    assert capsys.readouterr().err == (
        "Uso: quipu ask [OPCIONES] QUESTION\n"
        "quipu: Falta QUESTION. `quipu ask --help` muestra cómo se usa.\n"
    )
    assert quipu("docs", "list", "--help") == 0
    assert capsys.readouterr().out == (
        "Uso: quipu docs list [OPCIONES]\n\n  Listar los documentos.\n\nOpciones:\n"
        "  --json  Imprimir JSON para scripts.\n  --help  Mostrar esta ayuda y salir.\n\n"
        "  Ejemplo:\n    quipu docs list\n"
    )


def test_json_is_never_translated(
    locale: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = []
    for code in ("en", "es"):
        locale.setenv("QUIPU_LANG", code)
        assert quipu("models", "list", "--json") == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    failure = Outcome("a.pdf", Status.FAILED, failure=EncryptedDocument(name="a.pdf").notice)
    assert outcome_json(failure)["error"] == (
        "a.pdf is protected by a password. Save a copy without a password and add the copy."
    )


def test_an_empty_library_lists_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("docs", "list") == 0
    assert capsys.readouterr().out.startswith("The library is empty")
    assert quipu("docs", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_models_list_says_which_hashes_are_not_known_yet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert quipu("models", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["starter"]["sha256"].startswith("cc324af0")
    assert rows["llama-3.1-8b"]["sha256"] == ""
    assert not rows["starter"]["installed"]


def test_doctor_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("doctor") == 0
    out = capsys.readouterr().out
    assert "cores" in out
    assert out.splitlines()[-1] == "Next: quipu models pull starter"


@pytest.mark.model
def test_bad_files_are_named_and_the_good_ones_still_go_in(
    models: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "good.md").write_text(REPORT, encoding="utf-8")
    (folder / "corrupt.pdf").write_bytes(b"%PDF-1.4\nno objects here")
    (folder / "empty.txt").write_bytes(b"")
    missing, strange = folder / "missing.pdf", folder / "sheet.xyz"
    strange.write_bytes(b"x")
    code = quipu("add", "--json", str(folder), str(missing), str(strange))
    rows = {Path(row["path"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert code == 1
    assert {name: row["status"] for name, row in rows.items()} == {
        "good.md": "added",
        "corrupt.pdf": "failed",
        "empty.txt": "failed",
        "missing.pdf": "failed",
        "sheet.xyz": "failed",
    }
    assert rows["good.md"]["language"] == "en"
    assert rows["corrupt.pdf"]["error"].startswith("corrupt.pdf cannot be read")
    assert rows["empty.txt"]["error"] == "empty.txt is empty."
    assert "missing.pdf does not exist." in rows["missing.pdf"]["error"]
    assert "sheet.xyz cannot be read." in rows["sheet.xyz"]["error"]


@pytest.fixture
def locked() -> Iterator[Path]:
    """Yield a folder that may not be entered, in the role of somebody who is not root."""
    import assistant.wiring
    import ingest.indexing
    import ui.cli.app  # noqa: F401  loaded while every file may still be read

    assert assistant.wiring and ingest.indexing
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    secret = folder / "secret"
    secret.mkdir()
    secret.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    yield secret
    if root:
        os.seteuid(0)
    secret.chmod(0o700)


def test_a_folder_without_permission_is_named(locked: Path) -> None:
    from assistant.backends.fake import HashEmbedder
    from assistant.storage.exact import ExactIndex
    from assistant.storage.library import Library
    from ingest.indexing import add

    library = Library(locked.parent / "home", ExactIndex())
    outcomes = list(add([locked], writer=library, embedder=HashEmbedder()))
    refused = UnreadableDocument(name="secret", reason=Reason.NO_FOLDER_PERMISSION)
    assert [outcome.failure for outcome in outcomes] == [refused.notice]


def test_ctrl_c_ends_with_one_word() -> None:
    """An interrupt ends a command without a traceback."""
    code = "import os, signal, sys, assistant.wiring; from ui.cli.app import run\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored under nohup
    code += "assistant.wiring.open_library = lambda _: os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.exit(run(['docs', 'list']))"
    environment = {**os.environ, "QUIPU_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "quipu: Stopped.\n")


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    code = "import sys, assistant.wiring; from ui.cli.app import run\n"
    code += "def closed(_): raise BrokenPipeError\n"
    code += "assistant.wiring.open_library = closed\nsys.exit(run(['docs', 'list']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


# evaluations


def test_nothing_to_evaluate_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("eval") == 1
    assert sentence(capsys).startswith("quipu: Name the folder of a data set")


def test_a_folder_that_is_no_data_set_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert quipu("eval", str(tmp_path)) == 1
    assert "docs.jsonl is missing" in sentence(capsys)


def test_comparing_needs_two_results(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = tmp_path / "a.json"
    result.write_text('{"rows": []}', encoding="utf-8")
    assert quipu("eval", "--compare", str(result), str(tmp_path / "lost.json")) == 1
    assert sentence(capsys).startswith(f"quipu: {tmp_path / 'lost.json'} holds no results")


def test_differences_are_printed_with_their_interval(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in (("a", 0.0), ("b", 1.0)):
        rows = [
            {"id": str(n), "lang": "es", "doc_lang": "en", "figures": {"recall@5": value}}
            for n in range(30)
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    assert quipu("eval", "--compare", *(str(tmp_path / f"{name}.json") for name in "ab")) == 0
    out = capsys.readouterr().out
    assert "+1.000" in out
    assert "*" in out


def test_a_page_that_others_can_reach_wants_a_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUIPU_PASSWORD", "short")
    assert quipu("page", "--host", "0.0.0.0", "--no-browser") == 1
    assert "needs a password of 8 characters or more" in sentence(capsys)


def test_a_data_set_about_documents_takes_several_behind_one_option() -> None:
    assert spread(["set", "--from-docs", "a", "b", "--answers", "--json", "x.json"]) == [
        "set", "--from-docs", "a", "--from-docs", "b", "--answers", "20", "--json", "x.json",
    ]  # fmt: skip
    assert spread(["set", "--answers", "5"]) == ["set", "--answers", "5"]
