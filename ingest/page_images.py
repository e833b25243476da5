"""Draws a page of a PDF with sentences marked. Runs in the limited child only.

A sentence is found by its letters and digits: line ends, hyphens and ligatures do not matter.
"""

import ctypes
import io
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final, TypeAlias

import pypdfium2
from PIL import Image, ImageChops, ImageDraw

MAX_PIXELS: Final = 40_000_000
PEN: Final = "#ffe45c"
LEAST_MARKED: Final = 12  # letters of a sentence that is only partly found

Box: TypeAlias = tuple[float, float, float, float]  # left, top or bottom, right, the other one


def draw(path: Path, number: int, *, width: int, marked: Sequence[str] = ()) -> bytes:
    """Return page `number` (from 1) as a PNG about `width` pixels wide.

    Args:
        marked: sentences that are marked where they stand on the page; others are passed over.

    Raises:
        IndexError, ValueError, pypdfium2.PdfiumError: it cannot be drawn.
    """
    if number < 1:
        raise IndexError(number)
    document = pypdfium2.PdfDocument(path)
    try:
        page = document[number - 1]
        scale = min(width / page.get_width(), (MAX_PIXELS / _area(page)) ** 0.5)
        picture = page.render(scale=scale).to_pil().convert("RGB")
        picture = _marked(picture, _boxes(page, picture.size, marked))
    finally:
        document.close()
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


def _boxes(page: Any, size: tuple[int, int], marked: Sequence[str]) -> list[Box]:
    """Return where the sentences stand on the picture of a page, a box for each line."""
    if not marked:
        return []
    text = page.get_textpage()
    letters, places = _letters(text)
    boxes: list[Box] = []
    for sentence in marked:
        start, end = _found(letters, _folded(sentence))
        for place in dict.fromkeys(places[start:end]):
            box = _on_picture(page, size, text.get_charbox(place))
            if boxes and _same_line(boxes[-1], box):
                boxes[-1] = _around(boxes[-1], box)
            else:
                boxes.append(box)
    return boxes


def _letters(text: Any) -> tuple[str, list[int]]:
    """Return the letters and digits of a page, and which of its characters each is."""
    letters, places = "", []
    for place in range(text.count_chars()):
        folded = _folded(chr(pypdfium2.raw.FPDFText_GetUnicode(text.raw, place)))
        letters += folded
        places += [place] * len(folded)
    return letters, places


def _folded(text: str) -> str:
    """Return letters and digits alone: spaces, hyphens and ligatures differ from file to file."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _found(letters: str, wanted: str) -> tuple[int, int]:
    """Return the span of a text, or of the longest part of it when that is most of it."""
    start = letters.find(wanted) if wanted else -1
    if start >= 0:
        return start, start + len(wanted)
    match = SequenceMatcher(None, letters, wanted, autojunk=False).find_longest_match()
    enough = match.size >= max(LEAST_MARKED, len(wanted) // 3)
    return (match.a, match.a + match.size) if enough else (0, 0)


def _on_picture(page: Any, size: tuple[int, int], box: Box) -> Box:
    """Return a box of the page, from its lower left corner, in pixels from the upper left."""
    left, bottom, right, top = box
    xs, ys = [], []
    for x, y in ((left, bottom), (right, top)):
        column, row = ctypes.c_int(), ctypes.c_int()
        pypdfium2.raw.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, x, y, column, row)
        xs.append(column.value)
        ys.append(row.value)
    return min(xs), min(ys), max(xs), max(ys)


def _same_line(one: Box, other: Box) -> bool:
    """Tell whether two boxes share most of their height."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared > 0.3 * min(one[3] - one[1], other[3] - other[1])


def _around(one: Box, other: Box) -> Box:
    pairs = zip(one[:2], other[:2], strict=True), zip(one[2:], other[2:], strict=True)
    return (*(min(pair) for pair in pairs[0]), *(max(pair) for pair in pairs[1]))  # type: ignore[return-value]


def _marked(picture: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Return the picture with the boxes coloured as by a pen, so that the text shows through."""
    if not boxes:
        return picture
    layer = Image.new("RGB", picture.size, "white")
    pen = ImageDraw.Draw(layer)
    for left, top, right, bottom in boxes:
        pen.rectangle((left - 2, top - 3, right + 2, bottom + 3), fill=PEN)
    return ImageChops.multiply(picture, layer)


def _area(page: Any) -> float:
    return max(1.0, float(page.get_width() * page.get_height()))
