"""The library on disk, with the exact index and with Chroma."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import (
    AmbiguousDocument,
    LibraryDamaged,
    Notice,
    Reason,
    UnknownDocument,
    WrongEmbedder,
)
from assistant.generation.prompts import section_head
from assistant.reports import kinds
from assistant.storage.base import VectorIndex
from assistant.storage.chroma import ChromaIndex
from assistant.storage.conversations import ConversationTable
from assistant.storage.database import VERSIONS
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Document, Heading, Page
from tests.assistant.storage.libraries import (
    EMBEDDER,
    add,
    chunks_of,
    count_of,
    document,
    near,
    pages_of,
    stage,
    worded,
)
from tests.assistant.storage.test_reports import stored, summary_of
from tests.refusals import refused

BRIDGE = "The old bridge was built in 1820.\n\nIt is 91 metres long.\n\nIts towers are of granite."
LLAMA = "Llamas carry loads over the passes.\n\nTheir wool is spun in every village."


class Elsewhere:
    """An embedder of other weights."""

    name = "elsewhere"
    fingerprint = "elsewhere:1"
    dimensions = EMBEDDER.dimensions
    counts = EMBEDDER.counts
    embed_passages = EMBEDDER.embed_passages
    embed_queries = EMBEDDER.embed_queries


@pytest.fixture(params=["exact", "chroma"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    if request.param == "exact":
        yield ExactIndex()
        return
    chroma = ChromaIndex(tmp_path / "home" / "index")
    yield chroma
    chroma.close()


@pytest.fixture
def library(tmp_path: Path, index: VectorIndex) -> Iterator[Library]:
    opened = Library(tmp_path / "home", index, embedder=EMBEDDER)
    yield opened
    opened.close()


# what is kept


def test_document_comes_back_as_it_was_given(library: Library) -> None:
    described = replace(
        document(BRIDGE, title="The bridge"),
        notes=(Notice("PagesWithoutText", {"pages": "4", "reason": Reason.NO_TEXT}),),
    )
    headings = [Heading(1, "History", 0), Heading(2, "Length", 35)]
    pages = [Page(1, "The old bridge.", "i"), Page(2, "It is long.", "ii"), Page(3, "Granite.")]
    library.stage(described, pages, headings)
    library.stage_chunks(
        chunks_of(described, BRIDGE), EMBEDDER.embed_passages(BRIDGE.split("\n\n"))
    )
    library.publish(described)
    assert library.documents() == [described]
    assert library.find(described.id) == described
    assert library.find_path(described.path) == described
    assert library.pages(described.id) == pages
    assert library.document_text(described.id).headings == tuple(headings)
    assert library.document_text(described.id).page_at(16) == 1
    assert library.chunks(described.id) == chunks_of(described, BRIDGE)


def test_document_is_found_by_id_title_and_file_name(library: Library) -> None:
    known = add(library, BRIDGE, title="The bridge", path="/books/b.txt")
    other = add(library, LLAMA, title="Llamas", path="/books/l.txt")
    for reference in (known.id, known.id[:8], known.short_id.upper(), "The bridge", "b.txt"):
        assert library.document(reference) == known
    assert library.document("/books/l.txt") == other


def test_unknown_and_ambiguous_documents_are_told(library: Library) -> None:
    add(library, BRIDGE, title="Same", path="/books/a.txt")
    add(library, LLAMA, title="Same", path="/books/b.txt")
    for reference in ("nothing", "", "abc"):
        with pytest.raises(UnknownDocument):
            library.document(reference)
    with pytest.raises(AmbiguousDocument, match="Same"):
        library.document("Same")


def test_nobody_sees_a_staged_document(library: Library) -> None:
    described = document(BRIDGE)
    stage(library, described, BRIDGE)
    assert library.documents() == []
    assert near(library, "old bridge") == []
    assert worded(library, "old bridge") == []


def test_what_was_embedded_before_an_interruption_is_still_there(library: Library) -> None:
    described = document(BRIDGE)
    chunks = chunks_of(described, BRIDGE)
    vectors = EMBEDDER.embed_passages([chunk.text for chunk in chunks])
    library.stage(described, pages_of(BRIDGE), [])
    library.stage_chunks(chunks[:2], vectors[:2])
    library.stage(described, pages_of(BRIDGE), [])
    kept = library.staged_vectors(described.id)
    assert {ordinal: text for ordinal, (text, _) in kept.items()} == {
        0: chunks[0].text,
        1: chunks[1].text,
    }
    np.testing.assert_allclose(kept[1][1], vectors[1], atol=1e-3)
    library.stage_chunks(chunks[2:], vectors[2:])
    library.publish(described)
    assert library.chunks(described.id) == chunks


def test_chunks_of_an_older_way_of_cutting_do_not_stay(library: Library) -> None:
    longer, described = document(f"{BRIDGE}\n\nMore."), document(BRIDGE)
    more = [replace(c, document_id=described.id) for c in chunks_of(longer, f"{BRIDGE}\n\nMore.")]
    library.stage(described, pages_of(BRIDGE), [])
    library.stage_chunks(more, EMBEDDER.embed_passages([chunk.text for chunk in more]))
    stage(library, described, BRIDGE)
    library.publish(described)
    assert library.chunks(described.id) == chunks_of(described, BRIDGE)


def test_a_document_staged_in_part_is_not_published(library: Library) -> None:
    described = document(BRIDGE)
    library.stage(described, pages_of(BRIDGE), [])
    library.stage_chunks(chunks_of(described, BRIDGE)[:1], EMBEDDER.embed_passages(["x"]))
    with refused(LibraryDamaged(folder=str(library.folder), reason=Reason.PARTLY_STAGED)):
        library.publish(described)
    assert library.documents() == []


def test_discarding_leaves_neither_rows_nor_file(library: Library, tmp_path: Path) -> None:
    source = tmp_path / "b.txt"
    source.write_text(BRIDGE)
    kept, dropped = document(BRIDGE), document(LLAMA, title="Llamas")
    for described, text in ((kept, BRIDGE), (dropped, LLAMA)):
        stage(library, described, text)
        library.store_file(described, source)
    library.discard_unfinished(but=kept.id)
    assert library.staged_vectors(dropped.id) == {}
    assert not library.file(dropped).exists()
    assert library.file(kept).exists()
    library.publish(kept)
    library.discard(kept.id)
    assert library.documents() == [kept]
    assert library.file(kept).exists()


def test_texts_kept_for_a_document_go_with_it(library: Library) -> None:
    known = add(library, BRIDGE)
    library.cache(known.id, "summary:1", "A bridge.")
    library.cache(known.id, "summary:1", "An old bridge.")
    assert library.cached(known.id, "summary:1") == "An old bridge."
    assert library.cached(known.id, "summary:2") is None
    library.remove(known)
    assert library.cached(known.id, "summary:1") is None


# search


def test_the_nearest_come_first(library: Library) -> None:
    add(library, BRIDGE)
    add(library, LLAMA, title="Llamas")
    assert near(library, "their wool is spun", limit=1) == ["Their wool is spun in every village."]
    assert near(library, "granite towers", limit=2)[0] == "Its towers are of granite."


@pytest.mark.parametrize(
    ("language", "text", "questions"),
    [
        ("es", "La canción árabe se cantó en Almuñécar.", ["canciones", "ARABES", "almunecar"]),
        ("fr", "Les élèves étudiaient l'œuvre à Besançon.", ["eleve", "étudier", "BESANCON"]),
        ("de", "Die Häuser über dem Fluss wurden verkauft.", ["Haus", "hauser", "Flusses"]),
        ("en", "Running engines were measured carefully.", ["engine", "measures", "run"]),
        ("pt", "As canções portuguesas emocionaram Évora.", ["cancoes", "portuguesa", "evora"]),
        ("it", "Le città più antiche della regione.", ["citta", "antica", "regioni"]),
        ("hi", "पुल की लंबाई हिन्दी में लिखी है।", ["लंबाई", "हिन्दी"]),
        ("th", "สะพานแห่งนี้สร้างขึ้นในกรุงเทพ", ["สะพาน", "กรุงเทพ"]),
        ("zh", "这座桥建于一八二〇年。", ["桥建", "一八二〇年"]),
        ("ja", "この橋は千八百二十年に建てられた。", ["建てられた", "橋は"]),
        ("ru", "Мосты построили инженеры.", ["мост", "инженер"]),
    ],
)
def test_words_are_found_whatever_their_case_accents_and_endings(
    tmp_path: Path, language: str, text: str, questions: list[str]
) -> None:
    library = Library(tmp_path / "home", ExactIndex(), embedder=EMBEDDER)
    add(library, f"{text}\n\nxyz", language=language)
    for question in questions:
        assert worded(library, question) == [text], question


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("hi", "किताब मेज पर है।", "कला"),
        ("th", "แมวอยู่บนโต๊ะ", "สะพาน"),
        ("zh", "这座桥很长。", "长这"),
        ("en", "The bridge is long.", "bride"),
    ],
)
def test_words_that_only_look_alike_are_not_found(
    tmp_path: Path, language: str, text: str, question: str
) -> None:
    library = Library(tmp_path / "home", ExactIndex(), embedder=EMBEDDER)
    add(library, text, language=language)
    assert worded(library, question) == []


def test_a_question_of_marks_finds_nothing_and_breaks_nothing(library: Library) -> None:
    add(library, BRIDGE)
    for question in ('"', "* OR NEAR(", "??", "-", "text:", "'; DROP TABLE words; --"):
        assert worded(library, question) in ([], ["The old bridge was built in 1820."])


def test_search_can_be_held_to_some_documents(library: Library) -> None:
    bridge, llama = add(library, BRIDGE), add(library, LLAMA, title="Llamas")
    assert set(near(library, "the bridge", documents=[llama.id])) == set(LLAMA.split("\n\n"))
    assert worded(library, "bridge wool", documents=[bridge.id]) == BRIDGE.split("\n\n")[:1]
    assert near(library, "bridge", documents=[]) == []
    assert worded(library, "bridge", documents=[]) == []


def test_a_small_document_is_found_whole_in_a_large_library(library: Library) -> None:
    for book in range(8):
        text = "\n\n".join(f"Book {book} line {line} of the bridge saga." for line in range(250))
        add(library, text, title=f"Book {book}")
    small = add(library, LLAMA, title="Llamas")
    found = near(library, "the bridge saga line", documents=[small.id])
    assert sorted(found) == sorted(LLAMA.split("\n\n"))
    assert worded(library, "wool bridge", documents=[small.id]) == LLAMA.split("\n\n")[1:]


# replacing and removing


def test_a_changed_file_takes_the_place_of_the_old_one(
    library: Library, index: VectorIndex
) -> None:
    add(library, BRIDGE, path="/books/b.txt")
    new = add(library, "The new bridge is of steel.", path="/books/b.txt")
    assert library.documents() == [new]
    assert near(library, "old bridge granite") == ["The new bridge is of steel."]
    assert worded(library, "granite") == []
    assert count_of(index, library) == (1, 1)


def test_the_old_version_answers_until_the_new_one_is_published(library: Library) -> None:
    old = add(library, BRIDGE, path="/books/b.txt")
    stage(library, document("Of steel.", path="/books/b.txt"), "Of steel.")
    assert library.documents() == [old]
    assert near(library, "granite towers", limit=1) == ["Its towers are of granite."]


def test_a_removed_document_answers_nothing(library: Library, index: VectorIndex) -> None:
    gone, stays = add(library, BRIDGE), add(library, LLAMA, title="Llamas")
    library.remove(gone)
    assert library.documents() == [stays]
    assert set(near(library, "old bridge granite")) == set(LLAMA.split("\n\n"))
    assert worded(library, "granite") == []
    assert library.pages(gone.id) == []
    assert count_of(index, library) == (2, 2)


def traces(folder: Path, needles: list[bytes]) -> list[str]:
    """Return the files below `folder` that hold one of the byte strings."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


@pytest.mark.parametrize("how", ["remove", "replace"])
def test_no_trace_of_a_removed_document_stays_on_disk(
    library: Library, tmp_path: Path, how: str
) -> None:
    secret = "zxqvunique quetzalword"
    text = f"The word is {secret}.\n\nAnother page with {secret}."
    source = tmp_path / "secret.txt"
    source.write_text(text)
    described = document(text, title="Secret", path=str(source))
    add(library, LLAMA, title="Llamas")
    stage(library, described, text)
    library.store_file(described, source)
    library.publish(described)
    library.cache(described.id, "summary:1", f"About {secret}.")
    vectors = EMBEDDER.embed_passages(text.split("\n\n"))
    needles = [
        *(word.encode(code) for word in secret.split() for code in ("utf-8", "utf-16-le")),
        described.id.encode(),
        *(row.astype(kind).tobytes() for row in vectors for kind in (np.float16, np.float32)),
    ]
    assert traces(library.folder, needles) != []
    if how == "remove":
        library.remove(described)
    else:
        add(library, "Nothing to see.", title="Secret", path=str(source))
    assert traces(library.folder, needles) == []
    assert worded(library, secret) == []
    assert not any("zxqv" in text for text in near(library, secret, limit=10))


# keeping whole


def test_a_lost_index_is_built_again_from_the_rows(library: Library, index: VectorIndex) -> None:
    add(library, BRIDGE)
    add(library, LLAMA, title="Llamas")
    before = near(library, "granite towers and wool")
    index.rebuild([])
    assert near(library, "granite towers and wool") == before
    assert count_of(index, library) == (5, 5)


def test_stale_rows_in_the_index_are_passed_over(library: Library, index: VectorIndex) -> None:
    add(library, BRIDGE)
    stale = EMBEDDER.embed_passages(["granite towers"] * 3)
    index.add([9001, 9002, 9003], stale, ["gone"] * 3)
    assert near(library, "granite towers", limit=1) == ["Its towers are of granite."]


def test_publishing_drops_stale_rows_from_the_index(library: Library, index: VectorIndex) -> None:
    add(library, BRIDGE)
    index.add([9001], EMBEDDER.embed_passages(["granite"]), ["gone"])
    add(library, LLAMA, title="Llamas")
    assert count_of(index, library) == (5, 5)


def test_publishing_goes_on_after_rows_had_reached_the_index(
    library: Library, index: VectorIndex
) -> None:
    add(library, LLAMA, title="Llamas")
    described = document(BRIDGE)
    stage(library, described, BRIDGE)
    rows = library.database.rows("SELECT id FROM chunks WHERE document_id = ?", described.id)
    vectors = EMBEDDER.embed_passages(BRIDGE.split("\n\n"))
    index.add([row["id"] for row in rows], vectors, [described.id] * 3)  # and then the lights went
    library.publish(described)
    assert near(library, "granite towers", limit=1) == ["Its towers are of granite."]
    assert count_of(index, library) == (5, 5)


def test_an_index_that_loses_rows_is_noticed_before_anything_is_shown(tmp_path: Path) -> None:
    library = Library(tmp_path / "home", Forgetful(), embedder=EMBEDDER)
    with refused(LibraryDamaged(folder=str(library.folder), reason=Reason.INDEX_SHORT)):
        add(library, BRIDGE)
    assert library.documents() == []


class Forgetful(ExactIndex):
    """Keeps all rows but the last of each batch."""

    def add(self, ids, vectors, documents):  # type: ignore[no-untyped-def]
        super().add(ids[:-1], vectors[:-1], documents[:-1])


def test_check_finds_nothing_wrong_with_a_whole_library(library: Library, tmp_path: Path) -> None:
    source = tmp_path / "b.txt"
    source.write_text(BRIDGE)
    known = add(library, BRIDGE)
    library.store_file(known, source)
    assert library.check() == []


def test_check_mends_the_index_and_names_what_is_missing(
    library: Library, index: VectorIndex
) -> None:
    add(library, BRIDGE, title="The bridge")
    index.rebuild([])
    assert library.check() == [Notice("FileLost", {"title": "The bridge"})]
    assert index.count() == 3


def test_vectors_of_another_embedder_are_neither_added_nor_searched(
    tmp_path: Path, index: VectorIndex
) -> None:
    add(Library(tmp_path / "home", index, embedder=EMBEDDER), BRIDGE)
    other = Library(tmp_path / "home", index, embedder=Elsewhere())
    with pytest.raises(WrongEmbedder, match="hash"):
        stage(other, document(LLAMA), LLAMA)
    with pytest.raises(WrongEmbedder, match="elsewhere"):
        near(other, "bridge")
    assert [known.title for known in other.documents()] == ["Notes"]


def test_looking_at_a_new_library_does_not_choose_its_embedder(tmp_path: Path) -> None:
    library = Library(tmp_path / "home", ExactIndex(), embedder=Elsewhere())
    assert near(library, "bridge") == []
    assert library.database.fact("embedder") is None


def test_a_document_can_be_renamed(library: Library) -> None:
    book = add(library, BRIDGE)
    library.rename(book, "About bridges")
    (renamed,) = library.documents()
    assert renamed == replace(book, title="About bridges", read_as=book.title)
    assert library.document("About bridges").id == book.id
    library.rename(renamed, "On bridges")
    (again,) = library.documents()
    assert section_head(again, "Piers") == section_head(book, "Piers")  # read as before


def earlier(folder: Path, version: int) -> Document:
    """Make a library as a version of Quipu left it; return its document as it is read now."""
    book = replace(
        document(BRIDGE, title="The bridge"), notes=(Notice("Remark", {"text": "no text"}),)
    )
    db = sqlite3.connect(folder / "library.db")
    db.executescript("".join(VERSIONS[:version]))
    db.execute("INSERT INTO facts VALUES ('schema_version', ?)", (str(version),))
    described = (book.title, book.path, book.language, book.page_count, book.word_count)
    values = (book.id, "ready", *described, book.chunk_count, book.added_at, '["no text"]')
    db.execute(f"INSERT INTO documents VALUES ({', '.join('?' * len(values))})", values)
    if version > 1:
        told = json.loads(kinds()["summary"].to_json(summary_of(book)))
        told["document"]["notes"] = ["no text"]
        del told["focus"]
        key = (book.id, "en", "short", "2026-11-01")
        db.execute("INSERT INTO summaries VALUES (?, ?, ?, ?, ?)", (*key, json.dumps(told)))
    db.commit()
    db.close()
    return book


@pytest.mark.parametrize("version", [1, 2])
def test_a_library_of_an_earlier_version_is_brought_forward(tmp_path: Path, version: int) -> None:
    book = earlier(tmp_path, version)
    for _ in range(2):
        opened = Library(tmp_path, ExactIndex())
        assert opened.documents() == [book]
        assert opened.database.fact("schema_version") == str(len(VERSIONS))
        assert stored(opened, "summary") == [summary_of(book)] * (version - 1)
        assert ConversationTable(opened.database).conversations() == []
        assert stored(opened, "comparison") == []
        opened.close()


def test_a_library_of_version_3_keeps_all_that_was_made_in_it(tmp_path: Path) -> None:
    # Made by the last commit with that version, with the fakes of the tests.
    old = Path(__file__).parent / "old" / "library-3.db"
    (tmp_path / "library.db").write_bytes(old.read_bytes())
    opened = Library(tmp_path, ExactIndex())
    book = opened.document("The bridge")
    other = opened.document("Another bridge")
    table = ConversationTable(opened.database)
    (talk,) = table.conversations()
    (turn,) = table.turns(talk.id)
    assert turn.answer is not None
    assert turn.answer.text == "The bridge is 91 metres long. [1]"
    assert (turn.answer.citations[0].document_id, turn.answer.truncated) == (book.id, False)
    summaries = stored(opened, "summary")
    assert {made.focus for made in summaries} == {"", 'the «length», or "size"'}
    assert {made.overview[0].text for made in summaries} == {"The bridge is 91 metres long."}
    (comparison,) = stored(opened, "comparison")
    assert (comparison.first, comparison.second) == (book, other)
    (questions,) = stored(opened, "questions")
    assert (questions.questions, questions.model) == (("How long is the bridge?",), "scripted")
    rows = opened.database.rows("SELECT kind, key FROM reports")
    made = [*summaries, comparison, questions]
    specs = [
        kind.spec_of(report)
        for kind in kinds().values()
        for report in made
        if isinstance(report, kind.result)
    ]
    assert {(row["kind"], row["key"]) for row in rows} == {(s.kind, s.key) for s in specs}
    opened.remove(other)
    assert stored(opened, "comparison") == []
    assert len(stored(opened, "summary")) == 2
    opened.close()


def test_a_library_of_a_later_version_is_refused(library: Library) -> None:
    with library.database.writing() as db:
        db.execute("UPDATE facts SET value = '99' WHERE key = 'schema_version'")
    with refused(LibraryDamaged(folder=str(library.folder), reason=Reason.NEWER)):
        Library(library.folder, ExactIndex())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library.db").write_bytes(b"This is no database. " * 100)
    with pytest.raises(LibraryDamaged, match="database"):
        Library(tmp_path, ExactIndex())


def test_only_the_owner_may_read_the_library(library: Library, tmp_path: Path) -> None:
    source = tmp_path / "b.txt"
    source.write_text(BRIDGE)
    source.chmod(0o644)
    known = add(library, BRIDGE)
    library.store_file(known, source)
    assert library.folder.stat().st_mode & 0o777 == 0o700
    files = [library.file(known), *library.folder.glob("library.db*")]
    assert {path.name: path.stat().st_mode & 0o777 for path in files} == {
        path.name: 0o600 for path in files
    }
    folders = [path for path in library.folder.iterdir() if path.is_dir()]
    assert {path.name: path.stat().st_mode & 0o777 for path in folders} == {
        path.name: 0o700 for path in folders
    }


def test_a_library_may_be_used_from_several_threads(
    library: Library, in_thread: Callable[[Callable[[], list[str]]], list[str]]
) -> None:
    add(library, BRIDGE)

    def search() -> list[str]:
        try:
            return near(library, "granite towers", limit=1)
        finally:
            library.close()

    assert in_thread(search) == ["Its towers are of granite."]


@pytest.fixture
def in_thread() -> Callable[[Callable[[], list[str]]], list[str]]:
    from concurrent.futures import ThreadPoolExecutor

    def run(work: Callable[[], list[str]]) -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result()

    return run


def test_foreign_keys_and_the_write_ahead_log_are_on(library: Library) -> None:
    db = library.database.connection()
    assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert isinstance(db, sqlite3.Connection)


def test_words_score_as_a_share_of_what_the_question_s_words_weigh(library: Library) -> None:
    add(library, "The old bridge.\n\nThe mill.\n\nThe sea.\n\nThe bridge and the mill by the sea.")
    whole, half = (
        library.search_words(question, limit=1)[0].score
        for question in ("bridge mill sea", "bridge unicorn dragon")
    )
    assert 0 < half < whole / 2


def test_vectors_come_in_the_order_of_the_passages(library: Library) -> None:
    add(library, "One bridge.\n\nTwo mills.\n\nThree seas.")
    library.open()
    found = library.search_vectors(EMBEDDER.embed_queries(["mills"])[0], limit=3)
    expected = EMBEDDER.embed_passages([passage.chunk.text for passage in found])
    assert np.allclose(library.vectors(found), expected, atol=1e-3)
