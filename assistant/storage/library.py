"""The library on disk: documents, pages, headings, chunks, words and vectors in one database.

The database is the truth; the vector index beside it is rebuilt from its rows and holds nothing
of its own. Reading never waits for a lock; writing takes one that other processes respect.

    library.db   the truth, see database.py
    files/       the originals
    states/      what models kept of the documents they read, see snapshots.py
    index/       the vector index
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.backends.base import Embedder
from assistant.errors import (
    AmbiguousDocument,
    LibraryDamaged,
    Notice,
    Reason,
    UnknownDocument,
    WrongEmbedder,
)
from assistant.storage.base import VectorIndex
from assistant.storage.conversations import forget, pass_on
from assistant.storage.database import Connection, Database, Row
from assistant.storage.keywords import Terms, fold, match_expression, query_terms, rarity
from assistant.types import Chunk, Document, DocumentText, Heading, Matrix, Page, Passage, Vector

STATES = "states"  # folder in which there is one for each document
INDEX_BATCH = 250  # rows: writing to Chroma levels off at about 150
OVERFETCH = 4  # hits asked of the index per wanted one: rows of removed documents are skipped


class Library:
    """Documents with their pages, chunks and vectors.

    One object may be used from several threads; several processes may use one folder.
    """

    def __init__(self, folder: Path, index: VectorIndex, *, embedder: Embedder | None = None):
        """Open the library, making it when the folder is new.

        Raises:
            LibraryDamaged: the file is no database, or of a later version.
        """
        self.folder = folder
        self.database = Database(folder)
        self._index = index
        self._embedder = embedder
        self._thread = threading.local()  # the documents as this thread last saw them

    # reading

    def open(self) -> None:
        self._check_embedder(stored_only=True)
        self._check_index()

    def documents(self) -> list[Document]:
        return list(self._by_id().values())

    def document(self, reference: str) -> Document:
        every = self.documents()
        wanted = reference.strip()
        if (known := self._by_id().get(wanted)) is not None:
            return known  # whatever others are called
        found = [d for d in every if wanted in (d.title, d.path, Path(d.path).name)]
        if not found and len(wanted) >= 4:
            found = [d for d in every if d.id.startswith(wanted.lower())]
        if not found:
            raise UnknownDocument(reference=reference)
        if len(found) > 1:
            names = ", ".join(f"{d.short_id} {d.title}" for d in found)
            raise AmbiguousDocument(reference=reference, names=names)
        return found[0]

    def find(self, document_id: str) -> Document | None:
        return next(iter(self._documents("id = ?", document_id)), None)

    def find_path(self, path: str) -> Document | None:
        return next(iter(self._documents("path = ?", path)), None)

    def pages(self, document_id: str) -> list[Page]:
        rows = self.database.rows(
            "SELECT number, text, label FROM pages WHERE document_id = ? ORDER BY number",
            document_id,
        )
        return [Page(**row) for row in rows]

    def document_text(self, document_id: str) -> DocumentText:
        rows = self.database.rows(
            "SELECT level, title, char_start FROM headings WHERE document_id = ? "
            "ORDER BY char_start",
            document_id,
        )
        return DocumentText.of(self.pages(document_id), [Heading(**row) for row in rows])

    def chunks(self, document_id: str) -> list[Chunk]:
        rows = self.database.rows(
            "SELECT * FROM chunks WHERE document_id = ? ORDER BY ordinal", document_id
        )
        return [_chunk(row) for row in rows]

    def file(self, document: Document) -> Path:
        """Return where the original of a document is kept."""
        return self.folder / "files" / f"{document.id}{Path(document.path).suffix.lower()}"

    def search_vectors(
        self, query: Vector, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Passage]:
        hits = self._index.search(query, limit=limit * OVERFETCH, documents=documents)
        found: list[Passage] = []
        while hits and len(found) < limit:  # hardly ever a second time
            found += self._passages(hits[:limit], documents)
            hits = hits[limit:]
        return found[:limit]

    def search_words(
        self,
        question: str,
        *,
        limit: int,
        documents: Sequence[str] | None = None,
        shared: bool = False,
    ) -> list[Passage]:
        words = query_terms(question, self._languages(), shared=shared)
        held, values = _held_to(documents)
        rows = self.database.rows(
            "SELECT words.rowid AS id, -bm25(words) AS score FROM words "
            "JOIN chunks ON chunks.id = words.rowid "
            f"WHERE words MATCH ? {held} ORDER BY score DESC LIMIT ?",
            *(match_expression(words), *values, limit),
        )
        weight = max(self._rarity(words), 1e-6)
        hits = [(int(row["id"]), float(row["score"]) / weight) for row in rows]
        return self._passages(hits, documents)

    def _by_id(self) -> dict[str, Document]:
        """Return the documents that everybody sees; read again when something was written."""
        state, known = getattr(self._thread, "known", (None, {}))
        now = self.database.state()
        if state != now:
            known = {document.id: document for document in self._documents("true")}
            self._thread.known = now, known
        return known

    def _documents(self, where: str, *values: Any) -> list[Document]:
        """Return the documents that everybody sees, of those that the condition names."""
        rows = self.database.rows(
            f"SELECT * FROM documents WHERE state = 'ready' AND {where} ORDER BY added_at, title",
            *values,
        )
        return [_document(row) for row in rows]

    def _rarity(self, words: Sequence[Terms]) -> float:
        terms = sorted({term for each in words for term in each})
        marks = ", ".join("?" for _ in terms)
        found = self.database.rows(f"SELECT term, doc FROM terms WHERE term IN ({marks})", *terms)
        counts = {str(row["term"]): int(row["doc"]) for row in found}
        return rarity(words, counts, self._count_ready())

    def vectors(self, passages: Sequence[Passage]) -> Matrix:
        marks = ", ".join("(?, ?)" for _ in passages)
        keys = [(p.chunk.document_id, p.chunk.ordinal) for p in passages]
        rows = self.database.rows(
            "SELECT document_id, ordinal, vector FROM chunks "
            f"WHERE (document_id, ordinal) IN (VALUES {marks})",
            *(value for key in keys for value in key),
        )
        found = {(row["document_id"], row["ordinal"]): row["vector"] for row in rows}
        return _matrix([found[key] for key in keys])

    def kept(self, document_id: str, key: str) -> str | None:
        rows = self.database.rows(
            "SELECT text FROM kept WHERE document_id = ? AND key = ?", document_id, key
        )
        return str(rows[0]["text"]) if rows else None

    # writing

    def keep(self, document_id: str, key: str, text: str) -> None:
        with self.database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO kept SELECT id, ?, ? FROM documents WHERE id = ?",
                (key, text, document_id),
            )

    def adding(self, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the right to take documents in; call `waiting` once if another process has it."""
        return self.database.adding(waiting)

    def stage(self, document: Document, pages: Sequence[Page], headings: Sequence[Heading]) -> None:
        self._check_embedder()
        with self.database.writing() as db:
            db.execute(
                "INSERT INTO documents VALUES (?, 'staged', ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET title = excluded.title, path = excluded.path",
                _values(document),
            )
            db.execute(
                "DELETE FROM chunks WHERE document_id = ? AND ordinal >= ?",
                (document.id, document.chunk_count),
            )
            db.execute("DELETE FROM pages WHERE document_id = ?", (document.id,))
            db.execute("DELETE FROM headings WHERE document_id = ?", (document.id,))
            db.executemany(
                "INSERT INTO pages VALUES (?, ?, ?, ?)",
                [(document.id, page.number, page.label, page.text) for page in pages],
            )
            db.executemany(
                "INSERT INTO headings VALUES (?, ?, ?, ?)",
                [(document.id, h.level, h.title, h.char_start) for h in headings],
            )

    def staged_vectors(self, document_id: str) -> Mapping[int, tuple[str, Vector]]:
        rows = self.database.rows(
            "SELECT ordinal, text, vector FROM chunks WHERE document_id = ?", document_id
        )
        return {row["ordinal"]: (row["text"], _matrix([row["vector"]])[0]) for row in rows}

    def stage_chunks(self, chunks: Sequence[Chunk], vectors: Matrix) -> None:
        with self.database.writing() as db:
            for chunk, vector in zip(chunks, vectors, strict=True):
                db.execute(
                    "INSERT OR REPLACE INTO chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        chunk.document_id,
                        chunk.ordinal,
                        chunk.text,
                        chunk.char_start,
                        chunk.char_end,
                        json.dumps(chunk.page_starts),
                        chunk.heading,
                        vector.astype("float16").tobytes(),
                    ),
                )

    def publish(self, document: Document) -> None:
        """Index the staged chunks, check the index, then show the document in one step.

        Raises:
            LibraryDamaged: the index does not hold what it was given.
        """
        rows = self.database.rows(
            "SELECT id, ordinal FROM chunks WHERE document_id = ?", document.id
        )
        if len(rows) != document.chunk_count:
            raise LibraryDamaged(folder=str(self.folder), reason=Reason.PARTLY_STAGED)
        with self.database.locked():
            ready = self._count_ready()
            if self._index.count() != ready:  # rows of a publication that was interrupted
                self._rebuild()
            expected = ready + len(rows)
            for batch in self._vector_rows("document_id = ?", document.id):
                self._index.add(*batch)
            if self._index.count() != expected:
                raise LibraryDamaged(folder=str(self.folder), reason=Reason.INDEX_SHORT)
            replaced = self._flip(document)
            if replaced:
                self._forget_traces()

    def rename(self, document: Document, title: str) -> None:
        """Give a document another title; what models read of it keeps the first."""
        with self.database.writing() as db:
            db.execute(
                "UPDATE documents SET title = ?, read_as = ? WHERE id = ?",
                (title, document.title_read, document.id),
            )

    def discard(self, document_id: str) -> None:
        self._discard("id = ?", document_id)

    def discard_unfinished(self, *, but: str) -> None:
        """Drop what interrupted runs have staged, except the document that is now resumed."""
        self._discard("id != ?", but)

    def store_file(self, document: Document, source: Path) -> None:
        """Keep a copy of the original for page pictures and later readings."""
        target = self.file(document)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.copyfile(source, partial)
            partial.chmod(0o600)
            partial.rename(target)

    def remove(self, document: Document) -> None:
        """Remove a document and every trace of it: rows, words, vectors, file, free space."""
        with self.database.locked():
            with self.database.transaction() as db:
                forget(db, document.id)
                self._delete(db, [document.id])
            self._drop_files(document)
            self._forget_traces()

    def close(self) -> None:
        """Close this thread's connection."""
        self.database.close()

    # keeping whole

    def check(self) -> list[Notice]:
        """Repair the index, and return what else is wrong."""
        rows = self.database.rows("PRAGMA quick_check")
        problems = [Notice("DamagedRows", {"detail": row[0]}) for row in rows if row[0] != "ok"]
        with self.database.locked():  # nobody is in the middle of publishing
            if self._index.count() != self._count_ready():
                self._rebuild()
        for document in self.documents():
            if not self.file(document).exists():
                problems.append(Notice("FileLost", {"title": document.title}))
        return problems

    def drop_strays(self) -> None:
        """Drop what models kept of documents that are gone: somebody read on meanwhile."""
        known = {document.id for document in self.documents()}
        for folder in (self.folder / STATES).glob("*"):
            if folder.is_dir() and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    # inside

    def _check_embedder(self, *, stored_only: bool = False) -> None:
        """Note whose vectors these are, unless `stored_only`.

        Raises:
            WrongEmbedder: the library's vectors are of another embedding model.
        """
        if self._embedder is None:
            return
        name, print_ = self._embedder.name, self._embedder.fingerprint
        if self.database.fact("embedder_fingerprint") not in (None, print_):
            raise WrongEmbedder(stored=self.database.fact("embedder") or "?", given=name)
        if not stored_only:
            self.database.fact_or_new("embedder_fingerprint", print_)
            self.database.fact_or_new("embedder", name)

    def _discard(self, which: str, document_id: str) -> None:
        """Drop staged documents with what is kept of their files."""
        with self.database.locked():
            staged = self.database.rows(
                f"SELECT id FROM documents WHERE state = 'staged' AND {which}", document_id
            )
            with self.database.transaction() as db:
                self._delete(db, [row["id"] for row in staged])
            for row in staged:
                for file in (self.folder / "files").glob(f"{row['id']}*"):
                    file.unlink(missing_ok=True)

    def _flip(self, document: Document) -> bool:
        """Show the staged document for the older one of its path; return if there was one."""
        old = self._documents("path = ? AND id != ?", document.path, document.id)
        with self.database.transaction() as db:
            for gone in old:
                pass_on(db, gone.id, document.id)
            self._delete(db, [d.id for d in old])
            self._write_words(db, document)
            db.execute(
                "UPDATE documents SET state = 'ready', title = ?, path = ?, language = ?, "
                "page_count = ?, word_count = ?, chunk_count = ?, added_at = ?, notes = ?, "
                "read_as = ? WHERE id = ?",
                (*_values(document)[1:], document.id),
            )
        for gone in old:
            self._drop_files(gone)
        return bool(old)

    def _drop_files(self, document: Document) -> None:
        self.file(document).unlink(missing_ok=True)
        shutil.rmtree(self.folder / STATES / document.id, ignore_errors=True)

    def _write_words(self, db: Connection, document: Document) -> None:
        rows = db.execute(
            "SELECT id, heading, text FROM chunks WHERE document_id = ?", (document.id,)
        ).fetchall()
        db.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)",
            [
                (row["id"], fold(f"{row['heading']} {row['text']}", document.language))
                for row in rows
            ],
        )

    def _delete(self, db: Connection, document_ids: Sequence[str]) -> None:
        for document_id in document_ids:
            db.execute(
                "DELETE FROM words WHERE rowid IN (SELECT id FROM chunks WHERE document_id = ?)",
                (document_id,),
            )
            db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def _forget_traces(self) -> None:
        """Drop what deletion leaves behind in the index and in the database."""
        self._rebuild()
        self.database.forget_traces()

    def _rebuild(self) -> None:
        ready = "document_id IN (SELECT id FROM documents WHERE state = 'ready')"
        self._index.rebuild(self._vector_rows(ready))

    def _check_index(self) -> None:
        """Rebuild the index when it does not hold the rows it should (lost, or another's)."""
        if self._index.count() < self._count_ready():
            with self.database.locked():  # meanwhile the process that held it may have done it
                if self._index.count() < self._count_ready():
                    self._rebuild()

    def _count_ready(self) -> int:
        return int(
            self.database.rows(
                "SELECT coalesce(sum(chunk_count), 0) FROM documents WHERE state = 'ready'"
            )[0][0]
        )

    def _vector_rows(
        self, where: str, *values: Any
    ) -> Iterator[tuple[list[int], Matrix, list[str]]]:
        query = f"SELECT id, document_id, vector FROM chunks WHERE {where} ORDER BY id"
        cursor = self.database.connection().execute(query, values)
        while rows := cursor.fetchmany(INDEX_BATCH):
            vectors = _matrix([row["vector"] for row in rows])
            yield [row["id"] for row in rows], vectors, [row["document_id"] for row in rows]

    def _languages(self) -> list[str]:
        rows = self.database.rows("SELECT DISTINCT language FROM documents WHERE state = 'ready'")
        return sorted(str(row["language"]) for row in rows)

    def _passages(
        self, hits: Sequence[tuple[int, float]], documents: Sequence[str] | None
    ) -> list[Passage]:
        """Return the hits that are chunks of ready documents, in the order of the hits."""
        marks = ", ".join("?" for _ in hits)
        rows = self.database.rows(
            f"SELECT * FROM chunks WHERE id IN ({marks})", *[i for i, _ in hits]
        )
        known = self._by_id()
        wanted = known.keys() if documents is None else known.keys() & set(documents)
        chunks = {row["id"]: _chunk(row) for row in rows if row["document_id"] in wanted}
        return [
            Passage(chunk=chunks[i], document=known[chunks[i].document_id], score=score)
            for i, score in hits
            if i in chunks
        ]


def _held_to(documents: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    """Return a condition that holds rows of chunks to these documents, and its values."""
    if documents is None:
        return "", ()
    return f"AND document_id IN ({', '.join('?' for _ in documents)})", documents


def _document(row: Row) -> Document:
    document_id, _state, *described, notes, read_as = row
    told = () if notes == "[]" else tuple(map(_note, json.loads(notes)))
    return Document(*(document_id, *described, told, read_as))


def _note(told: dict[str, Any]) -> Notice:
    """Return a note; earlier versions wrote its English text too, the first nothing else."""
    return (
        Notice(told["kind"], told["facts"])
        if told["kind"]
        else Notice("Remark", {"text": told["text"]})
    )


def _values(document: Document) -> tuple[Any, ...]:
    """Return the document's fields in the order of the table, without its state."""
    fields = asdict(document)
    fields["notes"] = json.dumps(fields["notes"], ensure_ascii=False)
    return tuple(fields.values())


def _chunk(row: Row) -> Chunk:
    return Chunk(
        document_id=row["document_id"],
        ordinal=row["ordinal"],
        text=row["text"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        page_starts=tuple((offset, page) for offset, page in json.loads(row["page_starts"])),
        heading=row["heading"],
    )


def _matrix(blobs: Sequence[bytes]) -> Matrix:
    """Return the vectors that float16 blobs hold."""
    import numpy as np

    values = np.frombuffer(b"".join(blobs), dtype=np.float16)
    return values.reshape(len(blobs), -1).astype(np.float32)
