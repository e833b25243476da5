"""Documents as a model reads them: every chunk in one section, and known by its tokens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.assistant import Assistant
from assistant.backends.base import PrefillReport, Prefix
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.backends.llama.model import LlamaModel
from assistant.errors import Cancelled, NotCached
from assistant.generation.prefix import Prefixes, section_prefix
from assistant.generation.prompts import RULES
from assistant.generation.sections import Section, sections
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.streams import IsCancelled, never
from assistant.types import Chunk, ContextMode, Document, Message, Passage, Query, Role
from tests.assistant.passages import document
from tests.assistant.running import report
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


# prefixes


@pytest.mark.parametrize("text", ["The bridge.", "橋は長い。", "पुल लंबा है।", "  \n x \n\n y "])
def test_a_visible_chunk_is_what_it_is_alone(tokenizer: LlamaModel, text: str) -> None:
    chunks = tuple(
        Chunk("book", n, said, 0, 1, ((0, n + 4),), "Bridges")
        for n, said in enumerate(["Before.", text, "After."])
    )
    section, book = Section("Bridges", chunks), document("book")
    encode = tokenizer.engine.encoder

    def seen(ordinals: list[int], *, first: bool) -> list[int]:
        one = encode.prefix(section_prefix(book, section, ordinals, first=first))
        return [token for start, end in one.seen for token in one.tokens[start:end]]

    alone = f"{RULES}\n\nBook: Bridges\n\n(page 5, Bridges)\n{text.strip()}\n\n"
    messages = [Message(Role.SYSTEM, alone), Message(Role.USER, "")]
    shown = seen([1], first=True)
    assert shown == encode.split(messages)[0]
    assert section_prefix(book, section, [1], first=True).text == alone
    whole = encode.prefix(section_prefix(book, section, [0, 1, 2], first=True))
    assert whole.seen == ((0, len(whole.tokens)),)
    second = seen([1], first=False)
    assert second == shown[-len(second) :]
    assert len(second) == tokenizer.count(alone.removeprefix(f"{RULES}\n\n"))


def passages_of(library: Library, book: Document, *ordinals: int) -> list[Passage]:
    chunks = library.chunks(book.id)
    return [Passage(chunks[ordinal], book, score=1.0) for ordinal in ordinals]


def test_passages_are_recalled_once_their_section_was_read(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("")
    prefixes = Prefixes(model, library)
    assert len(prefixes.sections(book)) > 2
    asked = passages_of(library, book, 0, 1, PAGES - 1)
    first, last = prefixes.showing(asked)
    assert (first.visible[0], last.visible[0]) == (0, 1)  # the rules once
    assert prefixes.cached(asked) == ([], asked)
    model.prefill(first)
    assert prefixes.cached(asked) == ([first], asked[2:])
    model.prefill(last)
    assert prefixes.cached(asked) == ([first, last], [])


def test_a_passage_of_a_list_of_sources_is_never_recalled(library: Library) -> None:
    book = add(library, "The bridge.\n\nA source.", headings=["Bridges", "References"])
    model = ScriptedModel("")
    prefixes = Prefixes(model, library)
    list(prefixes.prefill(book, never))
    both = passages_of(library, book, 0, 1)
    readings, fresh = prefixes.cached(both)
    assert (len(readings), fresh) == (1, both[1:])


def test_reading_a_document_says_how_far_it_is(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("")
    prefixes = Prefixes(model, library)
    stages = list(prefixes.prefill(book, never))
    assert len(stages) == 2 * len(prefixes.sections(book)) + 1  # as each begins and ends
    assert stages[0].done == 0
    assert (
        stages[-1].done
        == stages[-1].total
        == sum(
            prefixes.tokens(one)
            for one in prefixes.showing(passages_of(library, book, *range(PAGES)))
        )
    )
    assert [stage.done for stage in stages] == sorted(stage.done for stage in stages)
    assert len({stage.done for stage in stages}) == len(prefixes.sections(book)) + 1


def test_a_stopped_reading_goes_on_where_it_was(library: Library) -> None:
    book = add(library, BOOK)

    class Counting(ScriptedModel):
        """Stops after its second text."""

        texts = 0

        def prefill(
            self,
            prefix: Prefix,
            *,
            cancelled: IsCancelled = never,
            report: PrefillReport | None = None,
        ) -> bool:
            self.texts += not self.holds(prefix)
            return super().prefill(prefix, cancelled=cancelled, report=report)

    model = Counting("")
    prefixes = Prefixes(model, library)
    with pytest.raises(Cancelled):
        list(prefixes.prefill(book, lambda: model.texts > 2))
    list(prefixes.prefill(book, never))
    assert model.texts == len(prefixes.sections(book)) + 1  # the one that was stopped


def test_what_cannot_be_kept_is_said(library: Library) -> None:
    class Full(ScriptedModel):
        """Has nowhere to keep anything."""

        def prefill(
            self,
            prefix: Prefix,
            *,
            cancelled: IsCancelled = never,
            report: PrefillReport | None = None,
        ) -> bool:
            return False

    with pytest.raises(NotCached, match="disk space"):
        list(Prefixes(Full(""), library).prefill(add(library, BOOK), never))


# answers


def test_a_prepared_document_is_not_read_again_for_a_question(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("It tells of bridge number 7.")
    assistant = Assistant(model, HashEmbedder(), library)
    question = "What does page 7 tell of bridge number 7?"
    fresh = assistant.answer(Query(question))
    list(assistant.prefill(book.id))
    kept = assistant.answer(Query(question))
    assert (fresh.plan.mode, kept.plan.mode) == (ContextMode.PACKED, ContextMode.PACKED)
    assert fresh.plan.kept_tokens == 0 < kept.plan.kept_tokens
    assert kept.plan.pages_read == fresh.plan.pages_read
    assert kept.citations == fresh.citations
    assert model.prompts[0].prefixes == ()
    assert all(prompt.prefixes for prompt in model.prompts[-2:])
    assert kept.plan.kept_tokens == sum(map(model.visible_tokens, model.prompts[-1].prefixes))
    assert kept.plan.ledger["documents"] == kept.plan.kept_tokens - model.count(RULES)


def test_what_was_not_prepared_is_read_behind_what_was(library: Library) -> None:
    book = add(library, "The bridge is 91 metres long.", title="Bridges")
    add(library, "The bridge of the llamas is 12 metres long.", title="Llamas")
    model = ScriptedModel("It is 91 metres long.")
    assistant = Assistant(model, HashEmbedder(), library)
    assert assistant.answer(Query("How long is the bridge?")).plan.mode is ContextMode.WHOLE
    list(assistant.prefill(book.id))
    mixed = assistant.answer(Query("How long is the bridge?"))
    documents = mixed.plan.ledger["documents"] + model.count(RULES)
    assert 0 < mixed.plan.kept_tokens < documents
    assert "91 metres" not in model.asked[-1][0].text
    assert "12 metres" in model.asked[-1][0].text
    assert [prefix.document_id for prefix in model.prompts[-1].prefixes] == [book.id]
    assert (
        mixed.plan.pages_read == assistant.answer(Query("How long is the bridge?")).plan.pages_read
    )


def test_a_summary_leaves_the_document_prepared(library: Library) -> None:
    book = add(library, BOOK)
    model = ScriptedModel("It tells of bridges.")
    report(Assistant(model, HashEmbedder(), library), "summary", book.id)
    prefixes = Prefixes(model, library)
    assert all(map(prefixes.holds, prefixes.showing(passages_of(library, book, *range(PAGES)))))
    assert prefixes.state(book).share == 1.0
