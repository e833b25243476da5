"""PDF to blocks with liteparse, and plainly with pypdfium2.

`read_pdf` is for the limited child alone. Optical character recognition stays off: liteparse
would fetch its data from the network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdfium2
from liteparse import LiteParse

from assistant.errors import Reason
from ingest.pages import Block, EncryptedError, Extracted, RawPage, TooLargeError
from ingest.sandbox_child import MAX_PAGES

EDGE = 0.13  # of the page's height: where running headers and footers stand, in TeX's classes too
KINDS_LEFT_OUT = {"rule", "figure"}
NEEDS = {  # in liteparse's words
    "scanned": Reason.SCANNED, "no-text": Reason.NO_TEXT, "sparse-text": Reason.LITTLE_TEXT,
    "garbled": Reason.GARBLED, "vector-text": Reason.DRAWN_TEXT,
}  # fmt: skip
FEW_CHARS = 20  # a page with fewer holds no text worth finding


def read_pdf(path: Path) -> Extracted:
    """Return the pages with structure, or as plain text where liteparse gives up."""
    labels, title = _open_plainly(path)
    try:
        pages = _read_structure(path)
    except Exception:  # its errors are many and undocumented; the plain reader decides
        pages = []
    if sum(page.chars for page in pages) < FEW_CHARS or len(pages) < len(labels):
        pages = _read_plainly(path)
    return Extracted(pages=tuple(_labelled(pages, labels)), title=title)


def _open_plainly(path: Path) -> tuple[list[str], str]:
    """Return the page labels and the title; the first check of the file."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedError from error
        raise
    try:
        if len(document) > MAX_PAGES:
            raise TooLargeError(len(document), Reason.PAGES, MAX_PAGES)
        labels = [document.get_page_label(index) for index in range(len(document))]
        return labels, str(document.get_metadata_value("Title") or "").strip()
    finally:
        document.close()


def _read_structure(path: Path) -> list[RawPage]:
    parser = LiteParse(
        ocr_enabled=False,
        output_format="markdown",
        extract_blocks=True,
        keep_headers_footers=True,  # ours drops them by repetition, and knows what it drops
        continue_on_page_error=True,
        include_complexity=True,
        image_mode="off",
        quiet=True,
    )
    return [_page(page) for page in parser.parse(path).pages]


def _page(page: Any) -> RawPage:
    blocks = [_block(block, page.height) for block in page.blocks or []]
    blocks = [block for block in blocks if block.text.strip()]
    reasons = page.complexity.reasons if page.complexity else []
    told = [NEEDS[reason] for reason in reasons if reason in NEEDS]
    few = sum(len(block.text) for block in blocks) < FEW_CHARS
    return RawPage(
        number=page.page_num,
        blocks=tuple(_header_apart(blocks, _header(page))),
        needs=next(iter(told), Reason.NO_TEXT) if few else "",
    )


def _header(page: Any) -> str:
    """Return the first line of the page when it stands at the edge and apart from the next."""
    items = sorted((i for i in page.text_items or [] if i.text.strip()), key=lambda i: i.y)
    line = [i for i in items if i.y < items[0].y + items[0].height / 2]
    rest = items[len(line) :]
    bottom = max((i.y + i.height for i in line), default=0.0)
    if not rest or bottom > EDGE * page.height or rest[0].y - bottom < line[0].height:
        return ""
    return " ".join(" ".join(i.text for i in sorted(line, key=lambda i: i.x)).split())


def _header_apart(blocks: Sequence[Block], header: str) -> Iterator[Block]:
    """Yield the blocks, the header parted from a paragraph that the parser joined it to."""
    for index, block in enumerate(blocks):
        rest = block.text.removeprefix(header).lstrip()
        if index == 0 and header and rest and rest != block.text:
            yield Block(header, top=True)
            yield replace(block, text=rest, top=False)
        else:
            yield block


def _block(block: Any, height: float) -> Block:
    if block.kind in KINDS_LEFT_OUT:
        return Block("")
    box = block.bbox
    return Block(
        text=_text(block),
        level=(block.level or 1) if block.kind == "heading" else 0,
        top=bool(box) and box.y + box.height <= EDGE * height,
        bottom=bool(box) and box.y >= (1 - EDGE) * height,
    )


def _text(block: Any) -> str:
    if block.rows or block.header:
        rows = ([block.header] if block.header else []) + list(block.rows or [])
        return "\n".join(" | ".join(_cell(cell) for cell in row) for row in rows)
    text = block.text or "\n".join(block.lines or [])
    return f"{block.marker or '•'} {text}" if block.kind == "list_item" else str(text)


def _cell(cell: Any) -> str:
    return " ".join(str(getattr(cell, "text", cell)).split())


def _read_plainly(path: Path) -> list[RawPage]:
    document = pypdfium2.PdfDocument(path)
    try:
        return [_plain_page(document, index) for index in range(len(document))]
    finally:
        document.close()


def _plain_page(document: Any, index: int) -> RawPage:
    try:
        text = document[index].get_textpage().get_text_bounded()
    except pypdfium2.PdfiumError:
        return RawPage(index + 1, (), needs=Reason.DAMAGED)
    paragraphs = [part for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
    needs = "" if len(text.strip()) >= FEW_CHARS else Reason.NO_TEXT
    return RawPage(index + 1, tuple(Block(part) for part in paragraphs), needs=needs)


def _labelled(pages: list[RawPage], labels: list[str]) -> list[RawPage]:
    by_number = dict(enumerate(labels, start=1))
    return [replace(page, label=_label(by_number, page.number)) for page in pages]


def _label(labels: dict[int, str], number: int) -> str:
    label = labels.get(number, "")
    return "" if label == str(number) else label
