"""What all views and tabs share: the workspace and the jobs that run in the background."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from assistant.jobs import Jobs
from assistant.models.choosing import installed_models
from assistant.models.installed import InstalledModel
from assistant.models.progress import PullProgress
from assistant.settings import Settings
from assistant.streams import Events, IsCancelled, Progress, Step, Stream, with_progress
from assistant.wiring import open_workspace
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
    words: what the page says, in this user's language.
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
        writer=_workspace.library,
        embedder=_workspace.embedder,
    )


@st.cache_resource(show_spinner=False)
def shared_downloads() -> Jobs[str, InstalledModel]:
    """Return the downloads of models, by name."""
    return Jobs(workers=1)


def download(settings: Settings, name: str) -> None:
    """Download a model in the background, unless that is going on."""

    def work(cancelled: IsCancelled) -> Events[InstalledModel]:
        return (yield from with_progress(pull, cancelled))

    def pull(_: IsCancelled, report: Callable[[Progress], None]) -> InstalledModel:
        def tell(now: PullProgress) -> None:
            report(
                Progress(Step.DOWNLOADING, now.bytes_done, now.bytes_total, "", now.seconds_left)
            )

        return installed_models(settings).pull(name, tell)

    if name not in shared_downloads().running:
        shared_downloads().start(name, Stream(work))


def samples() -> list[Path]:
    """Return the sample documents, where they are installed."""
    return sorted(path for path in SAMPLES.glob("*") if path.is_file())
