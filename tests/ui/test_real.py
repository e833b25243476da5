"""The whole way with the real starter models, through the command line, without any network."""

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.languages.detection import identify
from assistant.models.catalogue import load_catalogue
from assistant.models.installed import InstalledModels
from assistant.settings import Settings
from tests.ui.workspaces import REPORT
from ui.cli.app import run

pytestmark = pytest.mark.model
SAMPLES = Path(__file__).parents[2] / "sample_docs"


class OutsideError(AssertionError):
    """Something reached for an address that is not this machine."""


@contextmanager
def offline() -> Iterator[None]:
    """Refuse every connection but those to this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OutsideError(address)
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a library with the English report and a short note, and the models installed."""
    local = InstalledModels(Settings().models, load_catalogue())
    for name in ("starter", "multilingual-e5-small"):
        local.pull(name)
    folder = tmp_path_factory.mktemp("real")
    (folder / "valley.md").write_text(REPORT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, offline():
        patch.setenv("QUIPU_HOME", str(folder / "home"))
        code = quipu("add", str(SAMPLES / "llama-report.pdf"), str(folder / "valley.md"))
        assert code == 0
        yield folder


def quipu(*arguments: str) -> int:
    return run(arguments)


def test_a_spanish_question_about_the_english_report_cites_the_page(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "¿Cuántos bytes ocupa un bloque del formato Q4_0 y cuántos bits supone por peso?"
    assert quipu("ask", question, "--json", "--translate", "--model", "starter") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["language"] == "es"
    assert {identify(citation["quote"]) for citation in answer["citations"]} == {"en"}
    assert {identify(citation["translation"]) for citation in answer["citations"]} == {"es"}
    assert answer["answerable"] is True
    assert identify(answer["text"]) == "es"
    assert "18" in answer["text"]
    assert 34 in {citation["page"] for citation in answer["citations"]}
    assert {"marker", "document_id", "document", "page", "quote", "supported"} <= set(
        answer["citations"][0]
    )
    assert {"mode", "window", "ledger", "pages_read", "pages_left_out", "predicted_s"} <= set(
        answer["plan"]
    )
    assert {
        "load_s",
        "ttft_s",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "prefill_tokens_per_s",
        "decode_tokens_per_s",
        "total_s",
    } <= set(answer["timings"])


def test_what_the_documents_do_not_hold_is_said_in_the_asked_language(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "Qui a remporté la Coupe du monde de football en 2010 ?"
    assert quipu("ask", question, "--json", "--doc", "valley.md", "--model", "starter") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == "Les documents ne contiennent pas la réponse."
    assert (answer["answerable"], answer["citations"]) == (False, [])


def test_a_chat_understands_a_follow_up(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = "How many wells did the village dig?\nAnd how many of them give water today?\n\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(talk))
    assert quipu("chat", "--doc", "valley.md", "--model", "starter") == 0
    first, second = capsys.readouterr().out.split("> ")[1:3]
    assert "14" in first
    assert "nine" in second.lower() or "9" in second


def test_a_summary_in_french_reads_every_page_and_is_kept(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ("summarize", "valley.md", "--lang", "fr", "--json", "--model", "starter")
    assert quipu(*command) == 0
    first = json.loads(capsys.readouterr().out)
    said = " ".join(point["text"] for point in first["overview"])
    assert identify(said) == "fr"
    assert "812" in said
    assert [point["citation"]["page"] for point in first["overview"]][:1] == [1]
    assert list(first["plan"]["pages_read"].values()) == [[1]]
    assert quipu(*command) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["overview"], again["kept"]) == (first["overview"], True)
    assert quipu("summarize", "valley.md", "--lang", "fr", "-o", str(tmp_path / "s.md")) == 0
    assert (tmp_path / "s.md").read_text(encoding="utf-8").startswith("# Water in the valley")


def test_the_network_is_out_of_reach_while_these_tests_run(home: Path) -> None:
    with socket.socket() as line, pytest.raises(OutsideError):
        line.connect(("192.0.2.1", 80))


def test_adding_again_changes_nothing_and_removing_removes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu("add", str(home / "valley.md"), "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "unchanged"
    assert quipu("docs", "remove", "valley.md") == 0
    assert quipu("docs", "list", "--json") == 0
    titles = [
        d["path"].rsplit("/", 1)[-1] for d in json.loads(capsys.readouterr().out.split("\n", 1)[1])
    ]
    assert titles == ["llama-report.pdf"]


def test_two_reports_are_compared_with_their_pages(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, rain in (("first.md", "731"), ("later.md", "640")):
        (home / name).write_text(REPORT.replace("812", rain), encoding="utf-8")
    assert quipu("add", str(home / "first.md"), str(home / "later.md")) == 0
    capsys.readouterr()
    assert quipu("compare", "first.md", "later.md", "--json", "--model", "starter") == 0
    found = json.loads(capsys.readouterr().out)
    differing = [f"{one['text']} / {two['text']}" for one, two in found["differ"]]
    assert any("731" in pair and "640" in pair for pair in differing), found
    assert not any("731" in one["text"] for one, _ in found["agree"])
    cited = [point["citation"]["page"] for pair in found["differ"] for point in pair]
    assert set(cited) == {1}
