"""DOCX to blocks, and the packages that are refused."""

import zipfile
from pathlib import Path

import docx
import pytest
from docx.enum.text import WD_BREAK

from assistant.errors import Reason
from ingest.pages import Block, EncryptedError, RawPage, TooLargeError
from ingest.readers.docx import read_docx
from ingest.sandbox_child import run_reader
from tests.ingest.making import with_part

BODY = "word/document.xml"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A document of one paragraph, "Hello."."""
    document = docx.Document()
    document.add_paragraph("Hello.")
    document.save(str(tmp_path / "plain.docx"))
    return tmp_path / "plain.docx"


def test_headings_lists_and_tables_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title = " Boats "
    document.add_heading("All boats", level=0)
    document.add_heading("Ferries", level=2)
    document.add_paragraph("They run twice a day.")
    document.add_paragraph("salt", style="List Bullet")
    document.add_paragraph("wool", style="List Number")
    table = document.add_table(rows=2, cols=3)
    for cell, text in zip(
        table._cells, ["City", "Boats", "Year", "a\nb", "12", "1901"], strict=True
    ):
        cell.text = text
    document.add_paragraph("The end.")
    document.save(str(tmp_path / "a.docx"))
    reading = read_docx(tmp_path / "a.docx")
    assert reading.title == "Boats"
    assert reading.pages == (
        RawPage(
            1,
            (
                Block("All boats", level=1),
                Block("Ferries", level=2),
                Block("They run twice a day."),
                Block("• salt"),
                Block("• wool"),
                Block("City | Boats | Year\na b | 12 | 1901"),
                Block("The end."),
            ),
        ),
    )


def test_page_breaks_count_and_blank_pages_stay(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("One.")
    document.add_page_break()
    document.add_page_break()
    document.add_paragraph().add_run("Three.").add_break(WD_BREAK.LINE)
    document.save(str(tmp_path / "a.docx"))
    assert [
        (page.number, [block.text.strip() for block in page.blocks])
        for page in read_docx(tmp_path / "a.docx").pages
    ] == [(1, ["One."]), (2, []), (3, ["Three."])]


def test_pages_that_word_laid_out_count(plain: Path, tmp_path: Path) -> None:
    paged = b"<w:p><w:r><w:lastRenderedPageBreak/><w:t>Next.</w:t></w:r></w:p>"
    path = with_part(
        plain,
        tmp_path / "a.docx",
        BODY,
        lambda xml: xml.replace(b"<w:sectPr", paged + b"<w:sectPr"),
    )
    assert read_docx(path).pages == (
        RawPage(1, (Block("Hello."),)),
        RawPage(2, (Block("Next."),)),
    )


def test_a_merged_cell_counts_once(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=1, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(0, 2).text = "x"
    document.save(str(tmp_path / "a.docx"))
    assert read_docx(tmp_path / "a.docx").pages[0].blocks == (Block("wide | x"),)


@pytest.mark.parametrize(
    "wrapped",
    [
        b"<w:sdt><w:sdtContent><w:p><w:r><w:t>In a form.</w:t></w:r></w:p></w:sdtContent></w:sdt>",
        b"<w:p><w:ins><w:r><w:t>In a form.</w:t></w:r></w:ins>"
        b"<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>",
    ],
)
def test_content_controls_and_insertions_are_read(
    plain: Path, tmp_path: Path, wrapped: bytes
) -> None:
    path = with_part(
        plain,
        tmp_path / "a.docx",
        BODY,
        lambda xml: xml.replace(b"<w:sectPr", wrapped + b"<w:sectPr"),
    )
    assert read_docx(path).pages[0].blocks == (Block("Hello."), Block("In a form."))


def test_a_protected_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 600)
    with pytest.raises(EncryptedError):
        read_docx(path)


def test_a_zip_bomb_is_told_before_it_goes_off(plain: Path, tmp_path: Path) -> None:
    path = with_part(plain, tmp_path / "a.docx", BODY, lambda xml: xml + b" " * 40_000_000)
    with pytest.raises(TooLargeError, match=Reason.TIMES):
        read_docx(path)


def test_a_package_of_too_many_parts_is_told(plain: Path) -> None:
    with zipfile.ZipFile(plain, "a") as package:
        for number in range(10_001):
            package.writestr(f"x/{number}", b"")
    with pytest.raises(TooLargeError, match=Reason.PARTS):
        read_docx(plain)


def entity(declaration: bytes, use: bytes, plain: Path, target: Path) -> Path:
    def change(xml: bytes) -> bytes:
        start = xml.index(b"<w:document")
        return xml[:start] + declaration + xml[start:].replace(b"Hello.", use)

    return with_part(plain, target, BODY, change)


def test_billion_laughs_are_not_laughed(plain: Path, tmp_path: Path) -> None:
    laughs = b'<!ENTITY a0 "haha">' + b"".join(
        b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
    )
    path = entity(b"<!DOCTYPE d [%s]>" % laughs, b"&a9;", plain, tmp_path / "a.docx")
    assert "haha" not in str(run_reader(path))


def test_no_other_file_is_read_into_the_text(plain: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the password")
    path = entity(
        b'<!DOCTYPE d [<!ENTITY x SYSTEM "%s">]>' % secret.as_uri().encode(),
        b"&x;",
        plain,
        tmp_path / "a.docx",
    )
    assert "password" not in str(read_docx(path).pages)
