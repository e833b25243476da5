"""The view that summarises a document, section by section as it is written."""

from collections.abc import Iterator, Sequence
from typing import Any

import streamlit as st

from assistant.errors import QuipuError
from assistant.languages import NAMES, SUPPORTED
from assistant.summarizing import Length, head, markdown, with_page
from assistant.types import Piece, Point, Stage, Summary
from assistant.wiring import Workspace
from ui.page.showing import plain


def show(workspace: Workspace) -> None:
    """Draw the choice of document, language and length, and the last summary."""
    titles = {document.id: document.title for document in workspace.library.documents()}
    if not titles:
        st.info("The library is empty. Open “Library” and add a document first.")
        return
    with st.form("summary-form"):
        document = st.selectbox("Document", list(titles), format_func=titles.__getitem__)
        language = st.selectbox("Language", SUPPORTED, format_func=NAMES.__getitem__)
        length = st.selectbox("Length", list(Length), index=1, format_func=str)
        asked = st.form_submit_button("Summarise")
    if asked:
        events = workspace.assistant.summarize(document, language=language, length=length)
        try:
            st.session_state["summary"] = _stream(events)
        except QuipuError as error:
            st.error(str(error))
            return
        st.rerun()
    if summary := st.session_state.get("summary"):
        _draw(summary)


def _stream(events: Iterator[Any]) -> Summary:
    bar, place = st.progress(0.0), st.empty()
    text = ""
    for event in events:
        match event:
            case Stage(done=done, total=total, note=note):
                pages = f", pages {note}" if note else ""
                bar.progress(done / max(1, total), plain(f"Part {done + 1} of {total}{pages}"))
            case Piece():
                text += event.text
                place.markdown(plain(text))
            case Summary():
                return event
    raise AssertionError("the assistant always ends with a summary")


def _draw(summary: Summary) -> None:
    st.subheader(plain(summary.document.title), anchor=False)
    st.markdown(_points(summary.overview, summary.language))
    for section in summary.sections:
        st.markdown(f"**{plain(head(section, summary.language))}**")
        st.markdown(_points(section.points, summary.language))
    read, left_out = summary.plan.pages_read, summary.plan.pages_left_out
    st.caption(f"{len(read)} of {summary.document.page_count} pages were read." + _lists(left_out))
    name = f"summary-{summary.document.short_id}-{summary.language}.md"
    st.download_button("Download as Markdown", markdown(summary), file_name=name)


def _points(points: Sequence[Point], language: str) -> str:
    """Return the points as a list; only the marks of the list are Markdown."""
    return "\n".join(f"- {plain(with_page(point, language))}" for point in points)


def _lists(left_out: Sequence[tuple[str, int]]) -> str:
    pages = ", ".join(str(number) for _, number in left_out)
    return f" Not read: lists of contents, terms or sources (p. {pages})." if pages else ""
