"""Summaries read everything, say what they read, and read nothing twice."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.assistant import Assistant
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.backends.library import Library
from assistant.backends.memory import ExactIndex
from assistant.errors import Cancelled
from assistant.prompting import phrases
from assistant.summarizing import Length, markdown, sections, whole_sentences
from assistant.types import (
    Chunk,
    ContextMode,
    Document,
    Message,
    Piece,
    SectionSummary,
    Stage,
    Summary,
)
from tests.backends.libraries import add

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
    model: ScriptedModel, library: Library, book: Document, **options: object
) -> list[Stage | Piece | Summary]:
    assistant = Assistant(model, HashEmbedder(), library)
    return list(assistant.summarize(book.id, **options))  # type: ignore[arg-type]


def summary_of(events: Sequence[object]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


# sections


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["One", "One › a", "Two", ""]))),
    st.integers(1, 200),
)
def test_every_chunk_is_in_exactly_one_section_and_in_order(
    drawn: list[tuple[int, str]], limit: int
) -> None:
    chunks = [
        Chunk("id", ordinal, "word " * words, 0, 1, ((0, ordinal + 1),), heading)
        for ordinal, (words, heading) in enumerate(drawn)
    ]
    made = sections(chunks, lambda text: len(text.split()), limit)
    assert [chunk for section in made for chunk in section.chunks] == chunks
    for section in made:
        words = sum(len(chunk.text.split()) for chunk in section.chunks)
        assert words <= limit or len(section.chunks) == 1
        assert section.pages == (section.chunks[0].pages[0], section.chunks[-1].pages[-1])


def test_sections_follow_the_chapters_when_they_are_large_enough() -> None:
    chunks = [
        Chunk("id", n, "word " * 50, 0, 1, ((0, n + 1),), heading)
        for n, heading in enumerate(["One", "One › a", "Two", "Two"])
    ]
    made = sections(chunks, lambda text: len(text.split()), 200)
    assert [(section.title, section.pages) for section in made] == [
        *(("One", (1, 2)), ("Two", (3, 4)))
    ]


# one summary


def test_what_fits_is_read_in_one_pass(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.\n\nIt is of granite.")
    model = ScriptedModel(SAID)
    events = run(model, library, book)
    summary = summary_of(events)
    assert (summary.overview, summary.sections) == (SAID, ())
    assert (summary.plan.mode, summary.pages_read) == (ContextMode.WHOLE, (1, 2, 3))
    assert len(model.asked) == 1
    assert "It is of granite." in model.asked[0][-1].text
    assert "".join(e.text for e in events if isinstance(e, Piece)).strip() == SAID


def test_every_page_of_a_long_book_is_read_and_named(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel(SAID)
    summary = summary_of(run(model, library, book))
    assert summary.plan.mode is ContextMode.SECTIONS
    assert summary.pages_read == tuple(range(1, PAGES + 1))
    assert summary.plan.pages_read == tuple((book.id, n) for n in range(1, PAGES + 1))
    assert len(summary.sections) > 1
    read = "\n".join(messages[-1].text for messages in model.asked)
    assert [n for n in range(PAGES) if f"Page {n} tells" not in read] == []
    assert summary.sections[0].pages[0] == 1
    for before, after in pairwise(summary.sections):
        assert after.pages[0] == before.pages[1] + 1


def test_stages_count_up_to_the_sections_and_the_overview(library: Library) -> None:
    events = run(ScriptedModel(SAID), library, add(library, BOOK))
    stages = [event for event in events if isinstance(event, Stage)]
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
    assert summary.pages_read == tuple(range(1, 91))


def test_too_many_summaries_are_summarised_in_rounds(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("Each part tells a lot. " * 60, window_tokens=2048)
    summary = summary_of(run(model, library, book, length=Length.LONG))
    assert len(model.asked) > len(summary.sections) + 1
    assert "Each part tells a lot." in model.asked[-1][-1].text


def test_a_summary_in_the_wrong_language_is_written_again(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.")
    replies = iter(["The bridge is very old and it is long.", "El puente es muy viejo y es largo."])

    def reply(messages: Sequence[Message]) -> str:
        return next(replies)

    summary = summary_of(run(ScriptedModel(reply), library, book, language="es"))
    assert summary.overview == f"{phrases('es').reply_start}El puente es muy viejo y es largo."


def test_a_summary_is_in_the_document_s_language_unless_told(library: Library) -> None:
    book = add(library, "El puente es viejo.\n\nEs largo.", language="es")
    assert summary_of(run(ScriptedModel("Es viejo."), library, book)).language == "es"


def test_a_sentence_cut_by_the_limit_is_dropped() -> None:
    assert whole_sentences("It is long. It is old. And it") == "It is long. It is old."
    assert whole_sentences("पुल लंबा है। और वह") == "पुल लंबा है।"
    assert whole_sentences("No end at all") == "No end at all"
    assert whole_sentences("Yes. " + "a sentence without any end " * 9).startswith("Yes. a")


def test_markdown_shows_title_overview_and_pages(library: Library) -> None:
    book = add(library, "The bridge is old.\n\nIt is long.", title="The bridge")
    summary = replace(
        summary_of(run(ScriptedModel(SAID), library, book)),
        sections=(SectionSummary("One", (1, 1), "Old."), SectionSummary("Two", (2, 3), "Long.")),
    )
    assert markdown(summary) == (
        f"# The bridge\n\n{SAID}\n\n## One (p. 1)\n\nOld.\n\n## Two (p. 2–3)\n\nLong.\n"
    )
