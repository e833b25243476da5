"""The view that compares two documents: what agrees, what differs, what only one of them says."""

from collections.abc import Iterator
from typing import Final

import streamlit as st

from assistant.protocols import Cancelled
from assistant.types import Comparison, Document, Piece, Point, Stage
from assistant.working import Job
from ui.exporting import comparison_markdown
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
from ui.page.words import Words

TITLE_CHARS: Final = 24


def show(desk: Desk) -> None:
    """Draw the choice of two documents, and the comparison beside the page of a point."""
    words = desk.words
    documents = {each.id: each for each in desk.workspace.library.documents()}
    if len(documents) < 2:
        st.info(words("compare.two_wanted"))
        return
    _choice(desk, documents)
    job: Job[Comparison] | None = st.session_state.get("comparing")
    if job is None:
        st.caption(words("compare.none"))
        return
    view = job.view
    if not view.over:
        going_on(words, job)
    elif view.error:
        st.error(plain(words.failure(view.error.failure)))
    elif view.result and {view.result.first.id, view.result.second.id} <= documents.keys():
        text, beside = st.columns([3, 2], gap="large")
        with text:
            _draw(words, view.result)
        with beside:
            compared = {view.result.first.id, view.result.second.id}
            chosen_page(desk, "comparison", compared, view.result.language)
    else:
        st.info(words("summary.stopped"))


def _choice(desk: Desk, documents: dict[str, Document]) -> None:
    words, title = desk.words, labels([*documents.values()]).__getitem__
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox(
            words("compare.first"), list(documents), format_func=title, key="compared-first"
        )
        others = [each for each in documents if each != first]
        second = st.selectbox(words("compare.second"), others, format_func=title)
        language = language_choice(words, key="compared-language")
        if st.button(words("compare.start"), type="primary"):

            def work(cancelled: Cancelled) -> Iterator[Stage | Piece | Comparison]:
                yield from desk.workspace.assistant.compare(
                    first, second, language=language, cancelled=cancelled
                )

            if before := st.session_state.get("comparing"):
                before.stop()
            st.session_state["comparing"] = Job(work).start()
            st.rerun()


def _draw(words: Words, found: Comparison) -> None:
    for key, pairs in (("compare.agree", found.agree), ("compare.differ", found.differ)):
        st.markdown(f"**{words(key, count=len(pairs))}**")
        for number, pair in enumerate(pairs):
            with st.container(border=True):
                for document, point in zip((found.first, found.second), pair, strict=True):
                    _point(words, document, point, f"{key}-{number}-{document.id}")
    for document, points in (
        (found.first, found.only_first),
        (found.second, found.only_second),
    ):
        title = words("compare.only", title=document.title, count=len(points))
        with st.expander(plain(title)):
            for number, point in enumerate(points):
                _point(words, document, point, f"only-{document.id}-{number}")
    st.download_button(
        words("summary.markdown"),
        comparison_markdown(
            found,
            heads=[
                words("compare.agree", count=len(found.agree)),
                words("compare.differ", count=len(found.differ)),
                *(
                    words("compare.only", title=document.title, count=len(points))
                    for document, points in (
                        (found.first, found.only_first),
                        (found.second, found.only_second),
                    )
                ),
            ],
        ),
        "comparison.md",
        on_click="ignore",
    )


def _point(words: Words, document: Document, point: Point, key: str) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.markdown(plain(point.text))
        if point.citation:
            page = words("source.page", page=point.citation.page)
            label = f"{plain(shorten(document.title, TITLE_CHARS))}, {page}"
            page_button(label, point.citation, place="comparison", key=key)
