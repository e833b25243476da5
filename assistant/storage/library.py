"""The library on disk: documents, pages, headings, chunks, words and vectors in one database.

This module writes; reading.py answers. The database is the truth; the vector index beside it is
rebuilt from its rows and holds nothing of its own. Writing takes a lock that other processes
respect; reading never waits for one.

    library.db   the truth, see database.py
    files/       the originals
    states/      the KV cache of each document, see backends/llama/kv_cache.py
    index/       the vector index
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from assistant.backends.base import Embedder
from assistant.errors import LibraryDamaged, Notice, Reason, WrongEmbedder
from assistant.storage.base import VectorIndex
from assistant.storage.conversations import forget, pass_on
from assistant.storage.database import Connection
from assistant.storage.keywords import fold
from assistant.storage.reading import LibraryReader
from assistant.storage.rows import matrix_of, values_of
from assistant.types import Chunk, Document, Heading, Matrix, Page, Vector

STATES = "states"  # folder in which there is one for each document
INDEX_BATCH = 250  # rows: writing to Chroma levels off at about 150


class Library(LibraryReader):
    """Documents with their pages, chunks and vectors.

    One object may be used from several threads; several processes may use one folder.
    """

    def __init__(self, folder: Path, index: VectorIndex, *, embedder: Embedder | None = None):
        """Open the library, making it when the folder is new.

        Raises:
            LibraryDamaged: the file is no database, or of a later version.
        """
        super().__init__(folder, index)
        self._embedder = embedder

    def open(self) -> None:
        """Make the index usable, and rebuild it where rows are missing."""
        self._check_embedder(stored_only=True)
        self._check_index()

    def cache(self, document_id: str, key: str, text: str) -> None:
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
                values_of(document),
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
        return {row["ordinal"]: (row["text"], matrix_of([row["vector"]])[0]) for row in rows}

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
                (*values_of(document)[1:], document.id),
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

    def _vector_rows(
        self, where: str, *values: Any
    ) -> Iterator[tuple[list[int], Matrix, list[str]]]:
        query = f"SELECT id, document_id, vector FROM chunks WHERE {where} ORDER BY id"
        cursor = self.database.connection().execute(query, values)
        while rows := cursor.fetchmany(INDEX_BATCH):
            vectors = matrix_of([row["vector"] for row in rows])
            yield [row["id"] for row in rows], vectors, [row["document_id"] for row in rows]
