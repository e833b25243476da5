"""Reports as rows: one for each spec, and none outlives its documents."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.reports import kinds
from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.storage.reports import ReportTable
from assistant.types import ContextMode, ContextPlan, Document, Point
from tests.assistant.storage.libraries import EMBEDDER, add


def summary_of(document: Document, focus: str = "", text: str = "It is long.") -> Summary:
    return Summary(
        document=document,
        language="en",
        length="short",
        overview=(Point(text, None),),
        sections=(),
        plan=ContextPlan(ContextMode.WHOLE, 4096, {"documents": 40}),
        kept=False,
        model="scripted",
        focus=focus,
    )


def comparison_of(first: Document, second: Document, text: str = "It is long.") -> Comparison:
    points = (Point(text, None), Point(text, None))
    return Comparison(first, second, "en", (points,), (), (), (), "scripted")


def library_of(folder: Path) -> tuple[Library, Document, Document]:
    library = Library(folder, ExactIndex(), embedder=EMBEDDER)
    bridge = add(library, "The bridge is long.", title="Bridge")
    return library, bridge, add(library, "The llama is slow.", title="Llama")


def stored(library: Library, kind: str) -> list[Any]:
    known = {document.id: document for document in library.documents()}
    texts = ReportTable(library.database).reports(kind)
    return [kinds()[kind].from_json(text, known) for text in texts]


def put(library: Library, kind: str, report: Any) -> None:
    made = kinds()[kind]
    spec = made.spec_of(report)
    ReportTable(library.database).put_report(kind, spec.key, spec.documents, made.to_json(report))


def test_the_last_report_of_each_spec_is_stored_the_newest_first(tmp_path: Path) -> None:
    library, bridge, llama = library_of(tmp_path)
    for made in (summary_of(bridge), summary_of(bridge, "wool"), summary_of(bridge, text="New.")):
        put(library, "summary", made)
    assert stored(library, "summary") == [
        summary_of(bridge, text="New."),
        summary_of(bridge, "wool"),
    ]
    for pair in (comparison_of(bridge, llama), comparison_of(llama, bridge)):
        put(library, "comparison", pair)
    put(library, "comparison", comparison_of(bridge, llama, "New."))
    assert stored(library, "comparison") == [
        comparison_of(bridge, llama, "New."),
        comparison_of(llama, bridge),
    ]


def test_reports_know_the_titles_that_their_documents_have_now(tmp_path: Path) -> None:
    library, bridge, llama = library_of(tmp_path)
    put(library, "summary", summary_of(bridge))
    put(library, "comparison", comparison_of(llama, bridge))
    library.rename(bridge, "About bridges")
    renamed = replace(bridge, title="About bridges", read_as=bridge.title)
    assert stored(library, "summary")[0].document == renamed
    assert stored(library, "comparison")[0].second == renamed


def test_reports_go_with_their_documents_and_none_comes_late(tmp_path: Path) -> None:
    library, bridge, llama = library_of(tmp_path)
    put(library, "summary", summary_of(llama))
    for _ in range(2):  # before the document is removed, and after it
        put(library, "summary", summary_of(bridge))
        put(library, "comparison", comparison_of(llama, bridge))
        if library.find(bridge.id):
            assert (len(stored(library, "summary")), len(stored(library, "comparison"))) == (2, 1)
            library.remove(bridge)
        assert stored(library, "summary") == [summary_of(llama)]
        assert stored(library, "comparison") == []


def test_a_document_compared_with_itself_is_no_trouble(tmp_path: Path) -> None:
    library, bridge, _ = library_of(tmp_path)
    put(library, "comparison", comparison_of(bridge, bridge))
    assert stored(library, "comparison") == [comparison_of(bridge, bridge)]
