"""Reports that are written in the background, stored, and there again on another day."""

import threading
from dataclasses import replace
from pathlib import Path

from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.errors import Cancelled
from assistant.reports import kinds
from assistant.reports.base import Reports, ReportSpec
from assistant.reports.summary import Summary
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import Events, IsCancelled, Progress, Step, Stream
from assistant.types import Query
from assistant.workspace import Workspace
from tests.assistant.storage.libraries import add
from tests.assistant.storage.test_reports import summary_of

BRIDGE = "The bridge is 91 metres long.\n\nIt was built by two brothers in the year 1820."
SUMMARY = kinds()["summary"]


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def reports(self, kind: str) -> list[str]:
        return self.texts

    def put_report(self, kind: str, key: str, documents: object, text: str) -> None:
        self.texts.append(text)


class Writer:
    """Writes a summary as soon as it is let, or stops."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.let = threading.Event()
        self.begun: list[str] = []

    def __call__(self, spec: ReportSpec) -> Stream[Summary]:
        def work(cancelled: IsCancelled) -> Events[Summary]:
            self.begun.append(spec.documents[0])
            while not self.let.wait(0.01):
                yield Progress(Step.WRITING)
                if cancelled():
                    raise Cancelled
            return summary_of(self.library.document(spec.documents[0]), spec.option("focus"))

        return Stream(work)


def writer_of(folder: Path) -> tuple[Writer, list[ReportSpec]]:
    library = Library(folder, ExactIndex(), embedder=HashEmbedder())
    books = [add(library, BRIDGE, title="A"), add(library, "The llama.", title="B")]
    return Writer(library), [SUMMARY.spec([book.id], "en", length="short") for book in books]


def reports_of(writer: Writer, store: Kept) -> Reports:
    return Reports(kinds(), writer, store, writer.library.documents)


def test_a_report_that_is_being_written_is_not_started_twice(tmp_path: Path) -> None:
    write, (one, other) = writer_of(tmp_path)
    reports = reports_of(write, Kept())
    assert reports.job(one) is None
    job = reports.start(one)
    assert reports.start(one) is job
    reports.start(other)
    assert list(reports.running("summary")) == [one, other]
    assert reports.running("comparison") == {}
    write.let.set()
    assert job.wait().result is not None
    reports.start(other).wait()
    assert (reports.running("summary"), reports.job(one)) == ({}, job)
    assert {SUMMARY.spec_of(made) for made in reports.stored("summary")} == {one, other}
    reports.start(one).wait()
    assert write.begun.count(one.documents[0]) == 2


def test_work_about_a_dropped_document_is_stopped_and_forgotten(tmp_path: Path) -> None:
    write, (one, other) = writer_of(tmp_path)
    store = Kept()
    reports = reports_of(write, store)
    job = reports.start(one)
    late = reports.start(other)
    reports.drop(one.documents[0])
    assert job.view.over
    assert reports.job(one) is None
    assert list(reports.running("summary")) == [other]
    reports.stop()
    assert late.wait(5).over
    assert (reports.running("summary"), store.texts) == ({}, [])


def test_a_workspace_stores_summaries_and_comparisons(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    one = add(library, BRIDGE, title="One")
    other = add(library, BRIDGE + " It is of stone.", title="Other")
    model = ScriptedModel("1. The bridge is 91 metres long.\n2. It was built in 1820.")
    first = Workspace.of(library, HashEmbedder(), model)
    spec = SUMMARY.spec([one.id], "en", length="short", focus="length")
    made = first.reports.start(spec).wait()
    assert made.error is None
    pair = kinds()["comparison"].spec([one.id, other.id], "en")
    assert first.reports.start(pair).wait().error is None
    again = Workspace.of(library, HashEmbedder(), model).reports
    (stored,) = again.stored("summary")
    assert SUMMARY.spec_of(stored) == spec
    assert stored == again.find(spec) == made.result
    assert [kinds()["comparison"].spec_of(r) for r in again.stored("comparison")] == [pair]
    Workspace.of(library, HashEmbedder(), model).remove(other)
    assert (again.stored("summary"), again.stored("comparison")) == ([stored], [])


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
    query = Query("How long is the bridge?", documents=(one.id,))
    answer = workspace.conversations.ask(talk, query)
    summary = workspace.reports.start(SUMMARY.spec([one.id], "en", length="short"))
    threading.Timer(0.2, held.set).start()
    workspace.remove(one)
    assert answer.view.over
    assert summary.view.over
    assert workspace.reports.stored("summary") == []
    (turn,) = workspace.conversations.turns(talk.id)
    assert turn.text == ""


def test_a_report_survives_its_json_and_knows_its_document_as_it_is_now(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    book = add(library, BRIDGE, title="One")
    made = summary_of(book, "wool")
    text = SUMMARY.to_json(made)
    renamed = replace(book, title="Other")
    assert SUMMARY.from_json(text, {book.id: book}) == made
    assert SUMMARY.from_json(text, {book.id: renamed}) == replace(made, document=renamed)
    assert SUMMARY.from_json(text, {}) is None


def test_equal_specs_have_equal_keys_and_options_are_stripped() -> None:
    one = SUMMARY.spec(["a"], "en", focus=" wool ", length="short")
    other = SUMMARY.spec(["a"], "en", length="short", focus="wool")
    assert one == other
    assert one.key == other.key == '[["a"], "en", {"focus": "wool", "length": "short"}]'
    assert one.key != SUMMARY.spec(["a"], "en").key
