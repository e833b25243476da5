"""The page: three views over one workspace. Run by `quipu page`, through Streamlit."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from assistant.errors import QuipuError
from assistant.settings import Settings
from assistant.wiring import Workspace, open_workspace
from ui.page import asking, library, summarising

VIEWS = {"Ask": asking.show, "Library": library.show, "Summarise": summarising.show}


@st.cache_resource(show_spinner="Opening the library …")
def shared_workspace(settings: Settings) -> Workspace:
    """Return the one workspace that all browser tabs share."""
    return open_workspace(settings)


def show(open_: Callable[[], Workspace]) -> None:
    """Draw the page; a workspace that cannot be opened is told in one sentence."""
    st.set_page_config(page_title="Quipu", page_icon="🪢", layout="wide")
    st.title("Quipu", anchor=False)
    try:
        workspace = open_()
        for tab, view in zip(st.tabs(list(VIEWS)), VIEWS.values(), strict=True):
            with tab:
                view(workspace)
    except QuipuError as error:
        st.error(str(error))


def settings_from(arguments: list[str]) -> Settings:
    """Return the settings that `quipu page` was started with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="")
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--kv", default="f16")
    options = parser.parse_args(arguments)
    return replace(
        Settings(),
        model=options.model or None,
        window_tokens=options.window or None,
        kv=options.kv,
    )


if __name__ == "__main__":
    show(lambda: shared_workspace(settings_from(sys.argv[1:])))
