"""Chunks: their spans, sizes, pages and headings."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.types import Chunk, DocumentText, Heading, Page
from ingest.chunking import chunk, heading_path

SENTENCES = {
    "repetitive": "The same words again. ",
    "long words": "Donaudampfschifffahrtsgesellschaftskapitän " * 3 + ". ",
    "Chinese": "这条河在山丘和老城之间流淌。每一艘船都载着盐！",
    "Arabic": "يحافظ النهر على مجراه بين التلال. هل تغادر كل سفينة؟ ",
    "Hindi": "नदी पहाड़ियों के बीच बहती है। हर नाव नमक ले जाती है। ",
    "Thai": "แม่น้ำไหลผ่านระหว่างเนินเขา เรือทุกลำบรรทุกเกลือ\u200bและจดหมาย",
    "table": "Oslo | 12 | 1901\n",
    "blank": " \n",
}
PAGES = st.lists(
    st.lists(st.sampled_from(sorted(SENTENCES.values())), max_size=30).map("".join),
    min_size=1,
    max_size=6,
)


def characters(texts: Sequence[str]) -> list[int]:
    """The tokens of a tokenizer that knows three characters at a time."""
    return [-(-len(text) // 3) for text in texts]


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def document(pages: Sequence[str], headings: Sequence[Heading] = ()) -> DocumentText:
    return DocumentText.of([Page(n, text) for n, text in enumerate(pages, start=1)], headings)


@given(PAGES)
@settings(deadline=None)
def test_chunks_are_spans_that_hold_all_text_once_and_in_order(pages: list[str]) -> None:
    text = document(pages)
    chunks = chunk("d", text, characters, limit_tokens=40)
    end = 0
    for each in chunks:
        assert text.text[each.char_start : each.char_end] == each.text
        assert not text.text[end : each.char_start].strip()
        end = each.char_end
    assert not text.text[end:].strip()
    assert [each.ordinal for each in chunks] == list(range(len(chunks)))


@given(PAGES, st.integers(min_value=5, max_value=60))
@settings(deadline=None)
def test_no_chunk_is_over_the_limit(pages: list[str], limit: int) -> None:
    """Chunks are counted by sentence: white space between them adds under a token each."""
    for each in chunk("d", document(pages), characters, limit_tokens=limit):
        sentences = each.text.count(" ") + each.text.count("\n") + 1
        assert characters([each.text.replace(" ", "").replace("\n", "")])[0] <= limit
        assert sum(characters([each.text])) <= limit + sentences


@given(PAGES)
@settings(deadline=None)
def test_the_pages_of_a_chunk_are_those_its_span_touches(pages: list[str]) -> None:
    text = document(pages)
    for each in chunk("d", text, characters, limit_tokens=200):
        touched = {text.page_at(char) for char in range(each.char_start, each.char_end)}
        assert each.pages == tuple(sorted(touched))
        for offset in range(len(each.text)):
            if not each.text[offset].isspace():
                assert each.page_at(offset) == text.page_at(each.char_start + offset)


@given(st.text(max_size=3_000))
@settings(deadline=None)
def test_any_text_is_covered(text: str) -> None:
    whole = document([text])
    chunks = chunk("d", whole, characters, limit_tokens=20)
    assert "".join("".join(each.text.split()) for each in chunks) == "".join(text.split())


def test_a_chunk_across_pages_knows_where_each_begins() -> None:
    text = document(["One two.", "", "Three four.", "Five."])
    assert chunk("d", text, words) == [
        Chunk(
            document_id="d",
            ordinal=0,
            text="One two.\n\n\n\nThree four.\n\nFive.",
            char_start=0,
            char_end=30,
            page_starts=((0, 1), (10, 2), (12, 3), (25, 4)),
        )
    ]


def test_chunks_are_filled_sentence_by_sentence() -> None:
    text = document(["One two. Three four. Five six seven. Eight."])
    assert [each.text for each in chunk("d", text, words, limit_tokens=4)] == [
        "One two. Three four.",
        "Five six seven. Eight.",
    ]


def test_a_sentence_over_the_limit_is_cut_at_a_space() -> None:
    text = document(["Short one. One two three four five six seven eight nine ten."])
    assert [each.text for each in chunk("d", text, words, limit_tokens=6)] == [
        "Short one.",
        "One two three four five",
        "six seven eight nine ten.",
    ]


def test_a_word_over_the_limit_is_cut_where_it_must_be() -> None:
    text = document(["x" * 100])
    pieces = [each.text for each in chunk("d", text, characters, limit_tokens=10)]
    assert "".join(pieces) == "x" * 100
    assert max(map(len, pieces)) <= 30


def test_a_large_section_starts_a_chunk_and_a_small_one_joins_the_last() -> None:
    large, small = "Word " * 199 + "end.", "A little more."
    first, second, third = f"One\n{large}\n", f"Two\n{small}\n", f"Three\n{large}"
    text = document(
        [first + second + third],
        [
            Heading(1, "One", 0),
            Heading(1, "Two", len(first)),
            Heading(1, "Three", len(first + second)),
        ],
    )
    found = chunk("d", text, words, limit_tokens=350)
    assert [(each.heading, each.text.split("\n")[0]) for each in found] == [
        ("One", "One"),
        ("Two", "Two"),
    ]
    assert found[1].text == f"{second}{third}"


def test_headings_are_carried_outermost_first() -> None:
    headings = [
        Heading(1, "Boats", 0),
        Heading(2, "Ferries", 10),
        Heading(3, "Small", 20),
        Heading(2, "Barges", 30),
        Heading(1, "Bridges", 40),
    ]
    assert [heading_path(headings, index) for index in range(-1, 5)] == [
        "",
        "Boats",
        "Boats › Ferries",
        "Boats › Ferries › Small",
        "Boats › Barges",
        "Bridges",
    ]


def test_text_before_the_first_heading_stands_under_none() -> None:
    text = document(["Before.\nOne\nAfter."], [Heading(1, "One", 8)])
    assert [each.heading for each in chunk("d", text, words, limit_tokens=1)] == ["", "One", "One"]


def test_no_text_makes_no_chunk() -> None:
    assert chunk("d", document(["", " \n ", ""]), words) == []
