"""Markdown to blocks: CommonMark and tables. The only import of markdown_it.

Runs in the limited child only.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from ingest.pages import Block, Extracted, RawPage
from ingest.readers.html import html_blocks
from ingest.readers.text import decode

# YAML between "---" or TOML between "+++" at the top; no key follows a rule that stands there.
FRONT_MATTER: Final = re.compile(
    r"\A(---|\+\+\+)[ \t]*\n(?=(?:#[^\n]*\n)*[\w\"'-]+[ \t]*[:=])"
    r"(.*?)\n(?:\1|\.\.\.)[ \t]*(?:\n|\Z)",
    re.DOTALL,
)
TITLE: Final = re.compile(r"(?m)^title[ \t]*[:=][ \t]*([\"']?)(.+?)\1[ \t]*$")
MAX_NESTING: Final = 100  # of quotations; a list counts twice. The parser drops what is deeper.
LINE_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)


def read_markdown(path: Path) -> Extracted:
    """Return headings, paragraphs, list items, tables and lines of code, as one page.

    The title is that of the front matter, else the first heading of level 1.

    Raises:
        ValueError: lists or quotations are nested too deeply.
    """
    text = decode(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    front = FRONT_MATTER.match(text)
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable(
        ["table", "strikethrough"]
    )
    tokens = parser.parse(text[front.end() :] if front else text)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        raise ValueError("its lists or quotations are nested too deeply")
    tree = SyntaxTreeNode(tokens)
    blocks = tuple(block for block in _blocks(tree) if block.text.strip())
    named = TITLE.search(front[2]) if front else None
    title = named[2] if named else next((b.text for b in blocks if b.level == 1), "")
    return Extracted(pages=(RawPage(1, blocks),), title=title)


def _blocks(node: SyntaxTreeNode) -> Iterator[Block]:
    for child in node.children:
        yield from BLOCKS.get(child.type, _blocks)(child)


def _heading(node: SyntaxTreeNode) -> Iterator[Block]:
    yield Block(_text(node), level=int(node.tag[1]))


def _paragraph(node: SyntaxTreeNode) -> Iterator[Block]:
    yield Block(_text(node))


def _item(node: SyntaxTreeNode) -> Iterator[Block]:
    """Yield the blocks of a list item, the first with its number or a bullet."""
    marker = f"{node.info}{node.markup}" if node.info else "•"
    for place, block in enumerate(_blocks(node)):
        yield block if place else replace(block, text=f"{marker} {block.text}")


def _table(node: SyntaxTreeNode) -> Iterator[Block]:
    rows = [
        [_text(cell) for cell in row.children] for part in node.children for row in part.children
    ]
    yield Block("\n".join(" | ".join(row) for row in rows if any(row)))


def _code(node: SyntaxTreeNode) -> Iterator[Block]:
    """Yield each line as a block, since lines of a paragraph are joined later."""
    return map(Block, node.content.split("\n"))


def _html(node: SyntaxTreeNode) -> Iterator[Block]:
    yield from html_blocks(node.content)


def _nothing(node: SyntaxTreeNode) -> Iterator[Block]:
    yield from ()


BLOCKS: Final[dict[str, Callable[[SyntaxTreeNode], Iterator[Block]]]] = {
    "code_block": _code,
    "fence": _code,
    "heading": _heading,
    "hr": _nothing,
    "html_block": _html,
    "list_item": _item,
    "paragraph": _paragraph,
    "table": _table,
}


def _text(node: SyntaxTreeNode) -> str:
    """Return the words of a block, without the marks of emphasis, links and HTML."""
    return "".join(_word(each) for each in node.walk(include_self=False))


def _word(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text" | "code_inline":
            return node.content
        case "softbreak" | "hardbreak":
            return "\n"
        case "html_inline" if LINE_BREAK.fullmatch(node.content):
            return "\n"
    return ""
