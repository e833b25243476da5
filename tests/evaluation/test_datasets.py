"""Data sets on disk."""

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import UnusableDataSet
from evaluation.datasets import QuestionScope, load, some
from tests.refusals import refused

DOCS = [
    {"doc_id": "a", "lang": "en", "title": "", "text": "The bridge has 14 arches."},
    {"doc_id": "a", "lang": "es", "title": "Puente", "text": "El puente tiene 14 arcos."},
    {"doc_id": "b", "lang": "en", "title": "", "text": "Nobody knows\u2028who built it."},
]


def asked(number: int, lang: str, doc: str, doc_lang: str, *answers: str) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "lang": lang,
        "question": f"Question {number}?",
        "answers": list(answers),
        "doc_id": doc,
        "doc_lang": doc_lang,
    }


QUESTIONS = [
    *(asked(n, "en", "a", "en", "14") for n in range(5)),
    asked(5, "es", "a", "en", "14"),
    asked(6, "en", "b", "en"),
]


def written(folder: Path, *, docs: list[dict[str, Any]] = DOCS, scope: str | None = "all") -> Path:
    for name, rows in (("docs", docs), ("questions", QUESTIONS)):
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if scope is not None:
        (folder / "set.json").write_text(json.dumps({"name": "bridges", "scope": scope}))
    return folder


def test_a_folder_is_read_as_it_stands(tmp_path: Path) -> None:
    data = load(written(tmp_path))
    assert (data.name, data.scope) == ("bridges", QuestionScope.ALL)
    assert [text.key for text in data.texts] == [("a", "en"), ("a", "es"), ("b", "en")]
    assert data.texts[2].text == "Nobody knows\u2028who built it."
    assert [q.pair for q in data.questions[4:]] == ["en>en", "es>en", "en>en"]
    assert [q.answerable for q in data.questions[4:]] == [True, True, False]


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        ("all", [("a", "en"), ("a", "es"), ("b", "en")]),
        ("language", [("a", "en"), ("b", "en")]),
        ("document", [("a", "en")]),
    ],
)
def test_the_scope_says_where_is_searched(
    tmp_path: Path, scope: str, keys: list[tuple[str, str]]
) -> None:
    data = load(written(tmp_path, scope=scope))
    assert data.searched(data.questions[0]) == keys


def test_a_folder_without_description_has_its_own_name_and_searches_all(tmp_path: Path) -> None:
    data = load(written(tmp_path, scope=None))
    assert (data.name, data.scope) == (tmp_path.name, QuestionScope.ALL)


@pytest.mark.parametrize(
    ("file", "text", "where"),
    [
        ("docs.jsonl", None, "docs.jsonl"),
        ("docs.jsonl", '{"doc_id": "a", "lang": "en"}', "docs.jsonl:1 (text)"),
        ("questions.jsonl", "nothing", "questions.jsonl:1"),
        ("docs.jsonl", '{"doc_id": "z", "lang": "en", "text": "Z"}', "docs.jsonl (q0)"),
        ("set.json", '{"scope": "somewhere"}', "set.json"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(
    tmp_path: Path, file: str, text: str | None, where: str
) -> None:
    path = written(tmp_path) / file
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    with refused(UnusableDataSet(folder=str(tmp_path), where=where)):
        load(tmp_path)


def test_some_questions_are_spread_over_each_pair_and_those_without_answer(tmp_path: Path) -> None:
    questions = load(written(tmp_path)).questions
    assert [q.id for q in some(questions, 2)] == ["q0", "q2", "q5", "q6"]
    assert len(some(questions, 50)) == 7
