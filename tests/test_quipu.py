"""The public Python surface: what it offers, what importing it loads, and the README's example."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import quipu
from tests.ui.workspaces import REPORT, fake_workspace

ROOT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"## From Python\n.*?```python\n(.*?)```", re.DOTALL)


def test_the_names_are_sorted_there_and_documented() -> None:
    assert quipu.__all__ == sorted(quipu.__all__)
    assert len(quipu.__all__) <= 18
    for name in quipu.__all__:
        assert inspect.getdoc(getattr(quipu, name)), name
    public = {name for name in vars(quipu) if not name.startswith("_")}
    assert set(quipu.__all__) <= public


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
    printed = capsys.readouterr().out
    assert "El valle recibió 812 milímetros" in printed
    assert "p. 1: The valley received 812 millimetres of rain in 1998." in printed
