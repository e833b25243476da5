"""Renders the sample documents from their Markdown sources.

Knows a small part of Markdown (headings, paragraphs, bullets, pipe tables, bold, italic, code)
and how to turn it into a one-column PDF report with a table of contents, a two-column PDF paper
and a DOCX note. The same sources always give the same bytes.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    FrameBreak,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "samples"
TARGET = HERE.parent / "sample_docs"
AUTHOR = "The Quipu authors"
DATE = datetime(2026, 11, 1, tzinfo=UTC)
WIDTH, HEIGHT = A4

MARK = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)")
SPACES = re.compile(r"[ \n]+")  # a no-break space stays as it is
CELL = re.compile(r"(?<!\\)\|")
SOFT = {
    "en": re.compile(r"(?<=\w{5})(?=(?:tions?|ments?|ness)\b)|(?<=\bmulti)(?=[a-z]{5})"),
    "es": re.compile(r"(?<=\w{3})(?=(?:ción|ciones|mente|mientos?|dad|dades|mación)\b)"),
}


@dataclass(frozen=True)
class Block:
    """One piece of a source: a heading (level 1 to 3), paragraph, bullet or table."""

    kind: str
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Look:
    """The text styles of one PDF and the room its tables may take."""

    language: str
    size: float
    width: float
    justify: int = TA_JUSTIFY
    head: tuple[float, float, float] = (24, 19, 13)
    styles: dict[str, Any] = field(default_factory=dict)


# ---- reading the sources ------------------------------------------------------------------


def read_blocks(path: Path) -> list[Block]:
    """The blocks of a Markdown source, in order."""
    parts = re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())
    return [block for part in parts for block in part_blocks(part.splitlines())]


def part_blocks(lines: list[str]) -> Iterator[Block]:
    """The blocks of one part, that is of lines without an empty line between them."""
    first = lines[0]
    if first.startswith("#"):
        level = len(first) - len(first.lstrip("#"))
        yield Block("heading", first.lstrip("# ").strip(), level)
        if lines[1:]:
            yield from part_blocks(lines[1:])
    elif first.startswith("|"):
        yield Block("table", rows=tuple(table_rows(lines)))
    elif first.startswith("- "):
        for item in re.split(r"\n(?=- )", "\n".join(lines)):
            yield Block("bullet", SPACES.sub(" ", item[2:]))
    else:
        yield Block("text", SPACES.sub(" ", " ".join(lines)))


def table_rows(lines: list[str]) -> Iterator[tuple[str, ...]]:
    """The cells of a pipe table without its rule of dashes."""
    for line in lines:
        cells = [cell.strip().replace("\\|", "|") for cell in CELL.split(line.strip())[1:-1]]
        if not all(set(cell) <= set("-:") and cell for cell in cells):
            yield tuple(cells)


def runs(text: str) -> Iterator[tuple[str, str]]:
    """The text cut into (kind, words), kind being plain, code, bold or italic."""
    for piece in MARK.split(text):
        if piece.startswith("`"):
            yield "code", piece[1:-1]
        elif piece.startswith("**"):
            yield "bold", piece[2:-2]
        elif piece.startswith("*"):
            yield "italic", piece[1:-1]
        elif piece:
            yield "plain", piece


# ---- PDF ----------------------------------------------------------------------------------


def inline(text: str, language: str) -> str:
    """ReportLab markup for a text, with soft hyphens in some long words."""
    tags = {"code": '<font face="Courier" size="-1">{}</font>', "bold": "<b>{}</b>"}
    tags |= {"italic": "<i>{}</i>", "plain": "{}"}
    words = []
    for kind, piece in runs(text):
        soft = piece if kind == "code" else SOFT[language].sub("\u00ad", piece)
        words.append(tags[kind].format(escape(soft, quote=False)))
    return "".join(words)


def style(look: Look, name: str, **more: Any) -> Any:
    """A paragraph style of this look, made once and named for the table of contents."""
    if name not in look.styles:
        settings = {"fontName": "Times-Roman", "fontSize": look.size, "leading": look.size * 1.4}
        settings |= {"allowWidows": 0, "allowOrphans": 0}
        look.styles[name] = ParagraphStyle(name, **(settings | more))
    return look.styles[name]


def heading(block: Block, look: Look) -> Any:
    """A heading in bigger bold type that stays with what follows."""
    size = look.head[block.level - 1]
    made = style(
        look,
        f"h{block.level}",
        fontName="Helvetica-Bold",
        fontSize=size,
        leading=size * 1.25,
        spaceBefore=look.size * (0.9 if block.level > 1 else 0),
        spaceAfter=look.size * 0.5,
        keepWithNext=1,
    )
    return Paragraph(inline(block.text, look.language), made)


def body(block: Block, look: Look) -> Any:
    """A paragraph; one that is a single piece of code is set apart as a formula."""
    if re.fullmatch(r"`[^`]+`", block.text):
        made = style(look, "formula", alignment=TA_CENTER, spaceAfter=look.size * 0.8)
    elif re.match(r"(Table|Tabla) \d+\.", block.text):
        made = style(look, "caption", fontSize=look.size - 1.5, spaceAfter=look.size)
    else:
        made = style(look, "body", alignment=look.justify, spaceAfter=look.size * 0.7)
    return Paragraph(inline(block.text, look.language), made)


def bullet(block: Block, look: Look) -> Any:
    """An item of a list; a numbered source keeps its number as the mark."""
    if source := re.match(r"(\[\d+\]) (.*)", block.text):
        made = style(look, "source", leftIndent=look.size * 2.3, spaceAfter=look.size * 0.35)
        return Paragraph(inline(source[2], look.language), made, bulletText=source[1])
    made = style(look, "item", leftIndent=look.size * 1.3, spaceAfter=look.size * 0.4)
    return Paragraph(inline(block.text, look.language), made, bulletText="\u2022")


def column_widths(rows: tuple[tuple[str, ...], ...], width: float, size: float) -> list[float]:
    """Room for the longest word of each column, and the rest in proportion to the longest cell."""
    least, wish = [], []
    for column in zip(*rows, strict=True):
        words = [word for cell in column for word in cell.split()]
        least.append(max(stringWidth(word, "Times-Bold", size) for word in words) + 8)
        wish.append(max(stringWidth(cell, "Times-Roman", size) for cell in column))
    spare = max(width - sum(least), 0.0)
    return [low + spare * part / sum(wish) for low, part in zip(least, wish, strict=True)]


def table(block: Block, look: Look) -> Any:
    """A ruled table whose first row is repeated on a following page."""
    size = look.size - 1.8
    plain = style(look, "cell", fontSize=size, leading=size * 1.25)
    bold = style(look, "th", fontName="Times-Bold", fontSize=size, leading=size * 1.25)
    cells = [
        [Paragraph(inline(cell, look.language), plain if number else bold) for cell in row]
        for number, row in enumerate(block.rows)
    ]
    made = Table(cells, column_widths(block.rows, look.width, size), repeatRows=1)
    made.setStyle(TableStyle(table_rules()))
    return made


def table_rules() -> list[tuple[Any, ...]]:
    """Thin rules, a shaded head and little padding."""
    whole = ((0, 0), (-1, -1))
    return [
        ("GRID", *whole, 0.4, colors.HexColor("#999999")),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8ecf1")),
        ("VALIGN", *whole, "MIDDLE"),
        ("LEFTPADDING", *whole, 3),
        ("RIGHTPADDING", *whole, 3),
        ("TOPPADDING", *whole, 2),
        ("BOTTOMPADDING", *whole, 3),
    ]


def flow(blocks: list[Block], look: Look) -> Iterator[Any]:
    """The flowables of the blocks; a table stays with its heading before and caption after."""
    make = {"heading": heading, "text": body, "bullet": bullet, "table": table}
    waiting: list[Any] = []
    for number, block in enumerate(blocks):
        waiting.append(make[block.kind](block, look))
        if block.kind == "table":
            waiting.append(Spacer(1, 3))
        elif block.kind != "heading" or number == len(blocks) - 1:
            yield from [KeepTogether(waiting)] if len(waiting) > 2 else waiting
            waiting = []
    yield from waiting


def furniture(title: str, label: str, total: int, canvas: Any, doc: Any) -> None:
    """The running header and the footer with the number of the page."""
    canvas.saveState()
    canvas.setFont("Helvetica", 8)
    canvas.setFillGray(0.35)
    canvas.drawString(doc.leftMargin, HEIGHT - 13 * mm, title)
    canvas.drawRightString(WIDTH - doc.rightMargin, HEIGHT - 13 * mm, AUTHOR)
    canvas.line(doc.leftMargin, HEIGHT - 15 * mm, WIDTH - doc.rightMargin, HEIGHT - 15 * mm)
    canvas.drawCentredString(WIDTH / 2, 12 * mm, label.format(doc.page, total))
    canvas.restoreState()


def template(path: Path, title: str, language: str, margin: float) -> Any:
    """An empty PDF document with fixed metadata and margins."""
    return BaseDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=22 * mm,
        bottomMargin=20 * mm,
        title=title,
        author=AUTHOR,
        lang=language,
        invariant=1,
    )


def built_twice(build: Callable[[int], int]) -> int:
    """Builds once to count the pages and once more to print the count; gives the count."""
    return build(build(0))


# ---- the report ---------------------------------------------------------------------------


def contents() -> Any:
    """A table of contents of chapters and sections."""
    made = TableOfContents(dotsMinLevel=-1)
    tight = [("TOPPADDING", (0, 0), (-1, -1), 0.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5)]
    made.tableStyle = TableStyle([*tight, ("RIGHTPADDING", (0, 0), (-1, -1), 0)])
    made.levelStyles = [
        ParagraphStyle("toc1", fontName="Helvetica-Bold", fontSize=10, leading=15, spaceBefore=4),
        ParagraphStyle("toc2", fontName="Times-Roman", fontSize=10, leading=12.5, leftIndent=14),
    ]
    return made


def note_heading(doc: Any, flowable: Any) -> None:
    """Tells the table of contents and the outline about a heading that was just placed."""
    name = getattr(getattr(flowable, "style", None), "name", "")
    if name not in ("h2", "h3"):
        return
    level, words = int(name[1]) - 2, flowable.getPlainText().replace("\u00ad", "")
    key = re.sub(r"\W+", "-", words)
    doc.canv.bookmarkPage(key)
    doc.canv.addOutlineEntry(words, key, level, closed=True)
    doc.notify("TOCEntry", (level, words, doc.page, key))


def cover(blocks: list[Block], look: Look) -> list[Any]:
    """The title, what stands below it, and the table of contents."""
    lines: list[Any] = [Spacer(1, 50 * mm), heading(blocks[0], look), Spacer(1, 6 * mm)]
    lines += [body(block, look) for block in blocks[1:]]
    title = style(look, "contents", fontName="Helvetica-Bold", fontSize=look.head[1], leading=26)
    return [*lines, PageBreak(), Paragraph("Contents", title), Spacer(1, 4 * mm), contents()]


def chapters(blocks: list[Block], look: Look) -> Iterator[Any]:
    """The chapters, each on a new page."""
    starts = [n for n, block in enumerate(blocks) if block.kind == "heading" and block.level == 2]
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        yield PageBreak()
        yield from flow(blocks[start:end], look)


def build_report(source: Path, target: Path, total: int) -> int:
    """Renders the report as a PDF in one column; gives the number of pages."""
    blocks = read_blocks(source)
    margin = 30 * mm
    look = Look("en", 11.3, WIDTH - 2 * margin - 12)
    doc = template(target, f"{blocks[0].text}: {blocks[1].text}", "en", margin)
    draw = partial(furniture, blocks[0].text, "Page {} of {}", total)
    frame = Frame(margin, doc.bottomMargin, doc.width, doc.height)
    doc.addPageTemplates([PageTemplate("page", [frame], onPage=draw)])
    doc.afterFlowable = partial(note_heading, doc)
    first = next(n for n, block in enumerate(blocks) if block.level == 2)
    doc.multiBuild([*cover(blocks[:first], look), *chapters(blocks[first:], look)])
    return int(doc.page)


# ---- the paper ----------------------------------------------------------------------------


def paper_pages(doc: Any, draw: Callable[[Any, Any], None], head: float) -> list[Any]:
    """A first page with a head over two columns, and further pages with two columns."""
    gap = 7 * mm
    width = (doc.width - gap) / 2
    left, right = doc.leftMargin, doc.leftMargin + width + gap
    none = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
    pair = partial(paper_columns, (left, right), doc.bottomMargin, width, none)
    top = Frame(left, doc.bottomMargin + doc.height - head, doc.width, head, **none)
    return [
        PageTemplate("first", [top, *pair(doc.height - head)], onPage=draw),
        PageTemplate("later", pair(doc.height), onPage=draw),
    ]


def paper_columns(
    lefts: tuple[float, float], bottom: float, width: float, none: dict[str, int], height: float
) -> list[Any]:
    """Two frames side by side."""
    return [Frame(left, bottom, width, height, **none) for left in lefts]


def build_paper(source: Path, target: Path, total: int) -> int:
    """Renders the paper as a PDF in two columns; gives the number of pages."""
    blocks = read_blocks(source)
    doc = template(target, blocks[0].text, "es", 19 * mm)
    look = Look("es", 9.8, (doc.width - 7 * mm) / 2, head=(18, 12, 10.5))
    first = next(n for n, block in enumerate(blocks) if block.level == 2)
    draw = partial(furniture, blocks[0].text.split(":")[0], "Página {} de {}", total)
    doc.addPageTemplates(paper_pages(doc, draw, 82 * mm))
    head = [*flow(blocks[:first], look), NextPageTemplate("later"), FrameBreak()]
    doc.build([*head, *flow(blocks[first:], look)])
    return int(doc.page)


# ---- the note -----------------------------------------------------------------------------


def add_runs(paragraph: Any, text: str) -> None:
    """Writes a text with its marks into a DOCX paragraph."""
    for kind, piece in runs(text):
        run = paragraph.add_run(piece)
        run.bold = kind == "bold" or None
        run.italic = kind == "italic" or None
        if kind == "code":
            run.font.name = "Courier New"


def add_table(document: Any, rows: tuple[tuple[str, ...], ...]) -> None:
    """A grid with a bold first row."""
    made = document.add_table(rows=len(rows), cols=len(rows[0]))
    made.style = "Table Grid"
    for number, row in enumerate(rows):
        for cell, text in zip(made.rows[number].cells, row, strict=True):
            add_runs(cell.paragraphs[0], text if number else f"**{text}**")
    document.add_paragraph()


def add_block(document: Any, block: Block) -> None:
    """Writes one block into the DOCX document."""
    if block.kind == "heading":
        document.add_heading(block.text, level=block.level - 1)
    elif block.kind == "table":
        add_table(document, block.rows)
    else:
        name = "List Bullet" if block.kind == "bullet" else None
        add_runs(document.add_paragraph(style=name), block.text)


def set_language(document: Any, language: str) -> None:
    """Marks the whole document as written in one language."""
    mark = OxmlElement("w:lang")
    mark.set(qn("w:val"), language)
    document.styles["Normal"].element.get_or_add_rPr().append(mark)


def set_properties(document: Any, title: str, language: str) -> None:
    """Fixed metadata, so that the bytes do not depend on the day."""
    properties = document.core_properties
    properties.title, properties.author, properties.last_modified_by = title, AUTHOR, AUTHOR
    properties.created = properties.modified = DATE.replace(tzinfo=None)
    properties.language, properties.comments, properties.revision = language, "", 1


def fix_zip_dates(path: Path) -> None:
    """Writes a ZIP file again with one fixed date for every member."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, (DATE.year, DATE.month, DATE.day, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)


def build_note(source: Path, target: Path) -> None:
    """Renders the note as a DOCX file."""
    blocks = read_blocks(source)
    document = Document()
    set_language(document, "fr-FR")
    set_properties(document, blocks[0].text, "fr-FR")
    for block in blocks:
        add_block(document, block)
    document.save(str(target))
    fix_zip_dates(target)


def main() -> None:
    """Renders all documents that have a source."""
    for name, build in (("llama-report", build_report), ("articulo-recuperacion", build_paper)):
        target = TARGET / f"{name}.pdf"
        pages = built_twice(partial(build, SOURCES / f"{name}.md", target))
        print(f"{target.name}: {pages} pages")
    build_note(SOURCES / "note-quantification.md", TARGET / "note-quantification.docx")
    print("note-quantification.docx")


if __name__ == "__main__":
    main()
