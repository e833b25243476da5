"""Files into a real library, with an embedder that needs no weights."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import docx
import pytest

from assistant.backends.fake import HashEmbedder
from assistant.errors import (
    Cancelled,
    DocumentTooLarge,
    EmptyDocument,
    MissingFile,
    Notice,
    Reason,
    UnreadableDocument,
    UnsupportedFile,
)
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Document, Matrix
from ingest.indexing import AddingProgress, Outcome, Status, add, files, ranges
from ingest.readers.registry import READERS
from tests.ingest.making import FILLER, body, bomb, lines, pdf


class CountingEmbedder(HashEmbedder):
    """Remembers how many texts each call embedded.

    Attributes:
        calls: texts of each call, in order.
    """

    def __init__(self) -> None:
        self.calls: list[int] = []

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        self.calls.append(len(texts))
        return super().embed_passages(texts)


class FallingLibrary(Library):
    """Falls over between the last vector and the publication."""

    def publish(self, document: Document) -> None:
        raise KeyboardInterrupt


class Stop:
    """A reader who stops everything at the n-th time of asking."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def library(home: Path, embedder: CountingEmbedder) -> Iterator[Library]:
    opened = Library(home, ExactIndex(), embedder=embedder)
    yield opened
    opened.close()


@pytest.fixture
def take(library: Library, embedder: CountingEmbedder) -> Callable[..., list[Outcome]]:
    """Add paths to the library."""

    def run(*paths: Path, **options: object) -> list[Outcome]:
        return list(
            add(
                paths,
                writer=library,
                embedder=embedder,
                **options,  # type: ignore[arg-type]
            )
        )

    return run


Take = Callable[..., list[Outcome]]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def long_text(sections: int) -> str:
    """Markdown whose sections make a chunk each."""
    return "\n\n".join(
        f"# Section {n}\n\n" + " ".join(f"Boat {n}-{m} carries salt and wool." for m in range(30))
        for n in range(sections)
    )


def by_words(library: Library, question: str) -> list[str]:
    return [p.document.title for p in library.search_words(question, limit=5)]


def by_vector(library: Library, question: str) -> list[str]:
    query = HashEmbedder().embed_queries([question])[0]
    library.open()
    return [p.chunk.text for p in library.search_vectors(query, limit=5)]


def test_a_file_goes_in_with_its_facts(tmp_path: Path, take: Take, library: Library) -> None:
    path = write(tmp_path / "river.md", "# The  river\n\nIt keeps its course between the hills.")
    (outcome,) = take(path)
    document = outcome.document
    assert document is not None
    assert (outcome.path, outcome.status, outcome.error) == (str(path), Status.ADDED, "")
    assert library.documents() == [document]
    assert (
        document.title,
        document.path,
        document.language,
        document.page_count,
        document.word_count,
        document.chunk_count,
    ) == ("The river", str(path), "en", 1, 9, 1)
    assert library.document_text(document.id).text == (
        "The river\nIt keeps its course between the hills."
    )
    assert library.file(document).read_bytes() == path.read_bytes()
    assert by_words(library, "hills") == ["The river"]


def test_a_file_without_a_title_is_called_as_it_is_named(tmp_path: Path, take: Take) -> None:
    (outcome,) = take(write(tmp_path / "my notes.txt", FILLER[0]))
    assert outcome.document is not None and outcome.document.title == "my notes"


def test_what_a_file_calls_itself_is_cleaned(tmp_path: Path, take: Take) -> None:
    page = "<title>&#xfb01;rst\u202e &#xd800;\u200btitle\n</title><p>Some text of the page.</p>"
    (outcome,) = take(write(tmp_path / "a.html", page))
    assert outcome.document is not None and outcome.document.title.startswith("first ")
    outcome.document.title.encode()


def test_the_same_file_again_is_unchanged(
    tmp_path: Path, take: Take, embedder: CountingEmbedder
) -> None:
    path = write(tmp_path / "a.txt", FILLER[0])
    (first,) = take(path)
    (second,) = take(path)
    assert second == Outcome(str(path), Status.UNCHANGED, first.document)
    assert embedder.calls == [1]


def test_the_same_bytes_under_another_name_are_unchanged(
    tmp_path: Path, take: Take, library: Library
) -> None:
    (first,) = take(write(tmp_path / "a.txt", FILLER[0]))
    (second,) = take(write(tmp_path / "b.txt", FILLER[0]))
    assert (second.status, second.document) == (Status.UNCHANGED, first.document)
    assert library.documents() == [first.document]


def test_a_changed_file_replaces_the_old_which_answers_no_more(
    tmp_path: Path, take: Take, library: Library
) -> None:
    path = write(tmp_path / "a.txt", "The zebra eats apples.")
    (old,) = take(path)
    (new,) = take(write(path, "The giraffe drinks water."))
    assert (new.status, library.documents()) == (Status.REPLACED, [new.document])
    assert by_words(library, "zebra") == []
    assert by_words(library, "giraffe") == ["a"]
    assert by_vector(library, "zebra apples") == ["The giraffe drinks water."]
    assert old.document is not None and not library.file(old.document).exists()


def test_a_file_that_became_the_same_as_another_leaves_nothing_old(
    tmp_path: Path, take: Take, library: Library
) -> None:
    path, other = tmp_path / "a.txt", tmp_path / "b.txt"
    take(write(path, "The zebra eats apples."))
    (kept,) = take(write(other, "The giraffe drinks water."))
    (outcome,) = take(write(path, "The giraffe drinks water."))
    assert (outcome.status, library.documents()) == (Status.REPLACED, [kept.document])
    assert by_words(library, "zebra") == []
    (again,) = take(path)
    assert again.status is Status.UNCHANGED


def test_a_link_keeps_its_own_name(tmp_path: Path, take: Take) -> None:
    link = tmp_path / "a.txt"
    link.symlink_to(write(tmp_path / "blob", FILLER[0]))
    (outcome,) = take(link)
    assert outcome.document is not None
    assert (outcome.status, outcome.document.path) == (Status.ADDED, str(link))


def test_failing_files_are_named_in_a_sentence_and_the_others_go_in(
    tmp_path: Path, take: Take, library: Library
) -> None:
    good = write(tmp_path / "good.txt", FILLER[0])
    empty = write(tmp_path / "empty.txt", "")
    blank = write(tmp_path / "blank.txt", " \n\f\n ")
    corrupt = write(tmp_path / "corrupt.pdf", "%PDF-1.4 and nothing")
    unknown = write(tmp_path / "a.xyz", "x")
    missing = tmp_path / "missing.pdf"
    last = write(tmp_path / "last.txt", FILLER[1])
    outcomes = take(good, empty, blank, corrupt, unknown, missing, last)
    assert [outcome.status for outcome in outcomes] == [
        Status.ADDED,
        *[Status.FAILED] * 5,
        Status.ADDED,
    ]
    assert [outcome.failure for outcome in outcomes[1:-1]] == [
        EmptyDocument(name="empty.txt", reason=Reason.NO_BYTES).notice,
        EmptyDocument(name="blank.txt", reason=Reason.NO_WORDS).notice,
        UnreadableDocument(name="corrupt.pdf", reason=Reason.INVALID).notice,
        UnsupportedFile(name="a.xyz", known=", ".join(sorted(READERS))).notice,
        MissingFile(path=str(missing)).notice,
    ]
    assert [document.title for document in library.documents()] == ["good", "last"]


def test_a_scan_is_told(tmp_path: Path, take: Take) -> None:
    scan = pdf(tmp_path / "scan.pdf", *[lambda canvas: canvas.rect(72, 200, 400, 400, fill=1)] * 3)
    (outcome,) = take(scan)
    assert outcome.failure == EmptyDocument(name="scan.pdf", reason=Reason.PICTURES).notice


def test_pages_without_text_are_noted(tmp_path: Path, take: Take) -> None:
    (outcome,) = take(pdf(tmp_path / "a.pdf", body(), lambda _: None, body(), lambda _: None))
    assert outcome.document is not None
    (note,) = outcome.document.notes
    assert note == Notice("PagesWithoutText", {"pages": "2, 4", "reason": Reason.NO_TEXT})
    assert outcome.document.page_count == 4


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses the limit on memory")
def test_bombs_are_refused_and_the_next_file_goes_in(tmp_path: Path, take: Take) -> None:
    document = docx.Document()
    document.add_paragraph("x" * 30_000_000)
    document.save(str(tmp_path / "b.docx"))
    outcomes = take(
        bomb(tmp_path / "a.pdf", gigabytes=4),
        tmp_path / "b.docx",
        write(tmp_path / "c.txt", FILLER[0]),
    )
    bombs = [
        UnreadableDocument(name="a.pdf", reason=Reason.TOO_MUCH),
        DocumentTooLarge(name="b.docx", count=208, unit=Reason.TIMES, limit=200),
    ]
    assert [outcome.failure for outcome in outcomes] == [*(bomb.notice for bomb in bombs), None]
    assert outcomes[-1].status is Status.ADDED


def test_pages_are_reported_ascending_up_to_the_total(tmp_path: Path, take: Take) -> None:
    pages = [
        lines(*(f"Boat number {n}-{m} carries salt and wool to the harbour." for m in range(40)))
        for n in range(150)
    ]
    seen: list[AddingProgress] = []
    path = pdf(tmp_path / "a.pdf", *pages, lambda _: None)
    take(path, report=seen.append)
    embedding = [now for now in seen if now.step == "embedding"]
    done = [now.pages_done for now in embedding]
    assert seen[0] == AddingProgress(path, "reading")
    assert len(done) > 2
    assert done == sorted(done)
    assert done[-1] == 151
    assert {now.pages_total for now in embedding} == {151}
    assert [now.seconds_left for now in embedding if now.seconds_left is None] == []
    assert embedding[-1].seconds_left == 0.0


def test_interrupted_embedding_goes_on_where_it_stopped(
    tmp_path: Path, take: Take, library: Library, embedder: CountingEmbedder
) -> None:
    path = write(tmp_path / "a.md", long_text(80))
    with pytest.raises(Cancelled):
        take(path, cancelled=Stop(at=2))
    assert (embedder.calls, library.documents()) == ([32, 32], [])
    (outcome,) = take(path)
    assert outcome.status is Status.ADDED
    assert outcome.document is not None
    assert embedder.calls == [32, 32, outcome.document.chunk_count - 64]
    assert [c.ordinal for c in library.chunks(outcome.document.id)] == list(
        range(outcome.document.chunk_count)
    )


def test_a_crash_before_the_publication_shows_nothing_and_loses_nothing(
    tmp_path: Path, home: Path, embedder: CountingEmbedder
) -> None:
    path = write(tmp_path / "a.md", long_text(40))
    falling = FallingLibrary(home, ExactIndex(), embedder=embedder)
    with pytest.raises(KeyboardInterrupt):
        list(add([path], writer=falling, embedder=embedder))
    assert falling.documents() == []
    assert by_words(falling, "boat") == []
    assert by_vector(falling, "boat") == []
    falling.close()

    whole = Library(home, ExactIndex(), embedder=embedder)
    calls = list(embedder.calls)
    (outcome,) = add([path], writer=whole, embedder=embedder)
    assert (outcome.status, embedder.calls) == (Status.ADDED, calls)
    assert whole.documents() == [outcome.document]
    assert whole.check() == []
    whole.close()


def test_what_an_interrupted_run_left_goes_with_the_next_file(
    tmp_path: Path, take: Take, library: Library
) -> None:
    with pytest.raises(Cancelled):
        take(write(tmp_path / "a.md", long_text(80)), cancelled=Stop(at=1))
    (outcome,) = take(write(tmp_path / "b.txt", FILLER[0]))
    assert library.documents() == [outcome.document]
    assert by_words(library, "wool salt") == []


def test_a_changed_file_that_fails_leaves_the_old_one_answering(
    tmp_path: Path, take: Take, library: Library
) -> None:
    path = write(tmp_path / "a.txt", "The zebra eats apples.")
    (old,) = take(path)
    (outcome,) = take(write(path, " "))
    assert (outcome.status, library.documents()) == (Status.FAILED, [old.document])
    assert by_words(library, "zebra") == ["a"]


def test_a_folder_gives_its_readable_files_sorted_and_nothing_hidden(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden above" / "docs"
    for name in (
        "b.txt",
        "a.PDF",
        "sub/c.md",
        "sub/.git/d.md",
        ".e.txt",
        "~$f.docx",
        "g.xyz",
    ):
        write(folder / name, "x")
    assert list(files([folder])) == [folder / "a.PDF", folder / "b.txt", folder / "sub/c.md"]


def test_a_folder_above_is_no_hidden_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "docs" / "a.txt", "x")
    (tmp_path / "one" / "two").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "one" / "two")
    assert list(files([Path("../../docs")])) == [Path("../../docs/a.txt")]


def test_a_link_in_a_folder_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.txt", "x")
    (tmp_path / "docs" / "again").symlink_to(tmp_path / "docs", target_is_directory=True)
    assert list(files([tmp_path / "docs"])) == [tmp_path / "docs" / "a.txt"]


def test_what_may_not_be_opened_is_told(take: Take, locked: Path) -> None:
    file = UnreadableDocument(name="a.txt", reason=Reason.NO_PERMISSION)
    folder = UnreadableDocument(name="folder", reason=Reason.NO_FOLDER_PERMISSION)
    assert [(outcome.path, outcome.failure) for outcome in take(locked, locked / "folder")] == [
        (str(locked / "a.txt"), file.notice),
        *[(str(locked / "folder"), folder.notice)] * 2,
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes UTF-8 names alone")
def test_a_name_that_is_no_text_can_be_kept_and_printed(tmp_path: Path, take: Take) -> None:
    good = write(tmp_path / os.fsdecode(b"caf\xe9.txt"), FILLER[0])
    bad = tmp_path / os.fsdecode(b"th\xe9.txt")
    first, second = take(good, bad)
    assert first.document is not None
    assert (first.document.path, first.document.title) == (f"{tmp_path}/caf�.txt", "caf�")
    assert second.failure == MissingFile(path=f"{tmp_path}/th�.txt").notice
    assert take(good)[0].status is Status.UNCHANGED


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([1], "1"), ([1, 2, 3, 7], "1-3, 7"), ([2, 4, 5], "2, 4-5"), ([], "")],
)
def test_ranges_of_pages(numbers: list[int], expected: str) -> None:
    assert ranges(numbers) == expected
