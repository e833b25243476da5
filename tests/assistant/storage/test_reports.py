"""Summaries and comparisons as rows: one for each order, and none outlives its documents."""

from dataclasses import replace
from pathlib import Path

from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.storage.reports import ComparisonTable, SummaryTable
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


def test_the_last_summary_of_each_focus_is_kept(tmp_path: Path) -> None:
    library, bridge, _ = library_of(tmp_path)
    table = SummaryTable(library)
    for made in (summary_of(bridge), summary_of(bridge, "wool"), summary_of(bridge, text="Old.")):
        table.put(made)
    assert table.every() == [summary_of(bridge, text="Old."), summary_of(bridge, "wool")]


def test_the_last_comparison_of_each_pair_is_kept(tmp_path: Path) -> None:
    library, bridge, llama = library_of(tmp_path)
    table = ComparisonTable(library)
    for made in (
        comparison_of(bridge, llama),
        comparison_of(llama, bridge),
        comparison_of(bridge, llama, "Old."),
    ):
        table.put(made)
    assert table.every() == [comparison_of(bridge, llama, "Old."), comparison_of(llama, bridge)]


def test_works_know_the_titles_that_their_documents_have_now(tmp_path: Path) -> None:
    library, bridge, llama = library_of(tmp_path)
    SummaryTable(library).put(summary_of(bridge))
    ComparisonTable(library).put(comparison_of(llama, bridge))
    library.rename(bridge, "About bridges")
    renamed = replace(bridge, title="About bridges", read_as=bridge.title)
    assert SummaryTable(library).every()[0].document == renamed
    assert ComparisonTable(library).every()[0].second == renamed


def test_works_go_with_their_documents_and_none_comes_late(tmp_path: Path) -> None:
    library, bridge, llama = library_of(tmp_path)
    summaries, comparisons = SummaryTable(library), ComparisonTable(library)
    for _ in range(2):  # before the document is removed, and behind it
        summaries.put(summary_of(bridge))
        comparisons.put(comparison_of(llama, bridge))
        if library.find(bridge.id):
            assert (len(summaries.every()), len(comparisons.every())) == (1, 1)
            library.remove(bridge)
        assert not summaries.every()
        assert not comparisons.every()
