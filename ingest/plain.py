"""Plain text and Markdown to blocks. A form feed starts a page, as printers had it."""

import re
from pathlib import Path

from ingest.reading import Block, RawPage, Reading

HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
FENCE = re.compile(r"^(```|~~~)")


def decode(data: bytes) -> str:
    """Return the text, as UTF-8 or UTF-16 by its mark, else as Windows-1252, which fits any bytes.

    Raises:
        ValueError: the bytes are no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if b"\x00" in data:
        raise ValueError("it is not a text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_text(path: Path) -> Reading:
    """Return paragraphs, which empty lines part."""
    pages = decode(path.read_bytes()).replace("\r\n", "\n").split("\f")
    return Reading(
        pages=tuple(
            RawPage(number, tuple(Block(part) for part in _paragraphs(text)))
            for number, text in enumerate(pages, start=1)
        )
    )


def read_markdown(path: Path) -> Reading:
    """Return headings and paragraphs; the marks of emphasis and links are taken off."""
    text = decode(path.read_bytes()).replace("\r\n", "\n")
    blocks = [block for part in _paragraphs(_apart(text)) for block in _markdown(part)]
    title = next((block.text for block in blocks if block.level == 1), "")
    return Reading(pages=(RawPage(1, tuple(blocks)),), title=title)


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n\s*\n", text) if part.strip()]


def _apart(text: str) -> str:
    """Put empty lines round headings, which may stand against a paragraph."""
    return re.sub(r"(?m)^(#{1,6} .+)$", r"\n\1\n", text)


def _markdown(part: str) -> list[Block]:
    if heading := HEADING.fullmatch(part.strip()):
        return [Block(_unmarked(heading[2]), level=len(heading[1]))]
    lines = [_unmarked(line) for line in part.split("\n") if not FENCE.match(line)]
    rows = [line for line in lines if not re.fullmatch(r"[\s|:-]+", line)]
    return [Block("\n".join(line.strip().strip("|").strip() for line in rows))]


def _unmarked(line: str) -> str:
    line = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line)
    return re.sub(r"(\*\*|__|`)(.+?)\1", r"\2", line)
