"""The view of summaries: written section by section, kept, and downloaded."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from assistant.generation.prompts import phrases
from assistant.reports.summary import Length, Summary, SummarySpec, head, markdown, title
from assistant.types import Document, Point
from ingest.indexing import ranges
from ui.exports import summary_docx
from ui.page import reports
from ui.page.evidence import labels, language_choice, page_button, plain, shorten
from ui.page.session import Session
from ui.words import Words, native

TITLE_CHARS: Final = 34
FOCUS_CHARS: Final = 200
PLACE: Final = "summary"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def show(desk: Session) -> None:
    """Draw the choice of document, language and length, and the summary beside its pages."""
    words = desk.words
    documents = {each.id: each for each in desk.workspace.library.documents()}
    if not documents:
        st.info(words("errors.EmptyLibrary"))
        return
    wanted = _choice(desk, documents)

    def name(order: SummarySpec) -> str:
        document = shorten(documents[order.document].title, TITLE_CHARS)
        said = [native(order.language), words(f"summary.{order.length}")]
        return f"{document} ({', '.join([*said, order.focus] if order.focus else said)})"

    reports.show(
        desk,
        desk.workspace.summaries,
        place=PLACE,
        name=name,
        fits=[
            lambda order: (order.document, order.language) == (wanted.document, wanted.language),
            lambda order: order.document == wanted.document,
        ],
        nothing=words("summary.none"),
        draw=lambda summary: _draw(words, summary),
    )


def _choice(desk: Session, documents: dict[str, Document]) -> SummarySpec:
    """Draw what a summary is written for, and return it."""
    words = desk.words
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.session_state.get("summarised") not in documents:
            st.session_state["summarised"] = next(iter(documents))
        document = st.selectbox(
            words("summary.document"),
            list(documents),
            key="summarised",
            format_func=labels([*documents.values()]).__getitem__,
            on_change=reports.close,
            args=(PLACE,),
        )
        language = language_choice(words, words("summary.language"), key="summary-language")
        length = st.selectbox(
            words("summary.length"),
            list(Length),
            index=1,
            format_func=lambda each: words(f"summary.{each}"),
        )
        focus = st.text_input(
            words("summary.focus"),
            key="focus",
            placeholder=words("summary.focus_all"),
            help=words("summary.focus_help"),
            max_chars=FOCUS_CHARS,
        )
        order = SummarySpec(document, language, length.value, focus.strip())
        if st.button(words("summary.start"), type="primary"):
            reports.want(desk.workspace.summaries, order, place=PLACE)
            st.rerun()
    return order


def _draw(words: Words, summary: Summary) -> None:
    st.subheader(plain(title(summary)), anchor=False)
    length = words(f"summary.{summary.length}")
    st.caption(plain(f"{native(summary.language)} · {length} · {summary.model}"))
    st.markdown(f"**{plain(phrases(summary.language).overview_title)}**")
    _points(words, summary.overview, "overview")
    if summary.found_nothing:
        st.write(plain(phrases(summary.language).nothing))
    for number, section in enumerate(summary.sections):
        st.markdown(f"**{plain(head(section, summary.language))}**")
        _points(words, section.points, str(number))
    read, left_out = summary.plan.pages_read, summary.plan.pages_left_out
    pages = summary.document.page_count
    if summary.focus:
        numbers = ranges([page for _, page in read])
        st.caption(words("summary.focused", read=len(read), pages=pages, numbers=numbers))
    else:
        st.caption(words("summary.coverage", read=len(read), pages=pages))
    if left_out:
        st.caption(words("summary.lists", pages=ranges([page for _, page in left_out])))
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
                page_button(label, point.citation, place=PLACE, key=key)
