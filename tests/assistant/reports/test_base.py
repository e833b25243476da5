"""Works that are written beside, and are there again on another day."""

import threading
from collections.abc import Iterator
from pathlib import Path

from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.reports.base import Reports
from assistant.reports.comparison import ComparisonSpec
from assistant.reports.summary import Summary, SummarySpec
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import IsCancelled, Progress, Step, TextDelta
from assistant.workspace import Workspace
from tests.assistant.storage.libraries import add
from tests.assistant.storage.test_reports import summary_of

BRIDGE = "The bridge is 91 metres long.\n\nIt was built by two brothers in the year 1820."


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.works: list[Summary] = []

    def every(self) -> list[Summary]:
        return self.works

    def put(self, work: Summary) -> None:
        self.works.append(work)


class Writer:
    """Writes a summary as soon as it is let, or stops."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.let = threading.Event()
        self.begun: list[str] = []

    def __call__(
        self, order: SummarySpec, cancelled: IsCancelled
    ) -> Iterator[Progress | TextDelta | Summary]:
        self.begun.append(order.document)
        while not self.let.wait(0.01):
            yield Progress(Step.WRITING)
            if cancelled():
                return
        yield summary_of(self.library.document(order.document), order.focus)


def writer_of(folder: Path) -> tuple[Writer, list[SummarySpec]]:
    library = Library(folder, ExactIndex(), embedder=HashEmbedder())
    books = [add(library, BRIDGE, title="A"), add(library, "The llama.", title="B")]
    return Writer(library), [SummarySpec(book.id, "en", "short") for book in books]


def test_what_is_being_written_is_not_begun_twice(tmp_path: Path) -> None:
    write, (one, other) = writer_of(tmp_path)
    works = Reports(write, Kept())
    assert works.last(one) is None
    job = works.want(one)
    assert works.want(one) is job
    works.want(other)
    assert list(works.running) == [one, other]
    write.let.set()
    assert job.wait().result is not None
    works.want(other).wait()
    assert (works.running, works.last(one)) == ({}, job)
    assert {made.order for made in works.every()} == {one, other}
    works.want(one).wait()
    assert write.begun.count(one.document) == 2


def test_what_is_written_about_a_dropped_document_is_stopped(tmp_path: Path) -> None:
    write, (one, other) = writer_of(tmp_path)
    kept = Kept()
    works = Reports(write, kept)
    job = works.want(one)
    late = works.want(other)
    works.drop(one.document)
    assert job.view.over
    assert works.last(one) is None
    assert list(works.running) == [other]
    works.stop()
    assert late.wait(5).over
    assert (works.running, kept.works) == ({}, [])


def test_a_workspace_keeps_summaries_and_comparisons(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    one = add(library, BRIDGE, title="One")
    other = add(library, BRIDGE + " It is of stone.", title="Other")
    model = ScriptedModel("1. The bridge is 91 metres long.\n2. It was built in 1820.")
    first = Workspace.of(library, HashEmbedder(), model)
    order = SummarySpec(one.id, "en", "short", focus="length")
    made = first.summaries.want(order).wait()
    assert made.error is None
    pair = ComparisonSpec(one.id, other.id, "en")
    assert first.comparisons.want(pair).wait().error is None
    again = Workspace.of(library, HashEmbedder(), model)
    (kept,) = again.summaries.every()
    assert kept.order == order
    assert kept == made.result
    assert [each.order for each in again.comparisons.every()] == [pair]
    again.remove(other)
    assert (again.summaries.every(), again.comparisons.every()) == ([kept], [])


def test_removing_a_document_ends_all_work_on_it(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    one = add(library, BRIDGE, title="One")
    add(library, "The llama is slow.")
    held = threading.Event()

    def reply(_: object) -> str:
        held.wait(10)
        return "1. The bridge is 91 metres long."

    workspace = Workspace.of(library, HashEmbedder(), ScriptedModel(reply))
    talk = workspace.conversations.begin()
    answer = workspace.conversations.ask(talk, "How long is the bridge?", documents=[one.id])
    summary = workspace.summaries.want(SummarySpec(one.id, "en", "short"))
    threading.Timer(0.2, held.set).start()
    workspace.remove(one)
    assert answer.view.over
    assert summary.view.over
    assert workspace.summaries.every() == []
    (turn,) = workspace.conversations.turns(talk.id)
    assert turn.text == ""
