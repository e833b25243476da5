"""`quipu eval` with the real models: floors under what a search finds, and the whole path."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.models.catalogue import load_catalogue
from assistant.models.installed import InstalledModels
from assistant.settings import Settings
from ui.cli.app import DONE, run

pytestmark = pytest.mark.model
EVALDATA = Path(__file__).resolve().parents[3] / "shared" / "evaldata"
ASKED, TEXTS = 96, 360


@pytest.fixture(scope="module", autouse=True)
def _models() -> None:
    local = InstalledModels(Settings().models, load_catalogue())
    installed = {model.name for model in local.installed()}
    for name in {"starter", "multilingual-e5-small"} - installed:
        local.pull(name)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def written(
    folder: Path, texts: Sequence[dict[str, Any]], questions: Sequence[dict[str, Any]], scope: str
) -> Path:
    folder.mkdir()
    for name, rows in (("docs", texts), ("questions", questions)):
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "set.json").write_text(json.dumps({"name": folder.name, "scope": scope}))
    return folder


def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, Any]:
    monkeypatch.setenv("QUIPU_HOME", str(tmp_path / "home"))
    out = tmp_path / "figures.json"
    assert run(["eval", *arguments, "--json", str(out)]) == DONE
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


@pytest.mark.skipif(not EVALDATA.exists(), reason="the evaluation data are not beside the project")
def test_a_library_in_six_languages_keeps_above_its_floors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = rows_of(EVALDATA / "sets/mixed/docs.jsonl")
    questions = rows_of(EVALDATA / "sets/mixed/questions.jsonl")
    questions = questions[:: len(questions) // ASKED][:ASKED]
    golds = {(question["doc_id"], question["doc_lang"]) for question in questions}
    right = [text for text in texts if (text["doc_id"], text["lang"]) in golds]
    others = [text for text in texts if (text["doc_id"], text["lang"]) not in golds]
    crowd = others[:: len(others) // (TEXTS - len(right))]
    folder = written(tmp_path / "mixed", [*right, *crowd], questions, "all")
    found = evaluated(tmp_path, monkeypatch, str(folder))
    assert found["overall"]["n"] == ASKED
    assert found["same_language"]["recall@5"] >= 0.9
    assert found["cross_language"]["recall@5"] >= 0.88
    assert found["cross_language"]["mrr"] >= 0.7


BRIDGE = "The Quesa bridge is 28 metres long. Four villages weave it anew every June out of grass."
MILL = "El molino de Urubamba fue construido por los monjes en 1704 con piedra del río."
QUESTIONS = [
    ("long", "es", "¿Cuántos metros de largo mide el puente Quesa?", ["28"], "bridge", "en"),
    ("mill", "es", "¿En qué año se construyó el molino de Urubamba?", ["1704"], "mill", "es"),
    ("trap", "en", "What is the salary of the president of France?", [], "bridge", "en"),
]


def test_answers_are_measured_on_the_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [
        {"doc_id": "bridge", "lang": "en", "title": "Quesa", "text": BRIDGE},
        {"doc_id": "mill", "lang": "es", "title": "", "text": MILL},
    ]
    names = ("id", "lang", "question", "answers", "doc_id", "doc_lang")
    questions = [dict(zip(names, question, strict=True)) for question in QUESTIONS]
    folder = written(tmp_path / "small", texts, questions, "document")
    found = evaluated(tmp_path, monkeypatch, str(folder), "--answers", "1")
    assert found["pairs"]["es>en"]["correct"] == found["pairs"]["es>es"]["correct"] == 1.0
    assert found["overall"]["in_language"] in (None, 1.0)
    assert found["overall"]["citation_precision"] == 1.0
    assert found["refusal"] == {"n": 1, "precision": 1.0, "recall": 1.0}
    assert {row["id"]: row["refused"] for row in found["rows"]} == {
        "long": False,
        "mill": False,
        "trap": True,
    }
    assert found["timings"]["ttft_s"] > 0
    assert "es>en" in capsys.readouterr().out
