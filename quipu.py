"""Quipu as a Python library: ask questions about documents, and write reports about them.

    import quipu

    with quipu.open_workspace(quipu.Settings()) as workspace:
        quipu.add_documents(workspace, ["report.pdf"])
        answer = workspace.assistant.answer(quipu.Query("¿Qué recomienda el informe?"))

`Assistant.ask` returns the same answer as a `Stream`, with its text while it is written. Models
load when they are first used; importing this module loads none.
"""

from typing import Any

from assistant.assistant import Assistant
from assistant.errors import QuipuError
from assistant.reports import kinds
from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.settings import Settings
from assistant.streams import Progress, Stream, TextDelta
from assistant.types import Answer, Citation, ContextOptions, Filters, Query
from assistant.wiring import open_workspace
from assistant.workspace import Workspace
from ingest.indexing import Outcome, add_documents
from ui.exports import report_markdown as _markdown
from ui.words import Words, nearest  # the import also gives every QuipuError its sentence

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "Comparison",
    "ContextOptions",
    "Filters",
    "Outcome",
    "Progress",
    "Query",
    "QuipuError",
    "Settings",
    "Stream",
    "Summary",
    "TextDelta",
    "Workspace",
    "add_documents",
    "open_workspace",
    "report_markdown",
]


def report_markdown(report: Any) -> str:
    """Return a report, such as a `Summary`, as Markdown in its language, with pages."""
    kind = next(kind for kind in kinds().values() if isinstance(report, kind.result))
    return _markdown(kind, report, Words(nearest(kind.language(report))))
