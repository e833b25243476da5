"""A new kind of report needs its entry in the table of kinds and its words, and nothing else."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.reports import kinds
from assistant.reports.base import Option, Part, ReportKind, ReportSpec, Tools
from assistant.streams import Events, Progress, Step, TextDelta
from assistant.types import Document, Point
from tests.ui.workspaces import fake_workspace, with_report
from ui.cli import app
from ui.words.words import texts

WORDS = {
    "view.haiku": "Haikus",
    "haiku.document": "Document",
    "haiku.season": "Season",
    "haiku.winter": "in winter",
    "haiku.summer": "in summer",
    "haiku.start": "Write it",
    "haiku.none": "No haiku yet.",
    "help.haiku": "Write a haiku about a document.",
    "options.season": "When it takes place.",
}


@dataclass(frozen=True)
class Haiku:
    """A report of three lines."""

    document: Document
    language: str
    season: str
    lines: tuple[str, ...]
    model: str


def write(tools: Tools, documents: tuple[Document, ...], spec: ReportSpec) -> Events[Haiku]:
    yield Progress(Step.WRITING)
    lines = (documents[0].title, spec.option("season"), "An old silent pond")
    yield TextDelta("\n".join(lines))
    return Haiku(documents[0], spec.language, spec.option("season"), lines, tools.model.name)


KIND = ReportKind(
    name="haiku",
    command="haiku",
    document_fields=("document",),
    result=Haiku,
    write=write,
    outline=lambda haiku: (
        Part(heading="Three lines", items=tuple((Point(line, None),) for line in haiku.lines)),
    ),
    options=(Option("season", "summer", ("winter", "summer")),),
    example="quipu haiku report.pdf --season winter",
)


@pytest.fixture
def haiku(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Register the kind with its words; return a folder with the short report in its library."""
    monkeypatch.setitem(kinds(), "haiku", KIND)
    for key, text in WORDS.items():
        monkeypatch.setitem(texts("en"), key, text)
    with_report(fake_workspace(tmp_path / "home"), tmp_path)
    monkeypatch.setenv("QUIPU_TEST_FOLDER", str(tmp_path))
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setattr(
        "assistant.wiring.open_workspace", lambda _: fake_workspace(tmp_path / "home")
    )
    yield tmp_path


def run(*arguments: str) -> int:
    return app.run(list(arguments))


def test_it_has_a_command_with_its_options_and_its_json(
    haiku: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("haiku", "valley.md", "--season", "winter", "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["season"], value["language"], value["model"]) == ("winter", "en", "scripted")
    assert value["document"]["title"] == "Water in the valley"
    assert value["lines"] == ["Water in the valley", "winter", "An old silent pond"]


def test_it_is_in_the_help_and_saved_as_markdown(
    haiku: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--help") == 0
    assert "Write a haiku about a document." in capsys.readouterr().out
    file = haiku / "haiku.md"
    assert run("haiku", "valley.md", "-o", str(file)) == 0
    assert file.read_text(encoding="utf-8") == (
        "# Water in the valley\n\n## Three lines\n\n"
        "- Water in the valley\n- summer\n- An old silent pond\n"
    )
    assert run("haiku", "valley.md", "--season", "monsoon") == 2


def test_it_is_stored_with_its_document_and_goes_with_it(haiku: Path) -> None:
    workspace = fake_workspace(haiku / "home")
    (document,) = workspace.library.documents()
    spec = KIND.spec([document.id], "en", season="winter")
    made = workspace.reports.start(spec).wait(10).result
    again = fake_workspace(haiku / "home")
    assert again.reports.find(spec) == made
    again.remove(document)
    assert again.reports.stored("haiku") == []


def script() -> None:
    """Run by Streamlit's harness in a namespace of its own."""
    import os
    from pathlib import Path

    from assistant.settings import Settings
    from tests.ui.workspaces import fake_workspace
    from ui.page.app import show

    folder = Path(os.environ["QUIPU_TEST_FOLDER"])
    show(lambda _: fake_workspace(folder / "home"), Settings(home=folder / "home"))


def test_it_has_a_view_on_the_page(haiku: Path) -> None:
    page = AppTest.from_function(script, default_timeout=30)
    page.query_params["lang"] = "en"
    page.session_state["view"] = "haiku"
    page.run()
    assert not page.exception
    assert any("Haikus" in option for option in page.radio[0].options)
    seasons: Any = next(box for box in page.selectbox if box.label == "Season")
    assert list(seasons.options) == ["in winter", "in summer"]
    (document,) = fake_workspace(haiku / "home").library.documents()
    workspace = fake_workspace(haiku / "home")
    workspace.reports.start(KIND.spec([document.id], "en", season="winter")).wait(10)
    page.run()
    assert any("An old silent pond" in part.value for part in page.markdown)
    assert os.environ["QUIPU_TEST_FOLDER"] == str(haiku)
