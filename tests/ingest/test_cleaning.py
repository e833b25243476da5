"""Characters, hyphens and pages made clean."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.types import Heading, Page
from ingest.cleaning import clean, clean_line, clean_text
from ingest.pages import Block, RawPage

LONG = "These words make a line that is long enough to be running text"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("multi-\nlingual", "multilingual"),
        ("multi- \n  lingual", "multilingual"),
        ("multi\u2010\nlingual", "multilingual"),
        ("multi\u00ad\nlingual", "multilingual"),
        ("multi\u0002\nlingual", "multilingual"),
        ("multi\ufffe\nlingual", "multilingual"),
        ("multi-\r\nlingual", "multilingual"),
        ("Jean-\nPaul", "Jean-Paul"),
        ("COVID-\n19", "COVID-19"),
        ("a 32-\nbit word", "a 32-bit word"),
        ("pre-\nand post-war", "pre- and post-war"),
        ("Ein-\nund Ausgabe", "Ein- und Ausgabe"),
        ("a-\nb-\nc", "abc"),
        ("well-known", "well-known"),
        ("- one\n- two", "- one\n- two"),
    ],
)
def test_hyphens_at_line_ends(raw: str, expected: str) -> None:
    assert clean_text(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("cafe\u0301", "café"),
        ("ﬁrst ﬂoor oﬃce waﬄe ﬀ ﬆ", "first floor office waffle ff st"),
        ("in\u00advisible", "invisible"),
        ("\ufeffmark", "mark"),
        ("a\u200bb\u2060c\u200ed\u202ee\u2066f\u2064g", "abcdefg"),
        ("hid\U000e0068\U000e0069den", "hidden"),
        ("hid\U000e0100den", "hidden"),
        ("a\u200cb \u200dc", "ab c"),
        ("a\x00b\x07c\ufffed\uffffe", "a b c d e"),
        ("lone \ud800 surrogate", "lone   surrogate"),
        ("a\tb", "a b"),
        ("→ \uf0e8 stays", "→ \uf0e8 stays"),
    ],
)
def test_characters_nobody_sees(raw: str, expected: str) -> None:
    assert clean_text(raw) == expected


@pytest.mark.parametrize(
    "word",
    [
        "\u0e01\u0e34\u0e19\u200b\u0e02\u0e49\u0e32\u0e27",  # Thai: the space parts words
        "\u1780\u17d2\u200b\u1781",  # Khmer
        "\u0915\u094d\u200d\u0937",  # Devanagari: the joiner shapes
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: the joiner spells
        "👩\u200d💻",
    ],
)
def test_zero_width_characters_that_a_script_needs_stay(word: str) -> None:
    assert clean_text(word) == word


def test_hidden_orders_go_from_thai_text_too() -> None:
    assert clean_text("\u0e01\u0e34\u0e19\U000e0069\U000e0067\u202e ok\u200bay") == "กิน okay"


@given(st.text())
def test_clean_text_holds_nothing_invisible_and_stays_as_it_is(text: str) -> None:
    clean_once = clean_text(text)
    assert not [c for c in clean_once if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"]
    clean_once.encode()  # a database takes it


def test_a_title_is_one_line() -> None:
    assert clean_line(" The\n\x00 ﬁrst\t title\ud800 ") == "The first title"


def pages(*blocks: Block) -> list[str]:
    return [page.text for page in clean([RawPage(1, blocks)]).pages]


def test_lines_of_a_paragraph_flow_and_short_lines_stay() -> None:
    assert pages(Block(f"{LONG}\n{LONG}\nand it ends."), Block("x = 1\ny = 2")) == [
        f"{LONG} {LONG} and it ends.\nx = 1\ny = 2"
    ]


def test_items_of_a_list_keep_their_lines() -> None:
    assert pages(Block(f"- {LONG}\n  {LONG}\n- {LONG}\n2. {LONG}")) == [
        f"- {LONG} {LONG}\n- {LONG}\n2. {LONG}"
    ]


def test_rows_of_a_table_keep_their_lines() -> None:
    assert pages(Block(f"{LONG} | 1\n{LONG} | 2")) == [f"{LONG} | 1\n{LONG} | 2"]


def test_chinese_and_thai_lines_are_joined_without_a_space() -> None:
    chinese = "这条河在山丘和老城之间流淌,每一艘离开港口的船都载着盐"
    thai = "เรือทุกลำที่ออกจากท่าเรือบรรทุกเกลือขนสัตว์และจดหมาย"
    assert pages(Block(f"{chinese}\n{chinese}"), Block(f"{thai}\n{thai}")) == [
        f"{chinese}{chinese}\n{thai}{thai}"
    ]


def test_every_page_stays_with_its_number_and_headings_know_their_offsets() -> None:
    raw = [
        RawPage(1, (Block("One", level=1), Block("First body."))),
        RawPage(2, ()),
        RawPage(3, (Block("Two\nlines", level=2), Block("Second body.")), label="iii"),
    ]
    result = clean(raw)
    assert result.pages == (
        Page(1, "One\nFirst body."),
        Page(2, ""),
        Page(3, "Two lines\nSecond body.", "iii"),
    )
    assert result.headings == (Heading(1, "One", 0), Heading(2, "Two lines", 19))
    whole = "\n\n".join(page.text for page in result.pages)
    assert [whole[h.char_start :].startswith(h.title) for h in result.headings] == [True, True]


def test_equal_paragraphs_both_stay_and_a_shadowed_heading_counts_once() -> None:
    twice = [Block("Shadow", level=1)] * 2 + [Block("Yes.")] * 2
    assert pages(*twice) == ["Shadow\nYes.\nYes."]
