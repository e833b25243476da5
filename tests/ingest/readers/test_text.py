"""Plain text and Markdown to blocks."""

from pathlib import Path

import pytest

from ingest.pages import Block, RawPage
from ingest.readers.text import decode, read_markdown, read_text


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("señor — 10 €".encode(), "señor — 10 €"),
        ("señor — 10 €".encode("utf-8-sig"), "señor — 10 €"),
        ("señor — 10 €".encode("cp1252"), "señor — 10 €"),
        ("señor — 10 €".encode("utf-16"), "señor — 10 €"),
        (b"\xfe\xff" + "señor".encode("utf-16-be"), "señor"),
        (b"a\x81b", "a\ufffdb"),
    ],
)
def test_text_is_read_in_its_encoding(data: bytes, expected: str) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize("data", [b"GIF89a\x00\x01", b"\xff\xfea"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


def test_form_feeds_part_pages_and_blank_ones_count(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "One.\r\n\r\nTwo\r\nlines.\f\fThree.\n \t\nFour.")
    assert read_text(path).pages == (
        RawPage(1, (Block("One."), Block("Two\nlines."))),
        RawPage(2, ()),
        RawPage(3, (Block("Three."), Block("Four."))),
    )


def test_old_line_ends_part_paragraphs(tmp_path: Path) -> None:
    assert read_text(write(tmp_path / "a.txt", "One.\r\rTwo.")).pages == (
        RawPage(1, (Block("One."), Block("Two."))),
    )


def markdown(tmp_path: Path, text: str) -> tuple[Block, ...]:
    return read_markdown(write(tmp_path / "a.md", text)).pages[0].blocks


def test_headings_stand_alone_even_against_a_paragraph(tmp_path: Path) -> None:
    assert markdown(tmp_path, "# One #\nText\n### Three\nMore") == (
        Block("One", level=1),
        Block("Text"),
        Block("Three", level=3),
        Block("More"),
    )


def test_underlined_headings_are_headings(tmp_path: Path) -> None:
    assert markdown(tmp_path, "One\n===\n\nText\n\nTwo\n---\nMore") == (
        Block("One", level=1),
        Block("Text"),
        Block("Two", level=2),
        Block("More"),
    )


def test_the_first_chapter_is_the_title(tmp_path: Path) -> None:
    assert read_markdown(write(tmp_path / "a.md", "Hi\n\n## B\n\n# A")).title == "A"


def test_comments_in_code_are_no_headings_and_code_keeps_its_marks(tmp_path: Path) -> None:
    assert markdown(tmp_path, "Run:\n```sh\n# not a heading\nls **\n```\nThen rest.") == (
        Block("Run:"),
        Block("# not a heading\nls **"),
        Block("Then rest."),
    )


def test_code_that_is_never_closed_is_kept(tmp_path: Path) -> None:
    assert markdown(tmp_path, "A\n\n~~~\n# x\ny") == (Block("A"), Block("# x\ny"))


def test_a_table_loses_its_rules_and_keeps_its_cells(tmp_path: Path) -> None:
    assert markdown(tmp_path, "| City | Boats |\n|------|------:|\n| Oslo | 12 |") == (
        Block("City | Boats\nOslo | 12"),
    )


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("**bold** and `code` and __both__", "bold and code and both"),
        ("[text](http://x.example/a) here", "text here"),
        ("![a picture](p.png)", "a picture"),
        ("`__init__` and my__name__here", "__init__ and my__name__here"),
        ("2 * 3 * 4", "2 * 3 * 4"),
    ],
)
def test_marks_of_emphasis_and_links_are_taken_off(tmp_path: Path, marked: str, plain: str) -> None:
    assert markdown(tmp_path, marked) == (Block(plain),)
