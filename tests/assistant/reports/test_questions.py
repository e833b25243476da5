"""Questions that are suggested: about different places, once, and kept."""

from collections.abc import Sequence
from pathlib import Path

from assistant.assistant import Assistant
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.reports import kinds
from assistant.reports.questions import read_question
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import Progress
from assistant.types import Message
from assistant.workspace import Workspace
from tests.assistant.running import report
from tests.assistant.storage.libraries import add

FILLING = "It stands between the hills and the old town, where the river keeps its course. " * 4
PAGES = [f"The bridge number {n} was built in {1800 + n}. {FILLING}" for n in range(9)]


def asking(messages: Sequence[Message]) -> str:
    year = messages[0].text.split("was built in ")[1][:4]
    return f"Question: Wann wurde Brücke {year[-1]} gebaut?\nAnswer: {year}."


def test_questions_are_about_chunks_far_apart_and_stored(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    book = add(library, "\n\n".join(PAGES))
    model = ScriptedModel(asking)
    workspace = Workspace.of(library, HashEmbedder(), model)
    spec = kinds()["questions"].spec([book.id], "de")
    assert workspace.reports.find(spec) is None
    *events, made = report(workspace.assistant, "questions", book.id, language="de")
    assert len([event for event in events if isinstance(event, Progress)]) == 4
    assert made.questions == tuple(f"Wann wurde Brücke {n} gebaut?" for n in (1, 4, 7))
    assert workspace.reports.start(spec).wait(10).result == made
    assert workspace.reports.find(spec) == made
    assert workspace.reports.find(kinds()["questions"].spec([book.id], "fr")) is None


def test_a_model_that_writes_no_question_suggests_none(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    book = add(library, "\n\n".join(PAGES))
    assistant = Assistant(ScriptedModel("I cannot."), HashEmbedder(), library)
    assert report(assistant, "questions", book.id)[-1].questions == ()


def test_a_question_is_read_with_and_without_its_labels() -> None:
    assert read_question("Question: Why?\nAnswer: Because.") == ("Why?", "Because")
    assert read_question("¿Cuándo?\n1820") == ("¿Cuándo?", "1820")
    assert read_question("I cannot write questions.") is None
