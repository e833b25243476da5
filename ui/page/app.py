"""The page: its views over one workspace. Run by `quipu page`, through Streamlit."""

import argparse
import hmac
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import streamlit as st

from assistant.errors import ModelError, ModelNotInstalled, QuipuError
from assistant.reports import kinds
from assistant.settings import Settings
from assistant.workspace import Workspace
from ui.page import ask, library, models, reports
from ui.page.evidence import plain
from ui.page.serve import ENV_NAME
from ui.page.session import Session, shared_uploads, shared_workspace
from ui.words import LANGUAGES, Words, native, nearest

WRONG_PASSWORD_S: Final = 1.5  # nobody tries many
ICONS: Final = {
    "ask": ":material/forum:", "library": ":material/menu_book:", "models": ":material/memory:",
    "summary": ":material/summarize:", "comparison": ":material/compare:",
}  # fmt: skip
REPORT_ICON: Final = ":material/description:"


def views() -> tuple[str, ...]:
    """Return the views in the order of the navigation: one for each kind of report among them."""
    return ("ask", "library", *kinds(), "models")


def show(open_: Callable[[Settings], Workspace], settings: Settings) -> None:
    """Draw the page; what keeps the workspace from opening is told in one sentence."""
    st.set_page_config(page_title="Quipu", page_icon="🪢", layout="wide")
    words = Words(_language())
    if not _is_let_in(words):
        return None
    view = _navigation(words)
    chosen = models.chosen(settings)
    try:
        if view == "models":
            return models.show(chosen, words)
        workspace = open_(chosen)
        folder = str(workspace.library.folder)
        session = Session(workspace, shared_uploads(workspace, folder), words)
        match view:
            case "ask":
                ask.show(session)
            case "library":
                library.show(session)
            case _:
                reports.show(session, kinds()[view])
    except ModelNotInstalled:
        models.welcome(chosen, words)
    except QuipuError as error:
        st.error(plain(words.error(error)))
        if isinstance(error, ModelError):
            models.show(chosen, words)


def _language() -> str:
    """Return the language of the page: the one chosen, else the browser's."""
    chosen = st.session_state.get("language") or st.query_params.get("lang")
    return nearest(chosen or st.context.locale)


def _is_let_in(words: Words) -> bool:
    """Ask for the password when there is one; return whether this reader gave it."""
    wanted = os.environ.get(ENV_NAME, "")
    if not wanted or st.session_state.get("let_in"):
        return True
    st.subheader("Quipu", anchor=False)
    with st.form("password"):
        given = st.text_input(words("door.password"), type="password")
        sent = st.form_submit_button(words("door.enter"), type="primary")
    if not sent:
        return False
    with _door():  # one after the other: many sessions guess no faster than one
        right = hmac.compare_digest(given.encode(), wanted.encode())
        time.sleep(0.0 if right else WRONG_PASSWORD_S)
    if right:
        st.session_state["let_in"] = True
        st.rerun()
    st.error(words("door.wrong"))
    return False


@st.cache_resource(show_spinner=False)
def _door() -> threading.Lock:
    return threading.Lock()


def _navigation(words: Words) -> str:
    """Draw the side bar's upper and lower end; return the view."""
    asked_for = st.query_params.get("view", "ask")
    st.session_state.setdefault("view", asked_for if asked_for in views() else "ask")
    with st.sidebar:
        st.markdown("### Quipu")
        view = st.radio(
            "Quipu",
            views(),
            key="view",
            format_func=lambda name: f"{ICONS.get(name, REPORT_ICON)} {words(f'view.{name}')}",
            label_visibility="collapsed",
        )
        st.selectbox(
            words("view.language"),
            LANGUAGES,
            index=LANGUAGES.index(words.code),
            key="language",
            format_func=native,
        )
    st.query_params["view"] = view
    return str(view)


def settings_from(arguments: list[str]) -> Settings:
    """Return the settings that `quipu page` was started with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="")
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--kv")
    options = parser.parse_args(arguments)
    return Settings().override(
        model=options.model or None, window_tokens=options.window or None, kv=options.kv
    )


if __name__ == "__main__":
    show(shared_workspace, settings_from(sys.argv[1:]))
