"""Questions that are suggested: about different places, once, and kept."""

from collections.abc import Sequence
from pathlib import Path

from assistant.assistant import Assistant
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.reports.questions import read_question
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Message
from tests.assistant.storage.libraries import add

FILLING = "It stands between the hills and the old town, where the river keeps its course. " * 4
PAGES = [f"The bridge number {n} was built in {1800 + n}. {FILLING}" for n in range(9)]


def asking(messages: Sequence[Message]) -> str:
    year = messages[0].text.split("was built in ")[1][:4]
    return f"Question: Wann wurde Brücke {year[-1]} gebaut?\nAnswer: {year}."


def test_questions_are_about_places_far_apart_and_kept(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    book = add(library, "\n\n".join(PAGES))
    model = ScriptedModel(asking)
    assistant = Assistant(model, HashEmbedder(), library)
    assert assistant.suggested(book.id, "de") == ()
    *stages, questions = assistant.suggest(book.id, language="de")
    assert len(stages) == 3
    assert questions == tuple(f"Wann wurde Brücke {n} gebaut?" for n in (1, 4, 7))
    assert list(assistant.suggest(book.id, language="de")) == [questions]
    assert assistant.suggested(book.id, "de") == questions
    assert assistant.suggested(book.id, "fr") == ()
    assert len(model.asked) == 3


def test_a_model_that_writes_no_question_suggests_none(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    book = add(library, "\n\n".join(PAGES))
    assistant = Assistant(ScriptedModel("I cannot."), HashEmbedder(), library)
    assert list(assistant.suggest(book.id))[-1] == ()


def test_a_question_is_read_with_and_without_its_labels() -> None:
    assert read_question("Question: Why?\nAnswer: Because.") == ("Why?", "Because")
    assert read_question("¿Cuándo?\n1820") == ("¿Cuándo?", "1820")
    assert read_question("I cannot write questions.") is None
