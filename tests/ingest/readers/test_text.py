"""Plain text to blocks."""

from pathlib import Path

import pytest

from ingest.pages import Block, RawPage
from ingest.readers.text import decode, read_text


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
