"""HTML to blocks. The only import of selectolax. Fetches nothing.

Runs in the limited child only.
"""

import re
from collections.abc import Set
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.pages import Block, Extracted, RawPage
from ingest.readers.text import decode

DROPPED = (
    "script, style, noscript, template, iframe, nav, svg, button, select, textarea, "
    '[hidden], [aria-hidden=true], [style*="display:none"], [style*="display: none"], '
    '[style*="visibility:hidden"], [style*="visibility: hidden"]'
)
BLOCKS = {"p", "li", "pre", "blockquote", "dt", "dd", "figcaption", "caption", "address"}
HEADINGS = {f"h{level}": level for level in range(1, 7)}
CONTAINERS = BLOCKS | HEADINGS.keys() | {"table", "ul", "ol", "dl", "div", "section", "article"}
LAYOUT = HEADINGS.keys() | {"table"}  # a table that holds these is there for the layout
CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?([\w-]+)", re.IGNORECASE)


def read_html(path: Path) -> Extracted:
    """Return the visible text in reading order, as one page."""
    tree = _visible(_decode(path.read_bytes()))
    title = tree.css_first("title")
    blocks = _blocks(tree.body) if tree.body else []
    return Extracted(
        pages=(RawPage(1, tuple(blocks)),), title=_text(title) if title is not None else ""
    )


def html_blocks(text: str) -> list[Block]:
    """Return the visible text of a piece of HTML inside another format."""
    body = _visible(text).body
    return _blocks(body) if body else []


def _visible(text: str) -> LexborHTMLParser:
    """Return the page without what a browser would not show."""
    tree = LexborHTMLParser(text)
    for node in tree.css(DROPPED):
        node.decompose()
    for node in tree.css("br"):
        node.replace_with("\n")
    return tree


def _decode(data: bytes) -> str:
    """Return the text in the encoding that the page declares, else as `decode` returns it."""
    declared = CHARSET.search(data[:2048])
    try:
        return data.decode(declared[1].decode()) if declared else decode(data)
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _blocks(node: LexborNode) -> list[Block]:
    """Return the blocks below `node`; text directly in a container is a paragraph."""
    blocks: list[Block] = []
    loose = ""
    for child in node.iter(include_text=True):
        name = child.tag or ""
        if name in CONTAINERS or _holds_blocks(child):
            blocks += [_loose(node, loose), *_container(child, name)]
            loose = ""
        else:
            loose += child.text(deep=True)
    return [block for block in [*blocks, _loose(node, loose)] if block.text]


def _loose(node: LexborNode, text: str) -> Block:
    words = " ".join(text.split())
    return Block(f"• {words}" if words and node.tag == "li" else words)


def _container(node: LexborNode, name: str) -> list[Block]:
    if name in HEADINGS:
        return [Block(_text(node), level=HEADINGS[name])]
    if name == "table" and not _holds(node, LAYOUT):
        return _table(node)
    if name == "pre":
        return [Block(node.text(deep=True).strip("\n"))]
    if name in BLOCKS and not _holds_blocks(node):
        return [_loose(node, node.text(deep=True))]
    return _blocks(node)


def _table(node: LexborNode) -> list[Block]:
    captions = [Block(_text(caption)) for caption in node.css("caption")]
    rows = [" | ".join(_text(cell) for cell in row.css("th, td")) for row in node.css("tr")]
    return [*captions, Block("\n".join(row for row in rows if row.strip(" |")))]


def _holds_blocks(node: LexborNode) -> bool:
    return not (node.tag or "").startswith("-") and _holds(node, CONTAINERS)


def _holds(node: LexborNode, tags: Set[str]) -> bool:
    return any(found.tag in tags and found != node for found in node.css("*"))


def _text(node: LexborNode) -> str:
    return " ".join(node.text(deep=True).split())
