"""PDF to blocks and on to pages."""

from pathlib import Path

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from assistant.errors import Reason
from assistant.types import Heading
from ingest.cleaning import clean
from ingest.pages import EncryptedError, TooLargeError
from ingest.readers.pdf import read_pdf
from tests.ingest.making import body, footer, header, heading, lines, pdf, together

FIRST = (
    "The river keeps its course between the hills and the old town. Every boat that leaves the "
    "harbour carries salt, wool and letters. Nobody remembers who built the bridge or what the "
    "toll once was. In winter the ferry runs twice a day and stops before the dark."
)


def cleaned(path: Path) -> list[str]:
    return [page.text for page in clean(read_pdf(path).pages).pages]


def test_running_header_and_counted_footer_are_dropped_and_the_body_stays(tmp_path: Path) -> None:
    pages = [
        together(header("Annual report"), body(), footer(f"Page {number} of 12"))
        for number in range(1, 13)
    ]
    assert cleaned(pdf(tmp_path / "report.pdf", *pages)) == [FIRST] * 12


def test_headers_with_varying_section_names_are_dropped(tmp_path: Path) -> None:
    sections = ("3.1. OVERVIEW", "3.2. BACK UP", "3.3. WHAT YOU NEED", "3.4. HARDWARE")
    pages = [
        together(header(f"CHAPTER 3. BEFORE INSTALLING DEBIAN {section}"), body())
        for section in sections
    ]
    assert cleaned(pdf(tmp_path / "manual.pdf", *pages)) == [FIRST] * 4


def test_words_hyphenated_at_line_ends_are_joined_and_compounds_keep_the_hyphen(
    tmp_path: Path,
) -> None:
    page = lines(
        "The library answers every question about a document in a multi-",
        "lingual way and never says more than the document does, as Jean-",
        "Paul likes it.",
    )
    assert cleaned(pdf(tmp_path / "a.pdf", page)) == [
        "The library answers every question about a document in a multilingual way and never says "
        "more than the document does, as Jean-Paul likes it."
    ]


def test_ligatures_become_letters(tmp_path: Path) -> None:
    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    page = lines("The ﬁrst ﬂoor of the café is where the letters are kept.", font="Vera")
    assert cleaned(pdf(tmp_path / "a.pdf", page)) == [
        "The first floor of the café is where the letters are kept."
    ]


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = [f"Left column line number {n} goes" for n in range(1, 9)]
    right = [f"Right column line number {n} goes" for n in range(1, 9)]
    page = together(lines(*left), lines(*right, x=330))
    text = " ".join(cleaned(pdf(tmp_path / "a.pdf", page))[0].split())
    assert text == " ".join([*left, *right])


def test_bigger_type_is_a_heading_with_its_offset(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", body(), together(heading("The harbour"), body()))
    text = clean(read_pdf(path).pages)
    assert text.headings == (Heading(1, "The harbour", len(FIRST) + 2),)
    assert text.pages[1].text == f"The harbour\n{FIRST}"


def test_a_table_keeps_its_rows_and_cells(tmp_path: Path) -> None:
    rows = [("City", "Boats", "Year"), ("Oslo", "12", "1901"), ("Genoa", "48", "1902")]

    def table(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 11)
        for index, row in enumerate(rows):
            for column, cell in enumerate(row):
                canvas.drawString(80 + column * 140, 600 - index * 22, cell)
        for line in range(len(rows) + 1):
            canvas.line(72, 616 - line * 22, 492, 616 - line * 22)
        for line in range(4):
            canvas.line(72 + line * 140, 616, 72 + line * 140, 616 - 22 * len(rows))

    assert cleaned(pdf(tmp_path / "a.pdf", together(body(), table))) == [
        f"{FIRST}\nCity | Boats | Year\nOslo | 12 | 1901\nGenoa | 48 | 1902"
    ]


def test_blank_pages_keep_their_numbers_and_say_that_they_have_no_text(tmp_path: Path) -> None:
    reading = read_pdf(pdf(tmp_path / "a.pdf", body(), lambda _: None, body(), lambda _: None))
    assert [(page.number, page.needs) for page in reading.pages] == [
        (1, ""),
        (2, Reason.NO_TEXT),
        (3, ""),
        (4, Reason.NO_TEXT),
    ]
    assert [page.text for page in clean(reading.pages).pages] == [FIRST, "", FIRST, ""]


def test_a_page_of_pictures_alone_may_be_a_scan(tmp_path: Path) -> None:
    picture = pdf(tmp_path / "a.pdf", lambda canvas: canvas.rect(72, 200, 400, 400, fill=1))
    assert [page.needs for page in read_pdf(picture).pages] == [Reason.NO_TEXT]


def test_title_and_printed_page_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path))
    canvas.setTitle("A short history")
    canvas.addPageLabel(0, style="ROMAN_LOWER")
    canvas.addPageLabel(2, style="ARABIC")
    for _ in range(4):
        body()(canvas)
        canvas.showPage()
    canvas.save()
    reading = read_pdf(path)
    assert reading.title == "A short history"
    assert [page.label for page in reading.pages] == ["i", "ii", "1", "2"]


def test_a_password_is_told_and_not_taken_for_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), encrypt=StandardEncryption("secret", "owner"))
    body()(canvas)
    canvas.save()
    with pytest.raises(EncryptedError):
        read_pdf(path)


def test_too_many_pages_are_told_and_not_taken_for_damage(
    tmp_path: Path,
) -> None:
    path = pdf(tmp_path / "a.pdf", *([lambda _: None] * 5_001))
    with pytest.raises(TooLargeError) as caught:
        read_pdf(path)
    assert caught.value.args == (5_001, Reason.PAGES, 5_000)


def test_headers_leave_the_real_manuals(evaldata: Path) -> None:
    text = clean(read_pdf(evaldata / "docs/debian-install-guide/install.en.pdf").pages)
    left = [page.number for page in text.pages if page.text.startswith(("CHAPTER", "APPENDIX"))]
    assert len(text.pages) == 113
    assert len(left) <= 6  # of 90: chapters so short that no neighbour tells
