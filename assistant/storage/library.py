"""The library on disk: documents, pages, headings, chunks, keywords and vectors in one database.

Here documents are added, replaced and removed; reading.py reads, search.py searches. The database
is the source of truth: the vector index can be rebuilt from its rows at any time. Writing takes a
lock that other processes respect; reading never waits for one.

    library.db   the database, see database.py
    files/       the originals
    states/      the KV cache of each document, see backends/llama/kv_cache.py
    index/       the vector index
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from assistant.backends.base import Embedder
from assistant.errors import LibraryDamaged, Notice, Reason, WrongEmbedder
from assistant.storage.base import VectorIndex
from assistant.storage.conversations import forget, pass_on
from assistant.storage.database import Connection
from assistant.storage.keywords import fold
from assistant.storage.reading import LibraryReader
from assistant.storage.rows import (
    CHUNK_COLUMNS,
    DOCUMENT_COLUMNS,
    chunk_row,
    document_row,
    insert_into,
    matrix_of,
)
from assistant.types import Chunk, Document, Heading, Matrix, Page, Vector

STATES: Final = "states"  # folder of the KV cache; it has a folder for each document
STAGE_DOCUMENT: Final = (
    f"INSERT {insert_into('documents', ('state', *DOCUMENT_COLUMNS))} "
    "ON CONFLICT (id) DO UPDATE SET title = excluded.title, path = excluded.path"
)
SHOW_DOCUMENT: Final = (
    "UPDATE documents SET state = 'ready', "
    f"{', '.join(f'{name} = :{name}' for name in DOCUMENT_COLUMNS)} WHERE id = :id"
)
STAGE_CHUNK: Final = f"INSERT OR REPLACE {insert_into('chunks', CHUNK_COLUMNS)}"


class Library(LibraryReader):
    """Documents with their pages, chunks and vectors.

    One object may be used from several threads; several processes may use one folder.
    """

    def __init__(
        self, folder: Path, index: VectorIndex, *, embedder: Embedder | None = None
    ) -> None:
        """Open the library, making it when the folder is new.

        Raises:
            LibraryDamaged: the file is no database, or of a later version.
        """
        super().__init__(folder, index)
        self._embedder = embedder

    def open(self) -> None:
        """Make the index usable, and rebuild it where rows are missing."""
        self._check_embedder(stored_only=True)
        if self._vectors.is_short:
            with self.database.locked():
                if self._vectors.is_short:  # unless another process has just rebuilt it
                    self._vectors.rebuild()

    def cache(self, document_id: str, key: str, text: str) -> None:
        with self.database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO kept (document_id, key, text) "
                "SELECT id, ?, ? FROM documents WHERE id = ?",
                (key, text, document_id),
            )

    def adding(self, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the lock for adding documents; call `waiting` once if another process holds it."""
        return self.database.adding(waiting)

    def stage(self, document: Document, pages: Sequence[Page], headings: Sequence[Heading]) -> None:
        self._check_embedder()
        with self.database.writing() as db:
            db.execute(STAGE_DOCUMENT, {"state": "staged", **document_row(document)})
            db.execute(
                "DELETE FROM chunks WHERE document_id = ? AND ordinal >= ?",
                (document.id, document.chunk_count),
            )
            db.execute("DELETE FROM pages WHERE document_id = ?", (document.id,))
            db.execute("DELETE FROM headings WHERE document_id = ?", (document.id,))
            db.executemany(
                "INSERT INTO pages (document_id, number, label, text) VALUES (?, ?, ?, ?)",
                [(document.id, page.number, page.label, page.text) for page in pages],
            )
            db.executemany(
                "INSERT INTO headings (document_id, level, title, char_start) VALUES (?, ?, ?, ?)",
                [(document.id, h.level, h.title, h.char_start) for h in headings],
            )

    def staged_vectors(self, document_id: str) -> Mapping[int, tuple[str, Vector]]:
        rows = self.database.rows(
            "SELECT ordinal, text, vector FROM chunks WHERE document_id = ?", document_id
        )
        return {row["ordinal"]: (row["text"], matrix_of([row["vector"]])[0]) for row in rows}

    def stage_chunks(self, chunks: Sequence[Chunk], vectors: Matrix) -> None:
        with self.database.writing() as db:
            rows = [chunk_row(*pair) for pair in zip(chunks, vectors, strict=True)]
            db.executemany(STAGE_CHUNK, rows)

    def publish(self, document: Document) -> None:
        """Index the staged chunks, check the index, then make the document visible in one step.

        Raises:
            LibraryDamaged: chunks are missing, or the index lost rows.
        """
        (staged,) = self.database.rows(
            "SELECT count(*) AS chunks FROM chunks WHERE document_id = ?", document.id
        )
        if staged["chunks"] != document.chunk_count:
            raise LibraryDamaged(folder=str(self.folder), reason=Reason.PARTLY_STAGED)
        with self.database.locked():
            if not self._vectors.add(document.id):
                raise LibraryDamaged(folder=str(self.folder), reason=Reason.INDEX_SHORT)
            if self._show(document):
                self._erase_traces()

    def rename(self, document: Document, title: str) -> None:
        """Give a document another title; prompts keep the first, so that cached KV stays valid."""
        with self.database.writing() as db:
            db.execute(
                "UPDATE documents SET title = ?, read_as = ? WHERE id = ?",
                (title, document.title_read, document.id),
            )

    def discard(self, document_id: str) -> None:
        self._discard("id = ?", document_id)

    def discard_unfinished(self, *, but: str) -> None:
        """Discard the documents staged by interrupted runs, except the one now continued."""
        self._discard("id != ?", but)

    def store_file(self, document: Document, source: Path) -> None:
        """Copy the original into the library, for page images and for reading it again."""
        target = self.file(document)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.copyfile(source, partial)
            partial.chmod(0o600)
            partial.rename(target)

    def remove(self, document: Document) -> None:
        """Remove a document and every trace of it: rows, keywords, vectors, files, free pages."""
        with self.database.locked():
            with self.database.transaction() as db:
                forget(db, document.id)
                self._delete(db, [document.id])
            self._delete_files(document)
            self._erase_traces()

    def close(self) -> None:
        """Close this thread's connection."""
        self.database.close()

    def check(self) -> list[Notice]:
        """Repair the vector index, and return the problems that cannot be repaired."""
        rows = self.database.rows("PRAGMA quick_check")
        problems = [Notice("DamagedRows", {"detail": row[0]}) for row in rows if row[0] != "ok"]
        with self.database.locked():  # so that no document is being published
            self._vectors.repair()
        for document in self.documents():
            if not self.file(document).exists():
                problems.append(Notice("FileLost", {"title": document.title}))
        return problems

    def drop_strays(self) -> None:
        """Delete cached KV of removed documents: a process may write some after the removal."""
        known = {document.id for document in self.documents()}
        for folder in (self.folder / STATES).glob("*"):
            if folder.is_dir() and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def _check_embedder(self, *, stored_only: bool = False) -> None:
        """Check that the vectors are of this embedding model; record it unless `stored_only`.

        Raises:
            WrongEmbedder: they are of another one.
        """
        if self._embedder is None:
            return
        name, fingerprint = self._embedder.name, self._embedder.fingerprint
        if self.database.fact("embedder_fingerprint") not in (None, fingerprint):
            raise WrongEmbedder(stored=self.database.fact("embedder") or "?", given=name)
        if not stored_only:
            self.database.fact_or_new("embedder_fingerprint", fingerprint)
            self.database.fact_or_new("embedder", name)

    def _discard(self, condition: str, document_id: str) -> None:
        """Delete the staged documents that meet an SQL condition, with their files."""
        with self.database.locked():
            staged = self.database.rows(
                f"SELECT id FROM documents WHERE state = 'staged' AND {condition}", document_id
            )
            with self.database.transaction() as db:
                self._delete(db, [row["id"] for row in staged])
            for row in staged:
                for file in (self.folder / "files").glob(f"{row['id']}*"):
                    file.unlink(missing_ok=True)

    def _show(self, document: Document) -> bool:
        """Make a staged document visible; return whether it replaced one of the same path."""
        old = self._documents("path = ? AND id != ?", document.path, document.id)
        with self.database.transaction() as db:
            for older in old:
                pass_on(db, older.id, document.id)
            self._delete(db, [d.id for d in old])
            self._write_words(db, document)
            db.execute(SHOW_DOCUMENT, document_row(document))
        for older in old:
            self._delete_files(older)
        return bool(old)

    def _delete_files(self, document: Document) -> None:
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

    def _erase_traces(self) -> None:
        """Erase what deleted rows leave in the vector index and in the database file."""
        self._vectors.rebuild()
        self.database.forget_traces()
