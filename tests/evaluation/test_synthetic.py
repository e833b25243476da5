"""Data sets that the model writes about the user's documents."""

from collections.abc import Sequence
from pathlib import Path

from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Message
from evaluation.datasets import load
from evaluation.synthetic import write_set
from tests.assistant.storage.libraries import add

FILLING = "It stands between the hills and the old town, where the river keeps its course. " * 4
PAGES = [f"The bridge number {n} was built in {1800 + n}. {FILLING}" for n in range(6)]


def asking(messages: Sequence[Message]) -> str:
    """Ask for the year on the page."""
    year = messages[0].text.split("was built in ")[1][:4]
    return f"Question: ¿Cuándo se construyó el puente {year[-1]}?\nAnswer: {year}."


def library(folder: Path) -> Library:
    return Library(folder, ExactIndex(), embedder=HashEmbedder())


def test_questions_are_written_about_pages_far_apart_in_each_language(tmp_path: Path) -> None:
    store = library(tmp_path / "home")
    book = add(store, "\n\n".join(PAGES), title="Bridges")
    done: list[tuple[int, int]] = []
    count = write_set(
        *(tmp_path / "set", [book]),
        store=store,
        model=ScriptedModel(asking),
        languages=["es", "fr"],
        count=3,
        report=lambda *now: done.append(now),
    )
    data = load(tmp_path / "set")
    assert (count, done) == (3, [(1, 3), (2, 3), (3, 3)])
    assert len(data.texts) == 6
    assert [q.lang for q in data.questions] == ["es", "fr", "es"]
    pages = [int(q.key[0].split("#p")[1]) for q in data.questions]
    assert pages == [1, 5, 3]
    assert [q.answers for q in data.questions] == [(str(1799 + page),) for page in pages]


def test_a_question_without_its_answer_on_the_page_is_dropped(tmp_path: Path) -> None:
    store = library(tmp_path / "home")
    book = add(store, "\n\n".join(PAGES))
    for model in (
        ScriptedModel("Question: ¿Quién?\nAnswer: Napoleon Bonaparte"),
        ScriptedModel("I cannot write questions."),
        ScriptedModel(asking, knows=False),
    ):
        count = write_set(
            *(tmp_path / "set", [book]),
            store=store,
            model=model,
            languages=["es"],
            count=3,
            report=lambda *_: None,
        )
        assert count == 0
