"""Summaries and comparisons as rows of the library's database; they go with their documents."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter

from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.storage.library import Library

SUMMARY: Final = TypeAdapter(Summary)
COMPARISON: Final = TypeAdapter(Comparison)


class SummaryTable:
    """A `ReportStore` of the last summary of each document, language, length and focus."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def every(self) -> list[Summary]:
        rows = self._library.database.rows("SELECT summary FROM summaries ORDER BY made_at DESC")
        kept = [SUMMARY.validate_json(row["summary"]) for row in rows]
        known = {document.id: document for document in self._library.documents()}
        return [
            replace(each, document=known[each.document.id])  # it may have been renamed
            for each in kept
            if each.document.id in known
        ]

    def put(self, work: Summary) -> None:
        with self._library.database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO summaries SELECT id, ?, ?, ?, ?, ? FROM documents "
                "WHERE id = ?",  # it may be gone
                (
                    *(work.language, work.length, work.focus, _now()),
                    SUMMARY.dump_json(work).decode(),
                    work.document.id,
                ),
            )


class ComparisonTable:
    """A `ReportStore` of the last comparison of each pair of documents in each language."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def every(self) -> list[Comparison]:
        rows = self._library.database.rows(
            "SELECT comparison FROM comparisons ORDER BY made_at DESC"
        )
        kept = [COMPARISON.validate_json(row["comparison"]) for row in rows]
        known = {document.id: document for document in self._library.documents()}
        return [
            replace(each, first=known[each.first.id], second=known[each.second.id])
            for each in kept
            if {each.first.id, each.second.id} <= known.keys()
        ]

    def put(self, work: Comparison) -> None:
        with self._library.database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO comparisons "
                "SELECT one.id, other.id, ?, ?, ? FROM documents AS one, documents AS other "
                "WHERE one.id = ? AND other.id = ?",
                (
                    *(work.language, _now(), COMPARISON.dump_json(work).decode()),
                    *(work.first.id, work.second.id),
                ),
            )


def _now() -> str:
    return datetime.now(UTC).isoformat()
