"""Quipu as a Python library: ask questions about documents, and write reports about them.

    import quipu

    workspace = quipu.open_workspace(quipu.Settings())
    quipu.add_documents(workspace, ["report.pdf"])
    answer = workspace.assistant.answer(quipu.Query("¿Qué recomienda el informe?"))

Models load when they are first used; importing this module loads none.
"""

from collections.abc import Iterable
from pathlib import Path

from assistant.assistant import Assistant
from assistant.errors import QuipuError
from assistant.languages.detection import identify_document
from assistant.reports.base import ReportSpec
from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.settings import Settings
from assistant.streams import Progress, Stream, TextDelta
from assistant.types import Answer, Citation, ContextOptions, Filters, Query
from assistant.wiring import open_workspace
from assistant.workspace import Workspace
from ingest.indexing import Outcome, add
from ui import words as _words

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "Comparison",
    "ContextOptions",
    "Filters",
    "Progress",
    "Query",
    "QuipuError",
    "ReportSpec",
    "Settings",
    "Stream",
    "Summary",
    "TextDelta",
    "Workspace",
    "add_documents",
    "open_workspace",
]

del _words  # its import gives every QuipuError its sentence


def add_documents(workspace: Workspace, paths: Iterable[str | Path]) -> list[Outcome]:
    """Add files and folders to the library; return what became of each file.

    A file that cannot be read does not stop the others: look at `Outcome.status` and
    `Outcome.failure`.
    """
    return [
        *add(
            [Path(path) for path in paths],
            writer=workspace.library,
            embedder=workspace.embedder,
            language_of=identify_document,
        )
    ]
