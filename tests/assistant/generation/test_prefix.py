"""Documents as a model reads them: every chunk in one section, and known by its tokens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.assistant import Assistant
from assistant.backends.base import PrefillReport, Prefix, Tokens
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.backends.llama.model import LlamaModel
from assistant.errors import Cancelled, NotKept
from assistant.generation.prefix import Prefixes, lay
from assistant.generation.prompts import RULES
from assistant.generation.sections import Section, sections
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import IsCancelled, never
from assistant.types import Chunk, ContextMode, Document, Message, Passage, Role
from tests.assistant.passages import document
from tests.assistant.storage.libraries import add

PAGES = 60
BOOK = "\n\n".join(
    f"Page {n} tells of bridge number {n}. " + "It is long and old. " * 60 for n in range(PAGES)
)


def count(text: str) -> int:
    return len(text.split())


def chunk(ordinal: int, words: int, heading: str = "") -> Chunk:
    return Chunk("id", ordinal, "word " * words, 0, 1, ((0, ordinal + 1),), heading)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    yield opened
    opened.close()


# sections


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["One", "One › a", "Two", ""]))),
    st.integers(1, 200),
)
def test_every_chunk_is_in_exactly_one_section_and_in_order(
    drawn: list[tuple[int, str]], limit: int
) -> None:
    chunks = [chunk(ordinal, words, heading) for ordinal, (words, heading) in enumerate(drawn)]
    made = sections(chunks, count, limit)
    assert [chunk for section in made for chunk in section.chunks] == chunks
    for section in made:
        words = sum(count(chunk.text) for chunk in section.chunks)
        assert words <= limit or len(section.chunks) == 1
        assert section.pages == (section.chunks[0].pages[0], section.chunks[-1].pages[-1])


def test_sections_follow_the_chapters_when_they_are_large_enough() -> None:
    chunks = [chunk(n, 50, heading) for n, heading in enumerate(["One", "One › a", "Two", "Two"])]
    assert [(section.title, section.pages) for section in sections(chunks, count, 200)] == [
        *(("One", (1, 2)), ("Two", (3, 4)))
    ]


def test_a_long_chapter_is_cut_evenly_and_a_short_one_joined() -> None:
    chapters = ["Preface", *["One"] * 11]
    made = sections([chunk(n, 10, title) for n, title in enumerate(chapters)], count, 100)
    assert [(section.title, len(section.chunks)) for section in made] == [
        *(("Preface / One", 6), ("One", 6))
    ]


# readings


def seen_by(one: Prefix) -> Tokens:
    return [token for start, end in one.seen for token in one.tokens[start:end]]


@pytest.mark.parametrize("text", ["The bridge.", "橋は長い。", "पुल लंबा है।", "  \n x \n\n y "])
def test_a_chunk_is_seen_as_it_stands_and_the_others_are_not(
    tokenizer: LlamaModel, text: str
) -> None:
    chunks = tuple(
        Chunk("book", n, said, 0, 1, ((0, n + 4),), "Bridges")
        for n, said in enumerate(["Before.", text, "After."])
    )
    section = Section("Bridges", chunks)
    laid = lay(document("book"), section, tokenizer)
    one = laid.seen([1], leads=True)
    alone = f"{RULES}\n\nBook: Bridges\n\n(page 5, Bridges)\n{text.strip()}\n\n"
    messages = [Message(Role.SYSTEM, alone), Message(Role.USER, "")]
    assert seen_by(one) == tokenizer.encode_apart(messages)[0]
    whole = laid.seen([0, 1, 2], leads=True)
    assert whole.tokens == one.tokens
    assert whole.seen == ((0, len(whole.tokens)),)
    second = laid.seen([1], leads=False)
    assert seen_by(second) == seen_by(one)[-len(seen_by(second)) :]
    assert len(seen_by(second)) == tokenizer.count(alone.removeprefix(f"{RULES}\n\n"))


def passages_of(library: Library, book: Document, *ordinals: int) -> list[Passage]:
    chunks = library.chunks(book.id)
    return [Passage(chunks[ordinal], book, score=1.0) for ordinal in ordinals]


def test_passages_are_recalled_once_their_section_was_read(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("")
    reader = Prefixes(model, library)
    assert len(reader.sections(book)) > 2
    asked = passages_of(library, book, 0, 1, PAGES - 1)
    first, last = reader.see(asked)
    assert (first.seen[0][0], last.seen[0][0] > 0) == (0, True)
    assert reader.recall(asked) == ([], asked)
    model.read(first)
    assert reader.recall(asked) == ([first], asked[2:])
    model.read(last)
    assert reader.recall(asked) == ([first, last], [])


def test_a_passage_of_a_list_of_sources_is_never_recalled(library: Library) -> None:
    book = add(library, "The bridge.\n\nA source.", headings=["Bridges", "References"])
    model = ScriptedModel("")
    reader = Prefixes(model, library)
    list(reader.read(book, never))
    both = passages_of(library, book, 0, 1)
    readings, fresh = reader.recall(both)
    assert (len(readings), fresh) == (1, both[1:])


def test_reading_a_document_says_how_far_it_is(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("")
    reader = Prefixes(model, library)
    stages = list(reader.read(book, never))
    assert len(stages) == 2 * len(reader.sections(book)) + 1  # as each begins and ends
    assert stages[0].done == 0
    assert (
        stages[-1].done
        == stages[-1].total
        == sum(len(one.tokens) for one in reader.see(passages_of(library, book, *range(PAGES))))
    )
    assert [stage.done for stage in stages] == sorted(stage.done for stage in stages)
    assert len({stage.done for stage in stages}) == len(reader.sections(book)) + 1


def test_a_stopped_reading_goes_on_where_it_was(library: Library) -> None:
    book = add(library, BOOK)

    class Counting(ScriptedModel):
        """Stops after its second text."""

        texts = 0

        def read(
            self,
            reading: Prefix,
            *,
            cancelled: IsCancelled = never,
            report: PrefillReport | None = None,
        ) -> bool:
            self.texts += not self.has_read(reading)
            return super().read(reading, cancelled=cancelled, report=report)

    model = Counting("")
    reader = Prefixes(model, library)
    with pytest.raises(Cancelled):
        list(reader.read(book, lambda: model.texts > 2))
    list(reader.read(book, never))
    assert model.texts == len(reader.sections(book)) + 1  # the one that was stopped


def test_what_cannot_be_kept_is_said(library: Library) -> None:
    class Full(ScriptedModel):
        """Has nowhere to keep anything."""

        def read(
            self,
            reading: Prefix,
            *,
            cancelled: IsCancelled = never,
            report: PrefillReport | None = None,
        ) -> bool:
            return False

    with pytest.raises(NotKept):
        list(Prefixes(Full(""), library).read(add(library, BOOK), never))


# answers


def test_a_prepared_document_is_not_read_again_for_a_question(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("It tells of bridge number 7.")
    assistant = Assistant(model, HashEmbedder(), library)
    question = "What does page 7 tell of bridge number 7?"
    fresh = assistant.answer(question)
    list(assistant.prepare(book.id))
    kept = assistant.answer(question)
    assert (fresh.plan.mode, kept.plan.mode) == (ContextMode.PACKED, ContextMode.PACKED)
    assert fresh.plan.kept_tokens == 0 < kept.plan.kept_tokens
    assert kept.plan.pages_read == fresh.plan.pages_read
    assert kept.citations == fresh.citations
    assert model.seen[0] == ()
    assert all(readings for readings in model.seen[-2:])
    assert kept.plan.kept_tokens == sum(r.seen_tokens for r in model.seen[-1])
    assert kept.plan.ledger["documents"] == kept.plan.kept_tokens - model.count(RULES)


def test_what_was_not_prepared_is_read_behind_what_was(library: Library) -> None:
    book = add(library, "The bridge is 91 metres long.", title="Bridges")
    add(library, "The bridge of the llamas is 12 metres long.", title="Llamas")
    model = ScriptedModel("It is 91 metres long.")
    assistant = Assistant(model, HashEmbedder(), library)
    assert assistant.answer("How long is the bridge?").plan.mode is ContextMode.WHOLE
    list(assistant.prepare(book.id))
    mixed = assistant.answer("How long is the bridge?")
    documents = mixed.plan.ledger["documents"] + model.count(RULES)
    assert 0 < mixed.plan.kept_tokens < documents
    assert "91 metres" not in model.asked[-1][0].text
    assert "12 metres" in model.asked[-1][0].text
    assert [reading.document_id for reading in model.seen[-1]] == [book.id]
    assert mixed.plan.pages_read == assistant.answer("How long is the bridge?").plan.pages_read


def test_a_summary_leaves_the_document_prepared(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("It tells of bridges.")
    list(Assistant(model, HashEmbedder(), library).summarize(book.id))
    seen = {readings[0].tokens for readings in model.seen if readings}
    sections_read = Prefixes(model, library).sections(book)
    assert seen == {lay(book, section, model).tokens for section in sections_read}
