"""Files read in a limited child: what comes back, and what a hostile file can do."""

import os
import sys
import time
from pathlib import Path

import docx
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from assistant.errors import (
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    MissingFile,
    Reason,
    UnreadableDocument,
    UnsupportedFile,
)
from ingest.pages import Block, Extracted, RawPage
from ingest.readers.registry import READERS
from ingest.sandbox import MAX_FILE_BYTES, MAX_OUTPUT_BYTES, check, read, run_limited
from ingest.sandbox_child import run_reader
from tests.ingest.making import body, bomb, heading, pdf, together
from tests.refusals import refused


def write(path: Path, text: str = "Hello.") -> Path:
    path.write_text(text)
    return path


def test_what_the_child_reads_comes_back_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", "# Título\n\nआज 中文 👩‍💻")
    assert read(path) == Extracted(
        pages=(RawPage(1, (Block("Título", level=1), Block("आज 中文 👩‍💻"))),), title="Título"
    )


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_every_type_in_the_table_has_its_reader(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Upper{suffix.upper()}"
    if suffix == ".pdf":
        pdf(path, body())
    elif suffix == ".docx":
        document = docx.Document()
        document.add_paragraph("Hello.")
        document.save(str(path))
    else:
        write(path)
    assert [page.number for page in read(path).pages] == [1]


@pytest.mark.parametrize(
    "name", ["-rf.txt", "a b\nc.txt", "ñandú 中.txt", "$(ls).txt", "'\".txt", "x" * 240 + ".txt"]
)
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    assert read(write(tmp_path / name)).pages == (RawPage(1, (Block("Hello."),)),)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes UTF-8 names alone")
def test_names_that_are_no_text_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    assert read(write(path)).pages == (RawPage(1, (Block("Hello."),)),)


def test_a_link_is_of_the_type_its_own_name_tells(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(write(tmp_path / "blob"))
    assert read(tmp_path / "a.txt").pages == (RawPage(1, (Block("Hello."),)),)


def test_a_relative_path_is_read_from_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.txt")
    monkeypatch.chdir(tmp_path)
    assert read(Path("a.txt")).pages == (RawPage(1, (Block("Hello."),)),)


def test_no_module_beside_the_documents_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.txt")
    for name in ("json.py", "ingest.py", "sitecustomize.py"):
        write(tmp_path / name, "raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert read(tmp_path / "a.txt").pages == (RawPage(1, (Block("Hello."),)),)


def test_a_pdf_is_read_on_a_machine_of_many_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit counts address space, of which every worker reserves its part."""
    monkeypatch.setenv("TOKIO_WORKER_THREADS", "256")
    (page,) = read(pdf(tmp_path / "a.pdf", together(heading("The harbour"), body()))).pages
    assert page.blocks[0] == Block("The harbour", level=1)


def unreadable(reason: Reason, name: str = "a.txt") -> UnreadableDocument:
    return UnreadableDocument(name=name, reason=reason)


def too_large(count: int, unit: Reason, limit: int) -> DocumentTooLarge:
    return DocumentTooLarge(name="a.txt", count=count, unit=unit, limit=limit)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read(tmp_path / "a.pdf")
    with pytest.raises(MissingFile):
        read(write(tmp_path / "b.txt") / "below.txt")


def test_an_unknown_type_is_told_with_those_there_are(tmp_path: Path) -> None:
    with refused(UnsupportedFile(name="a.xyz", known=", ".join(sorted(READERS)))):
        read(write(tmp_path / "a.xyz"))


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    with refused(EmptyDocument(name="a.txt", reason=Reason.NO_BYTES)):
        read(write(tmp_path / "a.txt", ""))


def test_a_file_over_the_limit_is_told_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with refused(too_large(201, Reason.MEGABYTES, 200)):
        read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with refused(unreadable(Reason.DEVICE)):
        read(tmp_path / "a.txt")


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    with pytest.raises(UnreadableDocument, match="too many levels"):
        check(tmp_path / "a.txt")


def test_a_name_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="too long"):
        check(tmp_path / ("x" * 300 + ".txt"))


def test_a_file_without_permission_is_told(locked: Path) -> None:
    with refused(unreadable(Reason.NO_PERMISSION)):
        read(locked / "a.txt")
    with refused(unreadable(Reason.NO_PERMISSION, "b.txt")):
        read(locked / "folder" / "b.txt")


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7 and then nothing", b"no PDF at all", b"\x00" * 100, b"%PDF-1.4\n" * 9]
)
@pytest.mark.parametrize("suffix", [".pdf", ".docx"])
def test_a_damaged_file_is_told(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with refused(unreadable(Reason.INVALID, path.name)):
        read(path)


def test_a_file_cut_short_is_read_or_told(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", *[body()] * 5)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        value = run_reader(path)
        assert value.get("refused", "pages") in ("unreadable", "pages")


def test_a_password_is_told(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), encrypt=StandardEncryption("secret", "owner"))
    body()(canvas)
    canvas.save()
    with pytest.raises(EncryptedDocument):
        read(tmp_path / "a.pdf")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses the limit on memory")
def test_a_pdf_bomb_is_refused_and_we_live_on(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.pdf", gigabytes=4)
    assert path.stat().st_size < 2_000
    with refused(unreadable(Reason.TOO_MUCH, "bomb.pdf")):
        read(path)
    assert read(write(tmp_path / "good.txt")).pages == (RawPage(1, (Block("Hello."),)),)


def test_more_characters_than_can_be_kept_are_refused(tmp_path: Path) -> None:
    with refused(too_large(20_000_005, Reason.CHARACTERS, 20_000_000)):
        read(write(tmp_path / "a.txt", "word " * 4_000_001))


def test_more_pages_than_can_be_kept_are_refused(tmp_path: Path) -> None:
    with refused(too_large(5_001, Reason.PAGES, 5_000)):
        read(write(tmp_path / "a.txt", "x\f" * 5_000))


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    page = "<div><p>x</p>" * 3_000
    with refused(unreadable(Reason.TOO_MUCH, "a.html")):
        read(write(tmp_path / "a.html", page))


def test_a_reader_that_never_ends_is_stopped(tmp_path: Path) -> None:
    started = time.monotonic()
    with refused(unreadable(Reason.SLOW)):
        read(write(tmp_path / "a.txt"), wall_s=0.001)
    assert time.monotonic() - started < 5


def child(code: str) -> tuple[int, bytes]:
    return run_limited([sys.executable, "-c", code], 30)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses the limit on memory")
def test_a_child_that_takes_too_much_memory_ends() -> None:
    code = (
        "from ingest.sandbox_child import _limit, MEMORY_BYTES; import resource;"
        "_limit(resource.RLIMIT_AS, MEMORY_BYTES); bytearray(3 << 30)"
    )
    assert child(code) == (1, b"")


def test_a_child_cannot_write_files(tmp_path: Path) -> None:
    code = (
        "from ingest.sandbox_child import _limit; import os, resource; "
        "_limit(resource.RLIMIT_FSIZE, 0);"
        f"os.write(os.open({str(tmp_path / 'x')!r}, os.O_CREAT | os.O_WRONLY), b'1')"
    )
    assert child(code) == (1, b"")
    assert (tmp_path / "x").read_bytes() == b""


def test_a_child_cannot_lift_its_limits() -> None:
    code = (
        "from ingest.sandbox_child import _limit; import resource as r; _limit(r.RLIMIT_CPU, 50);"
        "print(r.getrlimit(r.RLIMIT_CPU))"
    )
    assert child(code) == (0, b"(50, 50)\n")


def test_a_child_that_says_too_much_is_stopped() -> None:
    code, output = child("import sys\nwhile True: sys.stdout.write('x' * (1 << 20))")
    assert code == -9
    assert len(output) == MAX_OUTPUT_BYTES + 1


def test_a_child_that_closes_its_mouth_and_sleeps_is_stopped() -> None:
    started = time.monotonic()
    code, _ = run_limited([sys.executable, "-c", "import os, time; os.close(1); time.sleep(99)"], 1)
    assert (code, time.monotonic() - started < 10) == (-9, True)
