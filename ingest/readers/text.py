"""Plain text to blocks. A form feed starts a page."""

import re
from pathlib import Path

from ingest.pages import Block, Extracted, RawPage


def decode(data: bytes) -> str:
    """Return the text of UTF-8, of UTF-16 with a mark, else of Windows-1252, which fits any bytes.

    Raises:
        ValueError: the bytes are not text.
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
    """Return paragraphs, which are separated by empty lines."""
    text = decode(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    return Extracted(
        pages=tuple(
            RawPage(number, tuple(Block(part) for part in _paragraphs(page)))
            for number, page in enumerate(text.split("\f"), start=1)
        )
    )


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n[^\S\n]*\n", text) if part.strip()]
