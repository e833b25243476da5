"""Summaries read everything, say what they read, and read nothing twice."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from assistant.assistant import Assistant
from assistant.backends.base import Choice, Generation, Prompt
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.errors import Cancelled
from assistant.generation.key_points import whole_sentences
from assistant.languages.registry import phrases
from assistant.reports.summary import KIND, Length, SectionSummary, Summary
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import Progress, Step, TextDelta
from assistant.types import ContextMode, Document, Point
from tests.assistant.running import report
from tests.assistant.storage.libraries import add
from ui.exports import report_markdown

SAID = "The text tells of the bridge and of its keeper."
PAGES = 40
BOOK = "\n\n".join(
    f"Page {n} tells of the bridge. " + "It is long and old. " * 60 for n in range(PAGES)
)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    yield opened
    opened.close()


def run(
    model: ScriptedModel, library: Library, book: Document, **options: Any
) -> list[Progress | TextDelta | Summary]:
    assistant = Assistant(model, HashEmbedder(), library)
    return report(assistant, "summary", book.id, **options)


def markdown(summary: Summary) -> str:
    return report_markdown(KIND, summary, lambda key, **facts: key)


def pages_read(summary: Summary) -> list[int]:
    return [number for _, number in summary.plan.pages_read]


def summary_of(events: Sequence[object]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


# one summary


def test_what_fits_is_read_in_one_pass(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.\n\nIt is of granite.")
    model = ScriptedModel(SAID)
    events = run(model, library, book)
    summary = summary_of(events)
    assert ([point.text for point in summary.overview], summary.sections) == ([SAID], ())
    assert (summary.plan.mode, pages_read(summary)) == (ContextMode.WHOLE, [1, 2, 3])
    assert len(model.asked) == 1
    assert "It is of granite." in model.prompts[0].flat.messages[0].text
    assert "".join(e.text for e in events if isinstance(e, TextDelta)).strip() == f"- {SAID}"


def test_every_page_of_a_long_book_is_read_and_named(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel(SAID)
    summary = summary_of(run(model, library, book))
    assert summary.plan.mode is ContextMode.HIERARCHICAL
    assert summary.plan.pages_read == tuple((book.id, n) for n in range(1, PAGES + 1))
    assert summary.plan.pages_left_out == ()
    assert len(summary.sections) > 1
    read = "\n".join(prompt.flat.messages[0].text for prompt in model.prompts)
    assert [n for n in range(PAGES) if f"Page {n} tells" not in read] == []
    assert summary.sections[0].pages[0] == 1
    for before, after in pairwise(summary.sections):
        assert after.pages[0] == before.pages[1] + 1


def test_stages_count_up_to_the_sections_and_the_overview(library: Library) -> None:
    events = run(ScriptedModel(SAID), library, add(library, BOOK))
    stages = [e for e in events if isinstance(e, Progress) and e.name is Step.SUMMARISING]
    total = len(summary_of(events).sections) + 1
    assert [(stage.done, stage.total) for stage in stages] == [(n, total) for n in range(total)]


def test_the_second_run_reads_nothing_and_says_the_same(library: Library) -> None:
    book = add(library, BOOK)
    first = summary_of(run(ScriptedModel(SAID), library, book))
    model = ScriptedModel("Something else.")
    second = summary_of(run(model, library, book))
    assert model.asked == []
    assert (first.kept, second.kept) == (False, True)
    assert replace(second, kept=False) == first


def test_another_language_or_length_is_another_summary(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.")
    model = ScriptedModel(SAID)
    for options in ({}, {"length": Length.SHORT}, {"length": Length.LONG}, {}):
        run(model, library, book, **options)
    assert len(model.asked) == 3


def test_with_a_focus_what_a_search_finds_is_read(library: Library) -> None:
    pages = BOOK.split("\n\n")
    told = "The lighthouse keeper counted ships."
    pages[7] += f" {told}"
    book = add(library, "\n\n".join(pages))
    whole = summary_of(run(ScriptedModel(SAID), library, book))
    model = ScriptedModel(f" {told}\n2. Nobody wrote this anywhere.")
    summary = summary_of(run(model, library, book, focus=" lighthouse keeper ships "))
    assert summary.focus == "lighthouse keeper ships"
    assert [point.text for point in summary.overview] == [told]
    assert 8 in pages_read(summary)
    assert len(pages_read(summary)) < PAGES
    (asked,) = [messages for messages in model.asked if "List in English" in messages[-1].text]
    assert "lighthouse keeper ships" in asked[-1].text
    assert any("counted ships" in p.flat.messages[0].text for p in model.prompts)
    again = summary_of(run(ScriptedModel("No."), library, book, focus="lighthouse keeper ships"))
    assert again == replace(summary, kept=True)
    assert summary_of(run(ScriptedModel("No."), library, book)) == replace(whole, kept=True)


class Strict(ScriptedModel):
    """Finds that what it reads is about the subject, and a statement only when it names it."""

    def probabilities(self, prompt: Prompt, options: Sequence[str], **others: Any) -> Choice:
        choice = super().probabilities(prompt, options, **others)
        said = self.asked[-1][-1].text
        return (
            replace(choice, probabilities=(0.2, 0.8))
            if said.startswith("Statement: It is")
            else choice
        )


def test_points_about_something_else_are_dropped(library: Library) -> None:
    book = add(library, "The bridge is of granite.\n\nIt is long and old.")
    model = Strict(" The bridge is of granite.\n2. It is long and old.")
    summary = summary_of(run(model, library, book, focus="stone"))
    assert [point.text for point in summary.overview] == ["The bridge is of granite."]


@pytest.mark.parametrize("text", ["The bridge is old.\n\nIt is long.", BOOK])
def test_a_focus_of_which_nothing_is_told_says_so(library: Library, text: str) -> None:
    book = add(library, text)
    model = ScriptedModel(SAID, knows=False)
    events = run(model, library, book, focus="Peru", language="es")
    summary = summary_of(events)
    assert (summary.overview, summary.found_nothing) == ((), True)
    assert summary.plan.pages_read
    told = phrases("es").nothing
    assert "".join(e.text for e in events if isinstance(e, TextDelta)).strip() == told
    assert told in markdown(summary)
    assert not any("List in" in messages[-1].text for messages in model.asked)


def test_a_stopped_summary_keeps_what_was_written(library: Library) -> None:
    book = add(library, BOOK)
    complete = ScriptedModel(SAID)
    stopped = ScriptedModel(SAID)
    with pytest.raises(Cancelled):
        run(stopped, library, book, cancelled=lambda: len(stopped.asked) > 3)
    run(complete, library, book)
    sections_and_overview = len(summary_of(run(complete, library, book)).sections) + 1
    assert len(complete.asked) == sections_and_overview - 3


@pytest.mark.parametrize("length", Length)
@pytest.mark.parametrize("window", [2048, 4096, 8192])
def test_summaries_of_any_size_fit_any_window(
    library: Library, length: Length, window: int
) -> None:
    book = add(library, "\n\n".join(f"{BOOK.split(chr(10))[0]} {n}" for n in range(90)))
    model = ScriptedModel("All of it is told here at length. " * 60, window_tokens=window)
    summary = summary_of(run(model, library, book, length=length))
    assert pages_read(summary) == list(range(1, 91))


def test_too_many_summaries_are_summarised_in_rounds(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("Each part tells a lot. " * 60, window_tokens=2048)
    summary = summary_of(run(model, library, book, length=Length.LONG))
    assert len(model.asked) > len(summary.sections) + 1
    assert "Each part tells a lot." in model.asked[-1][-1].text


def test_a_summary_in_another_language_translates_what_was_written_before(
    library: Library,
) -> None:
    book = add(library, BOOK)
    english = summary_of(run(ScriptedModel(SAID), library, book))
    spanish = "El texto habla del puente y de su guardián."
    model = ScriptedModel(spanish.replace(" y ", "\ny "))
    summary = summary_of(run(model, library, book, language="es"))
    assert [messages[-1].text for messages in model.asked] == [SAID]
    assert {p.text for section in summary.sections for p in section.points} == {spanish}
    assert [s.points[0].citation for s in summary.sections] == [
        s.points[0].citation for s in english.sections
    ]


def test_a_point_in_the_wrong_language_is_translated_and_the_others_stay(
    library: Library,
) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.")
    replies = iter([
        " El puente es muy viejo y es largo.\n2. The bridge is very old and it is long.",
        "El puente, que es largo, es muy viejo.",
    ])  # fmt: skip
    model = ScriptedModel(lambda messages: next(replies))
    summary = summary_of(run(model, library, book, language="es"))
    assert [point.text for point in summary.overview] == [
        "El puente es muy viejo y es largo.",
        "El puente, que es largo, es muy viejo.",
    ]
    assert model.asked[1][-1].text == "The bridge is very old and it is long."


def test_a_point_that_no_translation_brings_home_is_still_told(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.")
    english = "The bridge is very old and it is long."
    summary = summary_of(run(ScriptedModel(english), library, book, language="es"))
    assert [point.text for point in summary.overview] == [english]


def test_a_summary_is_in_the_document_s_language_unless_told(library: Library) -> None:
    book = add(library, "El puente es viejo.\n\nEs largo.", language="es")
    assert summary_of(run(ScriptedModel("Es viejo."), library, book)).language == "es"


def test_a_sentence_cut_by_the_limit_is_dropped() -> None:
    assert whole_sentences("It is long. It is old. And it") == "It is long. It is old."
    assert whole_sentences("पुल लंबा है। और वह") == "पुल लंबा है।"
    assert whole_sentences("No end at all") == "No end at all"
    assert whole_sentences("Yes. " + "a sentence without any end " * 9).startswith("Yes. a")


def test_points_lose_their_numbers_marks_and_introductions(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.")
    reply = " **The bridge** is old [3].\n\nIn detail:\n2) It is long.\n- It is of granite.\n3."
    summary = summary_of(run(ScriptedModel(lambda messages: reply), library, book))
    assert [point.text for point in summary.overview] == [
        *("The bridge is old.", "It is long.", "It is of granite.")
    ]


def test_no_more_points_are_written_than_were_asked_for(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.")
    endless = " The bridge is old." + "".join(f"\n{n}. It has {n} arches." for n in range(2, 99))
    written: list[str] = []

    class Listening(ScriptedModel):
        def stream(self, *args: Any, **options: Any) -> Generator[str, None, Generation]:
            for piece in super().stream(*args, **options):
                written.append(piece)
                yield piece
            raise AssertionError("the whole list was written")

    summary = summary_of(run(Listening(endless), library, book, length=Length.SHORT))
    assert [point.text for point in summary.overview][-1] == "It has 4 arches."
    assert "".join(written).split("\n")[-1].strip() == "5. It"


def test_each_point_names_the_page_of_the_sentence_it_stands_on(library: Library) -> None:
    pages = ["The bridge over the river was built in 1862.", "It has 14 arches of pale granite."]
    book = add(library, "\n\n".join(pages))
    reply = " It has 14 arches of granite.\n2. The bridge was built in 1862.\n3. Cats sleep."
    summary = summary_of(run(ScriptedModel(reply), library, book))
    found = [point.citation for point in summary.overview]
    assert [(c.page, c.quote) if c else None for c in found] == [(2, pages[1]), (1, pages[0]), None]
    assert markdown(summary).endswith(
        "- It has 14 arches of granite. (p. 2)\n- The bridge was built in 1862. (p. 1)\n"
        "- Cats sleep.\n"
    )


def test_the_points_of_the_whole_name_pages_of_any_section(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("Page 31 tells of the bridge.")
    summary = summary_of(run(model, library, book))
    assert len(summary.sections) > 1
    assert [point.citation.page for point in summary.overview if point.citation] == [32]


def test_lists_of_contents_and_sources_are_not_read_and_named(library: Library) -> None:
    text = "Bridge 4\n\nThe bridge is old.\n\nIt is long.\n\n[1] A. Mason: On bridges."
    headings = ["Bridges › Contents", "1 The bridge", "1 The bridge", "2 References"]
    book = add(library, text, headings=headings)
    model = ScriptedModel(SAID)
    summary = summary_of(run(model, library, book))
    assert "Mason" not in model.asked[0][-1].text
    assert pages_read(summary) == [2, 3]
    assert summary.plan.pages_left_out == ((book.id, 1), (book.id, 4))


def test_a_document_that_is_nothing_but_a_list_of_sources_is_read(library: Library) -> None:
    book = add(library, "[1] A. Mason: On bridges.", headings=["Sources"])
    summary = summary_of(run(ScriptedModel(SAID), library, book))
    assert (pages_read(summary), summary.plan.pages_left_out) == ([1], ())


def test_markdown_shows_title_overview_and_pages(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.", title="The bridge")
    summary = replace(
        summary_of(run(ScriptedModel(SAID), library, book)),
        sections=(
            SectionSummary("One", (1, 1), (Point("Old.", None),)),
            SectionSummary("Two", (2, 3), (Point("Long.", None), Point("Wide.", None))),
        ),
    )
    assert markdown(summary) == (
        f"# The bridge\n\n## Summary\n\n- {SAID}\n\n## One (p. 1)\n\n- Old.\n\n"
        "## Two (p. 2–3)\n\n- Long.\n- Wide.\n"
    )
