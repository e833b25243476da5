"""The view of summaries: written section by section, kept, and downloaded."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from assistant.prompting import phrases
from assistant.summarizing import Length, head, markdown
from assistant.types import Document, Point, Summary
from assistant.working import Job
from ui.exporting import summary_docx
from ui.page.desk import Desk
from ui.page.showing import (
    chosen_page,
    going_on,
    labels,
    language_choice,
    page_button,
    plain,
    shorten,
)
from ui.page.words import Words, native

TITLE_CHARS: Final = 34
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def show(desk: Desk) -> None:
    """Draw the choice of document, language and length, and the summary beside its pages."""
    words = desk.words
    documents = {each.id: each for each in desk.workspace.library.documents()}
    if not documents:
        st.info(words("errors.EmptyLibrary"))
        return
    _choice(desk, documents)
    kept = desk.workspace.summaries.every()
    _earlier(words, kept)
    job: Job[Summary] | None = st.session_state.get("summarising")
    if job is not None and not job.view.over:
        going_on(words, job)
        return
    if job is not None:
        _end(words, job)
    summary = _opened(kept)
    if summary is None:
        st.caption(words("summary.none"))
        return
    text, beside = st.columns([3, 2], gap="large")
    with text:
        _draw(desk, summary)
    with beside:
        chosen_page(desk, "summary", {summary.document.id}, summary.language)


def _choice(desk: Desk, documents: dict[str, Document]) -> None:
    words = desk.words
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.session_state.get("summarised") not in documents:
            st.session_state["summarised"] = next(iter(documents))
        document = st.selectbox(
            words("summary.document"),
            list(documents),
            key="summarised",
            format_func=labels([*documents.values()]).__getitem__,
        )
        language = language_choice(words, key="summary-language")
        length = st.selectbox(
            words("summary.length"),
            list(Length),
            index=1,
            format_func=lambda each: words(f"summary.{each}"),
        )
        if st.button(words("summary.start"), type="primary"):
            st.session_state["summarising"] = desk.workspace.summaries.want(
                document, language, length
            )
            st.session_state.pop("summary", None)
            st.rerun()


def _end(words: Words, job: Job[Summary]) -> None:
    """Draw why a summary was not finished; once it was, open it."""
    view = job.view
    if view.result is not None:
        st.session_state["summary"] = _key(view.result)
        del st.session_state["summarising"]
        return
    if view.error:
        st.error(plain(words.failure(view.error.failure)))
    elif view.stopped:
        st.info(words("summary.stopped"))
    st.markdown(plain(view.text))


def _key(summary: Summary) -> str:
    return f"{summary.document.id}-{summary.language}-{summary.length}"


def _earlier(words: Words, kept: Sequence[Summary]) -> None:
    """Draw the summaries that are there in the side bar."""
    with st.sidebar:
        if kept:
            st.caption(words("summary.earlier"))
        for number, summary in enumerate(kept):
            title = shorten(summary.document.title, TITLE_CHARS)
            st.button(
                plain(
                    f"{title} ({native(summary.language)}, {words(f'summary.{summary.length}')})"
                ),
                key=f"summary-{number}",
                type="tertiary",
                on_click=_open,
                args=(_key(summary),),
            )


def _open(key: str) -> None:
    st.session_state["summary"] = key
    st.session_state.pop("summarising", None)


def _opened(kept: Sequence[Summary]) -> Summary | None:
    """Return the summary that was chosen, else the newest of the chosen document."""
    by_key = {_key(summary): summary for summary in kept}
    if (chosen := by_key.get(st.session_state.get("summary", ""))) is not None:
        return chosen
    wanted = st.session_state.get("summarised")
    return next((summary for summary in kept if summary.document.id == wanted), None)


def _draw(desk: Desk, summary: Summary) -> None:
    words = desk.words
    st.subheader(plain(summary.document.title), anchor=False)
    st.markdown(f"**{plain(phrases(summary.language).overview_title)}**")
    _points(words, summary.overview, "overview")
    for number, section in enumerate(summary.sections):
        st.markdown(f"**{plain(head(section, summary.language))}**")
        _points(words, section.points, str(number))
    read, left_out = summary.plan.pages_read, summary.plan.pages_left_out
    st.caption(words("summary.coverage", read=len(read), pages=summary.document.page_count))
    if left_out:
        pages = ", ".join(str(page) for _, page in left_out)
        st.caption(words("summary.lists", pages=pages))
    name = f"summary-{summary.document.short_id}-{summary.language}"
    with st.container(horizontal=True):
        st.download_button(
            words("summary.markdown"), markdown(summary), f"{name}.md", on_click="ignore"
        )
        st.download_button(
            words("summary.docx"), summary_docx(summary), f"{name}.docx", DOCX, on_click="ignore"
        )


def _points(words: Words, points: Sequence[Point], section: str) -> None:
    """Draw points, each with a button that opens its page."""
    for number, point in enumerate(points):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            st.markdown(f"- {plain(point.text)}")
            if point.citation and point.citation.supported:
                label = words("source.page", page=point.citation.page)
                key = f"point-{section}-{number}"
                page_button(label, point.citation, place="summary", key=key)
