"""A data set asked of a system."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evaluation.datasets import DataSet, Question, QuestionScope, Text
from evaluation.runs import IndexedLibrary, answer_figures, evaluate, report
from evaluation.systems import SystemReply

TEXTS = (
    Text("a", "en", "", "The old bridge over the river has 14 arches of stone."),
    Text("b", "en", "", "The mill was built by the monks in 1204."),
)
QUESTIONS = (
    Question("arches", "es", "¿Cuántos arcos tiene?", ("14",), (), ("a", "en")),
    Question("mill", "en", "Who built the mill?", ("monks",), (), ("b", "en")),
    Question("trap", "en", "Who sold the mill?", (), (), ("b", "en")),
)
DATA = DataSet("bridges", QuestionScope.ALL, TEXTS, QUESTIONS, "fingerprint")
LIBRARY = IndexedLibrary(
    {("a", "en"): "A", ("b", "en"): "B"}, lambda d, _: TEXTS["AB".index(d)].text
)


def replied(text: str, *cited: tuple[str, int], refused: bool = False) -> SystemReply:
    return SystemReply(text, refused, cited, None, ttft_s=1.5, total_s=2.0, tokens_per_s=10.0)


@dataclass
class Scripted:
    """A system that finds A before B and says what it was told to say."""

    replies: dict[str, SystemReply] = field(default_factory=dict)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    name: str = "scripted"

    def search(self, question: Question, documents: Sequence[str]) -> list[str]:
        self.asked.append((question.id, tuple(documents)))
        return ["A", "B"]

    def answer(self, question: Question, documents: Sequence[str]) -> SystemReply:
        return self.replies[question.id]


REPLIES = {
    "arches": replied("El viejo puente tiene 14 arcos.", ("A", 1), ("B", 1)),
    "mill": replied("Los monjes construyeron el molino.", refused=False),
    "trap": replied("The documents do not contain the answer.", refused=True),
}


def rows(tmp_path: Path, system: Scripted, data: DataSet = DATA, **options: Any) -> list[Any]:
    kept = tmp_path / "rows.jsonl"
    return list(evaluate(data, data.questions, system, LIBRARY, kept=kept, **options))


def test_searches_are_summed_up_by_pair_and_language(tmp_path: Path) -> None:
    found = report(rows(tmp_path, Scripted()))
    assert found["pairs"]["es>en"]["recall@1"] == 1.0
    assert found["pairs"]["en>en"] == {
        "n": 2,
        "recall@1": 0.0,
        "recall@5": 1.0,
        "recall@20": 1.0,
        "mrr": 0.5,
        "ndcg@10": pytest.approx(0.6309, abs=1e-4),
    }
    assert (found["same_language"]["n"], found["cross_language"]["n"]) == (2, 1)
    assert found["overall"]["mrr"] == pytest.approx(2 / 3)
    assert found["refusal"] == {"n": 0, "precision": None, "recall": None}


def test_answers_are_scored_with_their_language_citations_and_refusals(tmp_path: Path) -> None:
    every = frozenset(question.id for question in QUESTIONS)
    found = report(rows(tmp_path, Scripted(REPLIES), answers=every))
    spanish, english = found["pairs"]["es>en"], found["pairs"]["en>en"]
    assert (spanish["correct"], spanish["in_language"]) == (1.0, 1.0)
    assert spanish["citation_precision"] == 0.5
    assert (english["correct"], english["in_language"], english["answered"]) == (0.0, 0.0, 1)
    assert "citation_precision" not in english
    assert found["refusal"] == {"n": 1, "precision": 1.0, "recall": 1.0}
    assert (found["timings"]["ttft_s"], found["timings"]["decode_tokens_per_s"]) == (1.5, 10.0)


def test_a_refused_question_is_not_answered_right_whatever_words_it_holds() -> None:
    said = replied("The documents do not say that the monks built it.", refused=True)
    assert answer_figures(said, QUESTIONS[1], lambda *_: "")["correct"] == 0.0


def test_a_reply_of_a_name_has_no_language() -> None:
    said = replied("Monks.")
    assert answer_figures(said, QUESTIONS[1], lambda *_: "")["in_language"] is None


@pytest.mark.parametrize(
    ("scope", "within"),
    [
        (QuestionScope.ALL, ()),
        (QuestionScope.LANGUAGE, ("A", "B")),
        (QuestionScope.DOCUMENT, ("A",)),
    ],
)
def test_the_scope_of_the_set_is_searched(
    tmp_path: Path, scope: QuestionScope, within: tuple[str, ...]
) -> None:
    system = Scripted()
    data = DataSet("bridges", scope, TEXTS, QUESTIONS[:1], "fingerprint")
    rows(tmp_path, system, data)
    assert system.asked == [("arches", within)]


@dataclass
class Silent(Scripted):
    """A system that neither searches nor answers."""

    def search(self, question: Question, documents: Sequence[str]) -> None:  # type: ignore[override]
        return None


def test_a_system_without_search_has_rows_of_what_it_answers_alone(tmp_path: Path) -> None:
    found = rows(tmp_path, Silent(REPLIES), answers=frozenset({"mill"}))
    assert [row.id for row in found] == ["mill"]
    assert "mrr" not in found[0].figures


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    kept, first = tmp_path / "rows.jsonl", Scripted()
    before = next(iter(evaluate(DATA, QUESTIONS, first, LIBRARY, kept=kept)))
    with kept.open("a", encoding="utf-8") as file:
        file.write('{"id": "mill", "lang"')  # cut off while it was written
    second = Scripted()
    assert rows(tmp_path, second)[0] == before
    assert [name for name, _ in second.asked] == ["mill", "trap"]
