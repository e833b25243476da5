"""One SQLite file: its tables, its connections and the locks for writing. The only sqlite3.

Reads and writes safely from several threads and processes. Does not know what the rows mean.

    library.db   the file        write.lock    held for each write
                                 adding.lock   held while one document is added
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from assistant.errors import LibraryBusy, LibraryDamaged, Reason
from assistant.storage.files import lock

VERSION_1 = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id TEXT PRIMARY KEY,              -- SHA-256 of the file's bytes
    state TEXT NOT NULL,              -- 'staged' (not visible yet) or 'ready'
    title TEXT NOT NULL, path TEXT NOT NULL, language TEXT NOT NULL,
    page_count INTEGER NOT NULL, word_count INTEGER NOT NULL, chunk_count INTEGER NOT NULL,
    added_at TEXT NOT NULL, notes TEXT NOT NULL);
CREATE TABLE pages (
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    number INTEGER NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (document_id, number));
CREATE TABLE headings (
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    level INTEGER NOT NULL, title TEXT NOT NULL, char_start INTEGER NOT NULL);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused, so a stale index row finds nothing
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, text TEXT NOT NULL,
    char_start INTEGER NOT NULL, char_end INTEGER NOT NULL,
    page_starts TEXT NOT NULL, heading TEXT NOT NULL,
    vector BLOB NOT NULL,                  -- float16, length one
    UNIQUE (document_id, ordinal));
CREATE TABLE kept (
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    key TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (document_id, key));
CREATE VIRTUAL TABLE words USING fts5(
    text, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'");
"""
VERSION_2 = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, begun_at TEXT NOT NULL);
CREATE TABLE turns (
    conversation_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
    number INTEGER NOT NULL, question TEXT NOT NULL, state TEXT NOT NULL,
    turn TEXT NOT NULL,                    -- all of it, as JSON
    PRIMARY KEY (conversation_id, number));
CREATE TABLE turn_documents (              -- documents that a turn quotes; they may be removed
    conversation_id TEXT NOT NULL, number INTEGER NOT NULL, document_id TEXT NOT NULL,
    PRIMARY KEY (conversation_id, number, document_id),
    FOREIGN KEY (conversation_id, number) REFERENCES turns ON DELETE CASCADE);
CREATE TABLE summaries (
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    language TEXT NOT NULL, length TEXT NOT NULL, made_at TEXT NOT NULL,
    summary TEXT NOT NULL,                 -- as JSON
    PRIMARY KEY (document_id, language, length));
"""
VERSION_3 = """
ALTER TABLE documents ADD COLUMN read_as TEXT NOT NULL DEFAULT '';
UPDATE documents SET notes = (               -- a note is an object, not only its text
    SELECT json_group_array(json_object('kind', '', 'text', value, 'facts', json('{}')))
    FROM json_each(documents.notes));
CREATE TABLE focused (
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    language TEXT NOT NULL, length TEXT NOT NULL, focus TEXT NOT NULL, made_at TEXT NOT NULL,
    summary TEXT NOT NULL,                 -- as JSON
    PRIMARY KEY (document_id, language, length, focus));
INSERT INTO focused SELECT document_id, language, length, '', made_at,
    json_set(summary, '$.document.notes', json('[]')) FROM summaries;
DROP TABLE summaries;
ALTER TABLE focused RENAME TO summaries;
CREATE TABLE comparisons (
    first_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    second_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    language TEXT NOT NULL, made_at TEXT NOT NULL,
    comparison TEXT NOT NULL,              -- as JSON
    PRIMARY KEY (first_id, second_id, language));
"""
# One table for all kinds of reports. A key is `ReportSpec.key`.
VERSION_4 = """
CREATE TABLE reports (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, made_at TEXT NOT NULL,
    report TEXT NOT NULL,                  -- as JSON
    UNIQUE (kind, key));
CREATE TABLE report_documents (
    report_id INTEGER NOT NULL REFERENCES reports ON DELETE CASCADE,
    document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    PRIMARY KEY (report_id, document_id));
CREATE TRIGGER report_loses_document AFTER DELETE ON report_documents BEGIN
    DELETE FROM reports WHERE id = old.report_id; END;
INSERT INTO reports (kind, key, made_at, report)
    SELECT 'summary', '[["' || document_id || '"], "' || language || '", {"focus": ' ||
        json_quote(focus) || ', "length": "' || length || '"}]', made_at, summary
    FROM summaries ORDER BY made_at;
INSERT INTO report_documents
    SELECT id, json_extract(key, '$[0][0]') FROM reports WHERE kind = 'summary';
INSERT INTO reports (kind, key, made_at, report)
    SELECT 'comparison', '[["' || first_id || '", "' || second_id || '"], "' || language ||
        '", {}]', made_at, comparison
    FROM comparisons ORDER BY made_at;
INSERT OR IGNORE INTO report_documents
    SELECT reports.id, value FROM reports, json_each(reports.key, '$[0]')
    WHERE kind = 'comparison';
INSERT OR REPLACE INTO reports (kind, key, made_at, report)
    SELECT 'questions', '[["' || document_id || '"], "' || substr(key, -2) || '", {}]', added_at,
        json_object('document', json_object('id', id, 'title', title, 'path', path,
            'language', language, 'page_count', page_count, 'word_count', word_count,
            'chunk_count', chunk_count, 'added_at', added_at),
        'language', substr(key, -2), 'questions', json(text),
        'model', substr(key, length('questions:1:') + 1, length(key) - length('questions:1::xx')))
    FROM kept JOIN documents ON id = document_id WHERE key LIKE 'questions:1:%';
INSERT OR IGNORE INTO report_documents
    SELECT id, json_extract(key, '$[0][0]') FROM reports WHERE kind = 'questions';
DELETE FROM kept WHERE key LIKE 'questions:1:%';
DROP TABLE summaries;
DROP TABLE comparisons;
"""
VERSIONS = (VERSION_1, VERSION_2, VERSION_3, VERSION_4)  # each migrates from the one before
WRITE_WAIT_S = 120.0
# Number of rows with a term: a view of `words` that every connection creates for itself.
TERMS = "CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, row)"
PRAGMAS = ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL")

Connection: TypeAlias = sqlite3.Connection
Row: TypeAlias = sqlite3.Row


class Database:
    """An SQLite file; every thread has its own connection."""

    def __init__(self, folder: Path) -> None:
        """Open the file in `folder`, creating it if necessary.

        Raises:
            LibraryDamaged: the file is no database, or of a later version.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._file = folder / "library.db"
        self._thread = threading.local()
        self._write_lock = FileLock(folder / "write.lock", timeout=WRITE_WAIT_S)
        try:
            self._make()
            version = int(self.fact("schema_version") or 0)
        except sqlite3.DatabaseError as error:
            raise LibraryDamaged(folder=str(folder), reason=str(error)) from error
        if version > len(VERSIONS):
            raise LibraryDamaged(folder=str(folder), reason=Reason.NEWER)
        if version < len(VERSIONS):
            self._migrate()

    def rows(self, query: str, *values: Any) -> list[Row]:
        """Return the rows of a query."""
        return self.connection().execute(query, values).fetchall()

    def connection(self) -> Connection:
        """Return this thread's connection."""
        db: Connection | None = getattr(self._thread, "db", None)
        if db is None:
            db = sqlite3.connect(self._file, timeout=30, isolation_level=None)
            db.row_factory = sqlite3.Row
            for pragma in PRAGMAS:
                db.execute(f"PRAGMA {pragma}")
            db.execute(TERMS)
            self._thread.db = db
        return db

    def state(self) -> tuple[int, int, int]:
        """Return a value that changes with every write by any connection."""
        db = self.connection()
        (version,) = db.execute("PRAGMA data_version").fetchone()  # of other connections
        return id(db), int(version), db.total_changes

    def close(self) -> None:
        """Close this thread's connection."""
        db = getattr(self._thread, "db", None)
        if db is not None:
            db.close()
            self._thread.db = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the write lock, which other processes respect; may be nested.

        Raises:
            LibraryBusy: another process held it for `WRITE_WAIT_S` seconds.
        """
        try:
            with self._write_lock:
                yield
        except Timeout as error:
            raise LibraryBusy(folder=str(self._folder)) from error

    @contextmanager
    def adding(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock for adding documents; call `waiting` once if another process holds it."""
        with lock(self._folder / "adding.lock", waiting):
            yield

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write everything or nothing; the write lock must be held."""
        db = self.connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Take the write lock, and write everything or nothing."""
        with self.locked(), self.transaction() as db:
            yield db

    def fact(self, key: str) -> str | None:
        """Return a fact about the library, such as its embedder; None where it is not set."""
        rows = self.rows("SELECT value FROM facts WHERE key = ?", key)
        return str(rows[0]["value"]) if rows else None

    def fact_or_new(self, key: str, value: str) -> str:
        """Return a stored fact; store and return `value` when there is none."""
        stored = self.fact(key)
        if stored is None:
            with self.writing() as db:
                db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))
        return stored or value

    def forget_traces(self) -> None:
        """Erase what deleted rows leave in the file: keyword segments, free pages, the log."""
        db = self.connection()
        db.execute("INSERT INTO words (words) VALUES ('optimize')")
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _make(self) -> None:
        """Create the file if there is none, under a temporary name that is changed at the end.

        SQLite does not wait for another process that is switching a new file to WAL mode.
        """
        if self._is_there():
            return
        with self.locked():
            if self._is_there():
                return
            partial = self._folder / "library.db.partial"
            partial.unlink(missing_ok=True)
            db = sqlite3.connect(partial, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript("".join(VERSIONS))
            db.execute("INSERT INTO facts VALUES ('schema_version', ?)", (len(VERSIONS),))
            db.close()
            partial.chmod(0o600)  # SQLite gives the log the same permissions
            partial.rename(self._file)

    def _migrate(self) -> None:
        """Migrate a library of an earlier schema version."""
        with self.writing() as db:
            (row,) = db.execute("SELECT value FROM facts WHERE key = 'schema_version'")
            for script in VERSIONS[int(row["value"]) :]:
                for statement in script.split(";\n"):
                    db.execute(statement)
            db.execute("UPDATE facts SET value = ? WHERE key = 'schema_version'", (len(VERSIONS),))

    def _is_there(self) -> bool:
        return self._file.exists() and self._file.stat().st_size > 0
