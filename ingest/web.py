"""HTML to blocks. The only import of selectolax. For the limited child alone. Fetches nothing."""

from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.plain import decode
from ingest.reading import Block, RawPage, Reading

DROPPED = "script, style, noscript, template, iframe, nav, form, svg, [hidden], [aria-hidden=true]"
BLOCKS = {"p", "li", "pre", "blockquote", "dt", "dd", "figcaption", "caption", "address"}
HEADINGS = {f"h{level}": level for level in range(1, 7)}
CONTAINERS = BLOCKS | HEADINGS.keys() | {"table", "ul", "ol", "dl", "div", "section", "article"}


def read_html(path: Path) -> Reading:
    """Return the visible text in order; one page, since a web page has no others."""
    tree = LexborHTMLParser(decode(path.read_bytes()))
    for node in tree.css(DROPPED):
        node.decompose()
    title = tree.css_first("title")
    blocks = [block for block in _blocks(tree.body) if block.text] if tree.body else []
    return Reading(
        pages=(RawPage(1, tuple(blocks)),), title=_text(title) if title is not None else ""
    )


def _blocks(node: LexborNode) -> list[Block]:
    """Return the blocks below `node`; text straight in a container is a paragraph of its own."""
    blocks: list[Block] = []
    loose: list[str] = []
    for child in node.iter(include_text=True):
        name = child.tag or ""
        if name in CONTAINERS or _holds_blocks(child):
            blocks += [Block(" ".join(loose))] if loose else []
            loose = []
            blocks += _container(child, name)
        elif text := _text(child):
            loose.append(text)
    return [*blocks, Block(" ".join(loose))] if loose else blocks


def _container(node: LexborNode, name: str) -> list[Block]:
    if name in HEADINGS:
        return [Block(_text(node), level=HEADINGS[name])]
    if name == "table":
        rows = [" | ".join(_text(cell) for cell in row.css("th, td")) for row in node.css("tr")]
        return [Block("\n".join(row for row in rows if row.strip(" |")))]
    if name in BLOCKS and not _holds_blocks(node):
        return [Block(f"• {_text(node)}" if name == "li" and _text(node) else _text(node))]
    return _blocks(node)


def _holds_blocks(node: LexborNode) -> bool:
    if (node.tag or "").startswith("-"):
        return False
    return any(found.tag in CONTAINERS and found != node for found in node.css("*"))


def _text(node: LexborNode) -> str:
    return " ".join(node.text(separator="", deep=True).split())
