"""Pages drawn with their sentences marked, in the limited child."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from assistant.errors import Reason, UnreadableDocument
from ingest.rendering import draw_page
from tests.ingest.making import body, pdf
from tests.refusals import refused


def lines(*texts: str) -> Callable[[Canvas], None]:
    """Return what writes the texts below one another, 40 points apart, from 700 down."""

    def write(canvas: Canvas) -> None:
        for place, text in enumerate(texts):
            canvas.drawString(72, 700 - 40 * place, text)

    return write


def marked_rows(picture: bytes) -> list[int]:
    """Return the rows of a picture, in 40 points from the first line, that hold marked pixels."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    pixels = np.asarray(image).astype(int)
    yellow = (pixels[..., 0] > 240) & (pixels[..., 2] < 150)
    points = 842 / pixels.shape[0]
    rows = np.flatnonzero(yellow.any(axis=1)) * points
    return sorted({round((842 - 700 - 4 - row) / -40) for row in rows})


def test_a_page_is_drawn_as_a_png(tmp_path: Path) -> None:
    picture = draw_page(pdf(tmp_path / "a.pdf", body()), 1, width=200)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20]) == 200
    assert marked_rows(picture) == []


def test_a_sentence_is_marked_where_it_stands_and_nowhere_else(tmp_path: Path) -> None:
    write = lines("The bridge is long.", "The tower is high.", "The river is wide.")
    path = pdf(tmp_path / "a.pdf", write)
    assert marked_rows(draw_page(path, 1, marked=["The tower is high."])) == [1]


def test_line_ends_hyphens_and_spaces_do_not_hide_a_sentence(tmp_path: Path) -> None:
    write = lines("Nothing here.", "It was built by two bro-", "thers in  1820.", "And so on.")
    path = pdf(tmp_path / "a.pdf", write)
    sentence = "It was built by two brothers in 1820."
    assert marked_rows(draw_page(path, 1, marked=[sentence])) == [1, 2]


def test_the_part_of_a_sentence_that_stands_on_the_page_is_marked(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", lines("First.", "The bridge was built in the year"))
    sentence = "The bridge was built in the year 1820 by two brothers of Cuzco."
    assert marked_rows(draw_page(path, 1, marked=[sentence])) == [1]


def test_a_sentence_of_another_page_marks_nothing(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", lines("The bridge is long."))
    for sentence in ("Wool is spun in every village.", "", "…"):
        assert marked_rows(draw_page(path, 1, marked=[sentence])) == []


@pytest.mark.parametrize("number", [0, 2, 99])
def test_a_page_that_is_not_there_cannot_be_drawn(tmp_path: Path, number: int) -> None:
    path = pdf(tmp_path / "a.pdf", body())
    with refused(UnreadableDocument(name="a.pdf", reason=Reason.NOT_DRAWN)):
        draw_page(path, number)


def test_what_is_no_pdf_cannot_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_text("no PDF at all")
    with pytest.raises(UnreadableDocument):
        draw_page(path, 1)
