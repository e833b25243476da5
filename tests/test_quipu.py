"""The public Python surface: what it offers, what importing it loads, and the README's example."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import quipu
from tests.ui.workspaces import REPLY, REPORT, fake_workspace

POINT = REPLY.removesuffix(" [1]")
ROOT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"## From Python\n.*?```python\n(.*?)```", re.DOTALL)


def test_the_names_are_sorted_there_and_documented() -> None:
    assert quipu.__all__ == sorted(quipu.__all__)
    assert len(quipu.__all__) == 18
    for name in quipu.__all__:
        first = (inspect.getdoc(getattr(quipu, name)) or "").split("\n")[0]
        assert re.fullmatch(r"[A-Z`].*[a-z].*\.", first), f"{name}: {first}"


def test_importing_it_loads_no_model_library() -> None:
    heavy = {"torch", "llama_cpp", "chromadb", "streamlit", "scipy", "llama_index", "transformers"}
    program = f"import sys, quipu; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_errors_are_sentences() -> None:
    program = (
        "import quipu\n"
        "from assistant.errors import UnknownDocument\n"
        "print(UnknownDocument(reference='x.pdf'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "x.pdf" in done.stdout
    assert "reference=" not in done.stdout


def test_the_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = EXAMPLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    monkeypatch.setattr(quipu, "open_workspace", lambda _: fake_workspace(tmp_path / "home"))
    (tmp_path / "report.md").write_text(REPORT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(found[1], "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "report.md added",
        REPLY,
        "[1] Water in the valley, p. 1: The valley received 812 millimetres of rain in 1998.",
    ]
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary == f"# Water in the valley\n\n## Résumé\n\n- {POINT} (p. 1)\n"


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text(REPORT, encoding="utf-8")
    with fake_workspace(tmp_path / "home") as workspace:
        paths: list[str | Path] = [str(tmp_path / "missing.md"), tmp_path / "report.md"]
        outcomes = quipu.add_documents(workspace, paths)
        assert [outcome.status for outcome in outcomes] == ["failed", "added"]
        assert "missing.md" in outcomes[0].error
        (document,) = workspace.library.documents()
        assert (document.language, document.page_count) == ("en", 1)


def test_a_workspace_stops_its_work_at_the_end_of_a_with_statement(tmp_path: Path) -> None:
    released: list[bool] = []
    workspace = fake_workspace(tmp_path / "home")
    workspace.model.release = lambda: released.append(True)  # type: ignore[method-assign]
    with workspace as same:
        assert same is workspace
        assert released == []
    assert released == [True]
