"""What every view works with, shared by all tabs: the workspace and what goes on beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from assistant.languages import identify_document
from assistant.models.progress import PullProgress
from assistant.models.shelf import InstalledModel
from assistant.protocols import Cancelled
from assistant.settings import Settings
from assistant.wiring import Workspace, model_shelf, open_workspace
from assistant.working import Line
from ui.page.words import Words
from ui.uploading import Uploads

SAMPLES = Path(__file__).parents[2] / "sample_docs"
STARTERS = ("starter", "multilingual-e5-small")


@dataclass(frozen=True)
class Desk:
    """Attributes:
    workspace: the library, the assistant and its jobs.
    uploads: files on their way into the library.
    words: what the page says, in this reader's language.
    """

    workspace: Workspace
    uploads: Uploads
    words: Words


@st.cache_resource(show_spinner=False, max_entries=1, on_release=Workspace.stop)
def shared_workspace(settings: Settings) -> Workspace:
    """Return the one workspace of all tabs; another model makes another one
    and stops what goes on with the last."""
    return open_workspace(settings)


@st.cache_resource(show_spinner=False)
def shared_uploads(_workspace: Workspace, folder: str) -> Uploads:
    """Return the files on their way into the library in `folder`."""
    return Uploads(
        Path(folder) / "uploads",
        shelf=_workspace.library,
        embedder=_workspace.embedder,
        language_of=identify_document,
    )


@st.cache_resource(show_spinner=False)
def shared_pulls(settings: Settings) -> Line[PullProgress, InstalledModel]:
    """Return the models that are being fetched."""

    def pull(name: str, report: Callable[[PullProgress], None], _: Cancelled) -> InstalledModel:
        return model_shelf(settings).pull(name, report)

    return Line(pull)


def samples() -> list[Path]:
    """Return the sample documents, where they lie beside the program."""
    return sorted(path for path in SAMPLES.glob("*") if path.is_file())
