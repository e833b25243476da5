"""What runs along the edges goes; what is body stays."""

import pytest

from ingest.headers import without_running
from ingest.pages import Block, RawPage


def pages(tops: list[str], bottoms: list[str] | None = None) -> list[RawPage]:
    bottoms = bottoms or [""] * len(tops)
    return [
        RawPage(
            number,
            tuple(
                block
                for block in (
                    Block(top, top=True),
                    Block(f"Body of {top}, {bottom}"),
                    Block(bottom, bottom=True),
                )
                if block.text
            ),
        )
        for number, (top, bottom) in enumerate(zip(tops, bottoms, strict=True), start=1)
    ]


def edges(result: list[tuple[Block, ...]]) -> list[str]:
    return [block.text for blocks in result for block in blocks if block.top or block.bottom]


def test_a_line_on_a_quarter_of_the_pages_runs() -> None:
    tops = [f"Page {n} of 40" if n % 2 else f"Only {'abcdefghij'[n]}" for n in range(10)]
    assert edges(without_running(pages(tops))) == [
        f"Only {'abcdefghij'[n]}" for n in (0, 2, 4, 6, 8)
    ]


def test_the_body_between_the_edges_never_runs() -> None:
    same = [RawPage(n, (Block("The same sentence on every page."),)) for n in range(1, 9)]
    assert without_running(same) == [(Block("The same sentence on every page."),)] * 8


def test_a_header_whose_beginning_recurs_nearby_runs() -> None:
    tops = [
        "CHAPTER 3. BEFORE INSTALLING 3.2. BACK UP",
        "CHAPTER 3. BEFORE INSTALLING 3.3. INFORMATION",
        "CHAPTER 3. BEFORE INSTALLING 3.4. HARDWARE",
    ]
    others = [f"{word} stands alone up here" for word in ("one", "two", "three", "four")]
    assert edges(without_running(pages([*others, *tops, *others[::-1]]))) == [
        *others,
        *others[::-1],
    ]


def test_left_and_right_pages_may_differ() -> None:
    tops = [
        f"{n} Things to know" if n % 2 == 0 else f"1.{n // 6 + 1} Section {'abc'[n // 6]} {n}"
        for n in range(1, 17)
    ]
    assert edges(without_running(pages(tops))) == []


def test_a_section_of_one_page_between_counted_pages_runs_too() -> None:
    bottoms = ["8 Chapter 2. The archive", "2.3. Copyright 9", "10 Chapter 2. The archive"]
    far = ["Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliet", "Kilo", "Lima"]
    result = without_running(pages(["", "", "", *far], [*bottoms, *[""] * len(far)]))
    assert edges(result) == far


def test_numbered_titles_that_only_count_are_body() -> None:
    tops = ["1 Introduction", "2 Methods", "3 Results", "4 Discussion", "5 Outlook"]
    assert edges(without_running(pages(tops))) == tops


def test_captions_that_count_are_body() -> None:
    tops = [
        "Table 3: Parameters of the first model",
        "Table 4: Parameters of the second model",
        "Table 5: Parameters of the third model",
    ]
    assert edges(without_running(pages(tops))) == tops


def test_paragraphs_and_tables_at_the_edge_are_body() -> None:
    tops = ["It was a dark and stormy night; " * 6 + f"so it went {word}" for word in "abc"]
    tables = [f"Name of boat | {word}\nYear | {word}{word}" for word in "abc"]
    assert edges(without_running(pages(tops, tables))) == [
        text for pair in zip(tops, tables, strict=True) for text in pair
    ]


@pytest.mark.parametrize("number", ["12", "- 12 -", "– 7 –", "iv", "XLII", "3 / 20", "12."])
def test_bare_page_numbers_go(number: str) -> None:
    assert edges(without_running(pages([number]))) == []


@pytest.mark.parametrize(
    "text", ["Civil", "ill", "Mix", "...", "12 34 56", "1 | 2 | 3", "A", "3.2", "1984 and after"]
)
def test_what_only_looks_like_a_page_number_stays(text: str) -> None:
    assert edges(without_running(pages([text]))) == [text]
