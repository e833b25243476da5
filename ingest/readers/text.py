"""Plain text and Markdown to blocks. A form feed starts a page, as printers had it."""

import re
from pathlib import Path

from ingest.pages import Block, Extracted, RawPage

HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
FENCED = re.compile(r"(?ms)^[ ]{0,3}(?:```|~~~)[^\n]*\n(.*?)(?:^[ ]{0,3}(?:```|~~~)[^\n]*$|\Z)")
UNDERLINED = re.compile(r"(?m)^(?=\S)([^|#>\n-][^|\n]*)\n(?:(=)=+|--+)[ ]*$")


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


def read_text(path: Path) -> Extracted:
    """Return paragraphs, which empty lines part."""
    pages = _lines_alike(decode(path.read_bytes())).split("\f")
    return Extracted(
        pages=tuple(
            RawPage(number, tuple(Block(part) for part in _paragraphs(text)))
            for number, text in enumerate(pages, start=1)
        )
    )


def read_markdown(path: Path) -> Extracted:
    """Return headings and paragraphs; the marks of emphasis and links are taken off."""
    prose_and_code = FENCED.split(_lines_alike(decode(path.read_bytes())))
    blocks: list[Block] = []
    for index, text in enumerate(prose_and_code):
        code = index % 2 == 1
        parts = _paragraphs(text if code else _apart(text))
        blocks += map(Block, parts) if code else map(_markdown, parts)
    title = next((block.text for block in blocks if block.level == 1), "")
    return Extracted(pages=(RawPage(1, tuple(blocks)),), title=title)


def _lines_alike(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n[^\S\n]*\n", text) if part.strip()]


def _apart(text: str) -> str:
    """Put empty lines round headings, which may stand against a paragraph or be underlined."""
    text = UNDERLINED.sub(lambda match: f"{'#' if match[2] == '=' else '##'} {match[1]}", text)
    return re.sub(r"(?m)^(#{1,6} .+)$", r"\n\1\n", text)


def _markdown(part: str) -> Block:
    if heading := HEADING.fullmatch(part.strip()):
        return Block(_unmarked(heading[2]), level=len(heading[1]))
    lines = map(_unmarked, part.split("\n"))
    rows = [line for line in lines if not re.fullmatch(r"[\s|:-]+", line)]
    return Block("\n".join(line.strip().strip("|").strip() for line in rows))


def _unmarked(line: str) -> str:
    line = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line)
    return re.sub(r"(\*\*|`)(.+?)\1|(?<!\w)__(\w.*?)__(?!\w)", r"\2\3", line)
