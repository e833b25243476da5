"""What every view works with, shared by all tabs: the workspace and what goes on beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from assistant.jobs import Line
from assistant.languages.detection import identify_document
from assistant.models.installed import InstalledModel
from assistant.models.progress import PullProgress
from assistant.settings import Settings
from assistant.streams import IsCancelled
from assistant.wiring import installed_models, open_workspace
from assistant.workspace import Workspace
from ui.uploads import Uploads
from ui.words import Words

SAMPLES = Path(__file__).parents[2] / "sample_docs"
STARTERS = ("starter", "multilingual-e5-small")


@dataclass(frozen=True)
class Session:
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

    def pull(name: str, report: Callable[[PullProgress], None], _: IsCancelled) -> InstalledModel:
        return installed_models(settings).pull(name, report)

    return Line(pull)


def samples() -> list[Path]:
    """Return the sample documents, where they lie beside the program."""
    return sorted(path for path in SAMPLES.glob("*") if path.is_file())
