"""Reports as rows of the library's database, removed with their documents. Knows no kinds."""

from collections.abc import Sequence
from datetime import UTC, datetime

from assistant.storage.database import Database


class ReportTable:
    """A `ReportStore` of the last report of each spec."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reports(self, kind: str) -> list[str]:
        rows = self._database.rows(
            "SELECT report FROM reports WHERE kind = ? ORDER BY made_at DESC, id DESC", kind
        )
        return [str(row["report"]) for row in rows]

    def put_report(self, kind: str, key: str, documents: Sequence[str], text: str) -> None:
        marks = ", ".join("?" for _ in documents)
        with self._database.writing() as db:
            (there,) = db.execute(
                f"SELECT count(*) FROM documents WHERE id IN ({marks})", documents
            ).fetchone()
            if there < len(set(documents)):
                return  # a document was removed meanwhile
            db.execute("DELETE FROM reports WHERE kind = ? AND key = ?", (kind, key))
            row = db.execute(
                "INSERT INTO reports (kind, key, made_at, report) VALUES (?, ?, ?, ?)",
                (kind, key, datetime.now(UTC).isoformat(), text),
            )
            db.executemany(
                "INSERT OR IGNORE INTO report_documents VALUES (?, ?)",
                [(row.lastrowid, document) for document in documents],
            )
