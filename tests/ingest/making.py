"""Documents made in a line, for the tests of reading and indexing."""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4
LEFT = 72.0

Draw = Callable[[Canvas], None]

FILLER = (
    "The river keeps its course between the hills and the old town.",
    "Every boat that leaves the harbour carries salt, wool and letters.",
    "Nobody remembers who built the bridge or what the toll once was.",
    "In winter the ferry runs twice a day and stops before the dark.",
)


def pdf(path: Path, *pages: Draw, title: str = "") -> Path:
    """Write a PDF with one page per function that draws."""
    canvas = Canvas(str(path), pagesize=A4, pageCompression=0)
    canvas.setTitle(title)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return path


def lines(
    *texts: str, y: float = HEIGHT - 160, x: float = LEFT, size: float = 11, font: str = "Helvetica"
) -> Draw:
    """A function that draws lines below each other, the first at `y` points from below."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, size)
        for index, text in enumerate(texts):
            canvas.drawString(x, y - index * size * 1.25, text)

    return draw


def together(*draws: Draw) -> Draw:
    def draw(canvas: Canvas) -> None:
        for each in draws:
            each(canvas)

    return draw


def header(text: str) -> Draw:
    return lines(text, y=HEIGHT - 40, size=9)


def footer(text: str) -> Draw:
    return lines(text, y=30, size=9)


def heading(text: str, *, y: float = HEIGHT - 130, size: float = 20) -> Draw:
    return lines(text, y=y, size=size, font="Helvetica-Bold")


def body(start: int = 0) -> Draw:
    return lines(*(FILLER[(start + offset) % len(FILLER)] for offset in range(4)))


def bomb(path: Path, *, gigabytes: int) -> Path:
    """Write a PDF whose one page is a stream packed three times, of many equal blocks."""
    packer = zlib.compressobj(9)
    block = b"(x) Tj\n" * (1 << 21)
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    data = first + again * (gigabytes * (1 << 30) // len(block)) + packer.flush()
    data = zlib.compress(zlib.compress(data, 9), 9)
    return raw_pdf(path, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]", data)


def raw_pdf(path: Path, stream_facts: bytes, stream: bytes) -> Path:
    """Write a PDF of one page whose content stream is given as it stands in the file."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(stream), stream_facts, stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, value in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n" % (len(objects) + 1, table)
    out += b"<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        len(out) - len(table) - 41,
    )
    path.write_bytes(out)
    return path


def with_part(source: Path, target: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """Copy a package with one of its parts changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            data = old.read(member)
            new.writestr(member.filename, change(data) if member.filename == name else data)
    return target


def texts(blocks: Sequence[object]) -> list[str]:
    return [str(getattr(block, "text", block)) for block in blocks]
