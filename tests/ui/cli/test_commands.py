"""What commands print over a library with one short report and a model that has one reply."""

import json
from pathlib import Path
from typing import Any

import pytest

import assistant.wiring
from assistant.workspace import Workspace
from tests.ui.workspaces import REPLY, fake_workspace, with_report
from ui.cli.app import run

QUESTION = "¿Cuánta lluvia cayó en 1998?"


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("QUIPU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUIPU_LANG", "en")
    made = with_report(fake_workspace(tmp_path / "home"), tmp_path)
    monkeypatch.setattr(assistant.wiring, "open_workspace", lambda _: made)
    monkeypatch.setattr(assistant.wiring, "open_library", lambda _: made.library)
    monkeypatch.setattr(
        assistant.wiring, "open_for_adding", lambda _: (made.library, made.embedder)
    )
    return made


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(printed(capsys, *arguments, "--json"))


def test_an_answer_is_printed_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "ask", QUESTION).splitlines()
    assert lines[:2] == [REPLY, ""]
    assert lines[2].startswith("[1] Water in the valley, p. 1")
    assert lines[3] == "    “The valley received 812 millimetres of rain in 1998.”"


def test_sources_are_told_in_the_users_language(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "ask", QUESTION, "--ui-lang", "de").splitlines()
    assert lines[2].startswith("[1] Water in the valley, S. 1")


def test_an_answer_as_json(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (document,) = workspace.library.documents()
    answer = told(capsys, "ask", QUESTION)
    timings, plan = answer.pop("timings"), answer.pop("plan")
    (citation,) = answer.pop("citations")
    assert answer == {
        "question": QUESTION,
        "language": "es",
        "text": REPLY,
        "answerable": True,
        "model": "scripted",
        "written_in": "es",
        "searched_for": QUESTION,
        "verified_share": answer["verified_share"],
        "unsupported": answer["unsupported"],
        "repaired": "",
        "truncated": False,
    }
    assert citation == {
        "marker": 1,
        "document_id": document.id,
        "document": "Water in the valley",
        "page": 1,
        "quote": "The valley received 812 millimetres of rain in 1998.",
        "char_start": citation["char_start"],
        "claim": REPLY.removesuffix(" [1]"),
        "strength": citation["strength"],
        "supported": citation["supported"],
    }
    assert (plan["mode"], plan["pages_read"]) == ("whole", {document.id: [1]})
    assert timings["prompt_tokens"] > 0


def test_a_plan_is_printed_in_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "plan", QUESTION, "--doc", "valley.md").splitlines()
    assert lines[0] == "Read: the whole text (the text is short enough)"
    assert lines[-1] == "Read: Water in the valley, p. 1"
    assert told(capsys, "plan", QUESTION)["reason"] == "fits"


def test_a_search_prints_passages(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "search", "wells", "--limit", "1").splitlines()
    assert lines[0] == "[1] Water in the valley, p. 1"
    (found,) = told(capsys, "search", "wells", "--limit", "1")
    assert "14 wells" in found["text"]


def test_documents_are_listed_shown_and_removed(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (document,) = workspace.library.documents()
    heading, line = printed(capsys, "docs", "list").splitlines()
    assert heading.split() == ["ID", "Title", "Language", "Pages", "Words", "Added", "File"]
    assert line.startswith(f"{document.short_id} Water in the valley en")
    assert line.rstrip().endswith("valley.md")
    assert [each["id"] for each in told(capsys, "docs", "list")] == [document.id]
    shown = printed(capsys, "docs", "show", "valley.md").splitlines()
    assert shown[0] == "Water in the valley"
    assert "    Rainfall  (p. 1)" in shown
    assert "812 millimetres" in printed(capsys, "docs", "show", "valley.md", "-p", "1")
    assert told(capsys, "docs", "show", "valley.md")["pages"][0]["number"] == 1
    assert run(["docs", "show", "valley.md", "--page", "7"]) == 1
    assert capsys.readouterr().err == "quipu: “Water in the valley” has only 1 page.\n"
    assert printed(capsys, "docs", "remove", "valley.md") == "“Water in the valley” was removed.\n"
    assert told(capsys, "docs", "list") == []


def test_files_are_added_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, bad = tmp_path / "new.txt", tmp_path / "bad.txt"
    new.write_text("The bridge was built in 1931.", encoding="utf-8")
    bad.write_bytes(b"")
    assert run(["add", str(new), str(bad)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "Added “new”: 1 page, 6 words, English\n"
    assert shown.err == "quipu: bad.txt is empty.\n"
    assert printed(capsys, "add", str(new)) == "“new” is already in the library\n"
    (tmp_path / "nothing").mkdir()
    assert run(["add", str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err == "quipu: There is no file here that Quipu can read.\n"


def test_a_document_is_pre_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "prepare", "--all").startswith("Pre-read “Water in the valley” in ")
    assert run(["prepare"]) == 1
    assert capsys.readouterr().err == ("quipu: Name the documents to pre-read, or use `--all`.\n")


def test_reports_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys, "summarize", "valley.md", "--length", "short")
    file = tmp_path / "summary.md"
    assert run(["summarize", "valley.md", "-o", str(file)]) == 0
    assert capsys.readouterr().err.splitlines()[0] == f"Written to {file}."
    assert file.read_text(encoding="utf-8").startswith("# Water in the valley")
    assert told(capsys, "summarize", "valley.md")["length"] == "medium"
    other = tmp_path / "other.txt"
    other.write_text("The valley was dry in 2001.", encoding="utf-8")
    printed(capsys, "add", str(other))
    compared = printed(capsys, "compare", "valley.md", "other.txt")
    assert "## Points in common" in compared
    assert told(capsys, "compare", "valley.md", "other.txt")["first"]["title"] == (
        "Water in the valley"
    )
