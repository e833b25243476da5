"""A workspace on fakes, for pages and commands that need no real model."""

from pathlib import Path

from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.workspace import Workspace
from ingest.indexing import add_documents

REPORT = """\
# Water in the valley

## Rainfall

The valley received 812 millimetres of rain in 1998. That was the wettest year on record.

## Wells

The village dug 14 wells between 1950 and 1960. Nine of them still give water today.
"""
REPLY = "El valle recibió 812 milímetros de lluvia en 1998. [1]"


def fake_workspace(folder: Path, reply: str = REPLY, *, knows: bool = True) -> Workspace:
    """Return a workspace in `folder` whose model says `reply` to everything."""
    embedder = HashEmbedder()
    library = Library(folder, ExactIndex(), embedder=embedder)
    model = ScriptedModel(reply, knows=knows)
    return Workspace.of(library, embedder, model)


def with_report(workspace: Workspace, folder: Path) -> Workspace:
    """Return the workspace with the short report in its library."""
    path = folder / "valley.md"
    path.write_text(REPORT, encoding="utf-8")
    outcomes = add_documents(workspace, [path])
    assert [outcome.error for outcome in outcomes] == [""]
    return workspace
