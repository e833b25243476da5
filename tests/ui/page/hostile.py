"""A page whose model and document say what would make a browser fetch something.

Run by Streamlit; `QUIPU_TEST_FOLDER` holds the library, `QUIPU_TEST_BAIT` is the address to fetch.
"""

import os
from pathlib import Path

import streamlit as st

from assistant.settings import Settings
from assistant.workspace import Workspace
from ingest.indexing import add_documents
from tests.ui.workspaces import fake_workspace
from ui.page.app import show

FOLDER = Path(os.environ["QUIPU_TEST_FOLDER"])
BAIT = os.environ["QUIPU_TEST_BAIT"]
HOSTILE = (
    f"![a]({BAIT}/image.png) <img src={BAIT}/tag.png> [link]({BAIT}/link) ![b][r] "
    f'<script>fetch("{BAIT}/script")</script> :material/x: $\\href{{{BAIT}/tex}}{{x}}$ '
    f"{BAIT}/bare <iframe src={BAIT}/frame></iframe> The bridge is long.\n\n[r]: {BAIT}/reference"
)


@st.cache_resource  # type: ignore[untyped-decorator]
def workspace() -> Workspace:
    made = fake_workspace(FOLDER / "home", HOSTILE)
    path = FOLDER / "bridge.txt"
    path.write_text(f"{HOSTILE}\n\nThe bridge is long. {HOSTILE}", encoding="utf-8")
    add_documents(made, [path])
    (document,) = made.library.documents()
    made.library.rename(document, HOSTILE)
    return made


show(lambda settings: workspace(), Settings(home=FOLDER / "home", models=FOLDER / "models"))
