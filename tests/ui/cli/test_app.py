"""The command line: what goes wrong is told in one sentence, with exit code 1 and no traceback."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.workspaces import REPORT
from ui.cli.app import parser, run

NOBODY = 65534


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIPU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUIPU_MODELS", str(tmp_path / "models"))
    return tmp_path / "home"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command see the reader's own models."""
    monkeypatch.delenv("QUIPU_MODELS")


def quipu(*arguments: str) -> int:
    return run(parser().parse_args(arguments))


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on stderr, and assert that there is no more."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]


def test_an_empty_question_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("ask", "   ") == 1
    assert sentence(capsys) == "quipu: The question is empty: write what you want to know."


def test_no_model_installed_says_which_command_fetches_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert quipu("ask", "Who?") == 1
    assert sentence(capsys).endswith("run `quipu models pull starter`.")


def test_adding_without_an_embedding_model_says_which(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert quipu("add", str(tmp_path)) == 1
    assert sentence(capsys).endswith("run `quipu models pull multilingual-e5-small`.")


@pytest.mark.parametrize("verb", ["pull", "remove"])
def test_an_unknown_model_is_told(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("models", verb, "gpt-9") == 1
    assert sentence(capsys) == (
        "quipu: Unknown model 'gpt-9': `quipu models list` shows those there are."
    )


def test_an_unknown_model_to_ask_with_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("ask", "Who?", "--model", "gpt-9") == 1
    assert "Unknown model 'gpt-9'" in sentence(capsys)


def test_a_file_that_is_no_model_is_not_imported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "fake.gguf"
    path.write_bytes(b"not a model at all")
    assert quipu("models", "import", str(path)) == 1
    assert sentence(capsys).startswith("quipu: fake.gguf: cannot be used as a model")


@pytest.mark.parametrize("command", [["docs", "show"], ["docs", "remove"]])
def test_an_unknown_document_is_told(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu(*command, "nothing.pdf") == 1
    assert sentence(capsys) == (
        "quipu: No document in the library matches 'nothing.pdf': `quipu docs list` shows them all."
    )


def test_a_window_that_is_no_number_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("ask", "Who?", "--window", "huge") == 1
    assert "--window takes a number" in sentence(capsys)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--pages", "9-3", "--pages takes a page or two, as 10-20, and not '9-3'."),
        ("--pages", "iv", "--pages takes a page or two, as 10-20, and not 'iv'."),
        ("--since", "yesterday", "A date is written as 2026-01-31, and not as 'yesterday'."),
        ("--doc-lang", "xx", "Unknown language 'xx'"),
    ],
)
def test_filters_that_make_no_sense_are_told(
    option: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu("plan", "Who?", option, value) == 1
    assert told in sentence(capsys)


def test_wrong_usage_leaves_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args(["ask"])
    assert left.value.code == 2
    assert "QUESTION" in capsys.readouterr().err


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ["add", "ask", "chat", "summarize", "page", "doctor", "docs list", "models pull"]
    for command in commands:
        with pytest.raises(SystemExit) as left:
            parser().parse_args([*command.split(), "--help"])
        assert left.value.code == 0
        assert f"example:\n  quipu {command}" in capsys.readouterr().out


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
    assert out.splitlines()[-1] == "next       quipu models pull starter"


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
    assert rows["corrupt.pdf"]["error"].startswith("corrupt.pdf: cannot be read")
    assert rows["empty.txt"]["error"] == "empty.txt: holds no text (the file has no bytes)."
    assert "there is no such file" in rows["missing.pdf"]["error"]
    assert ".xyz cannot be read yet" in rows["sheet.xyz"]["error"]


@pytest.fixture
def locked() -> Iterator[Path]:
    """Yield a folder that may not be entered, in the role of somebody who is not root."""
    import assistant.wiring
    import ingest.indexing
    import ui.cli.commands  # noqa: F401  loaded while every file may still be read

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
    outcomes = list(
        add([locked], shelf=library, embedder=HashEmbedder(), language_of=lambda text: "en")
    )
    assert [outcome.error for outcome in outcomes] == [
        "secret: cannot be read (there is no permission to open the folder)."
    ]


def test_ctrl_c_ends_with_one_word(tmp_path: Path) -> None:
    """An interrupt ends a command without a traceback."""
    code = "import os, signal, sys; from ui.cli.app import run, parser; import ui.cli.commands\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored under nohup
    code += "ui.cli.commands.docs_list = lambda options: os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.exit(run(parser().parse_args(['docs', 'list'])))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "quipu: Stopped.\n")


# evaluations


def test_nothing_to_evaluate_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("eval") == 1
    assert sentence(capsys).startswith("quipu: Name the folder of a data set")


def test_a_folder_that_is_no_data_set_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert quipu("eval", str(tmp_path)) == 1
    assert "there is no docs.jsonl" in sentence(capsys)


def test_comparing_needs_two_results(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = tmp_path / "a.json"
    result.write_text('{"rows": []}', encoding="utf-8")
    assert quipu("eval", "--compare", str(result), str(tmp_path / "lost.json")) == 1
    assert sentence(capsys).startswith(f"quipu: {tmp_path / 'lost.json'} holds no figures")


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
    assert "choose a password of 8 characters or more" in sentence(capsys)
