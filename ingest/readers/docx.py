"""DOCX to blocks. The only import of docx. Runs in the limited child only.

A Word file has no pages, but Word records where it last broke them: those breaks are used.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

import docx
from docx.oxml.ns import qn
from docx.table import Table, _Row
from docx.text.paragraph import Paragraph

from assistant.errors import Reason
from assistant.languages.registry import languages
from ingest.pages import Block, EncryptedError, Extracted, RawPage, TooLargeError

MAX_UNPACKED_BYTES = 500_000_000
MAX_RATIO = 200  # unpacked to packed: text packs to about a tenth
MAX_MEMBERS = 10_000
WRAPPERS = ("w:sdt", "w:sdtContent", "w:ins", "w:smartTag", "w:moveTo")
OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")  # what Word wraps a protected file in


def read_docx(path: Path) -> Extracted:
    """Return the body in order: headings, paragraphs, list items, tables."""
    _check_package(path)
    document = docx.Document(str(path))
    _unwrap(document)
    pages: list[list[Block]] = [[]]
    for item in document.iter_inner_content():
        breaks = _page_breaks(item) if isinstance(item, Paragraph) else 0
        pages.extend([] for _ in range(breaks))
        if (block := _block(item)).text.strip():
            pages[-1].append(block)
    numbered = [RawPage(number, tuple(blocks)) for number, blocks in enumerate(pages, start=1)]
    return Extracted(pages=tuple(numbered), title=(document.core_properties.title or "").strip())


def _check_package(path: Path) -> None:
    """Check the container before any library unpacks it."""
    with path.open("rb") as file:
        if file.read(8) == OLE_MAGIC:
            raise EncryptedError
    size = path.stat().st_size
    most = min(MAX_UNPACKED_BYTES, MAX_RATIO * size)
    with zipfile.ZipFile(path) as package:
        members = package.infolist()
        unpacked = 0
        for member in members:
            with package.open(member) as data:  # declared sizes lie: count what comes out
                while part := data.read(1 << 20):
                    unpacked += len(part)
                    if unpacked > most:
                        raise TooLargeError(-(-unpacked // size), Reason.TIMES, most // size)
    if len(members) > MAX_MEMBERS:
        raise TooLargeError(len(members), Reason.PARTS, MAX_MEMBERS)


def _unwrap(document: Any) -> None:
    """Move the content of content controls and insertions up: the library skips these."""
    for wrapper in list(document.element.body.iter(*map(qn, WRAPPERS))):
        for child in list(wrapper):
            wrapper.addprevious(child)
        wrapper.getparent().remove(wrapper)


def _page_breaks(paragraph: Paragraph) -> int:
    """Return the page breaks at or before the paragraph's text."""
    rendered = paragraph._p.findall(f".//{qn('w:lastRenderedPageBreak')}")
    asked = [
        br for br in paragraph._p.findall(f".//{qn('w:br')}") if br.get(qn("w:type")) == "page"
    ]
    return max(len(rendered), len(asked))


def _block(item: Paragraph | Table) -> Block:
    if isinstance(item, Table):
        return Block("\n".join(" | ".join(_cells(row)) for row in item.rows))
    style = (item.style.name if item.style and item.style.name else "").lower()
    if heading := re.match(rf"(?:{_heading_styles()})\s*([1-9])", style):
        return Block(item.text, level=int(heading[1]))
    if style == "title":
        return Block(item.text, level=1)
    return Block(f"• {item.text}" if "list" in style and item.text.strip() else item.text)


def _heading_styles() -> str:
    """Return a pattern for what Word calls heading styles in any language."""
    return "|".join(re.escape(each.heading_style) for each in languages() if each.heading_style)


def _cells(row: _Row) -> list[str]:
    """Return the texts of the cells; a merged one counts once."""
    different = {id(cell._tc): cell for cell in row.cells}
    return [" ".join(cell.text.split()) for cell in different.values()]
