"""The view that compares two documents: what agrees, what differs, what only one of them says."""

from typing import Final

import streamlit as st

from assistant.reports.comparison import Comparison, ComparisonSpec
from assistant.types import Document, Point
from ui.exports import comparison_markdown
from ui.page import reports
from ui.page.evidence import labels, language_choice, page_button, plain, shorten
from ui.page.session import Session
from ui.words import Words, native

TITLE_CHARS: Final = 24
PLACE: Final = "comparison"


def show(desk: Session) -> None:
    """Draw the choice of two documents, and the comparison beside the page of a point."""
    words = desk.words
    documents = {each.id: each for each in desk.workspace.library.documents()}
    if len(documents) < 2:
        st.info(words("compare.two_wanted"))
        return
    wanted = _choice(desk, documents)

    def name(order: ComparisonSpec) -> str:
        titles = [shorten(documents[each].title, TITLE_CHARS) for each in order.documents]
        return f"{' / '.join(titles)} ({native(order.language)})"

    reports.show(
        desk,
        desk.workspace.comparisons,
        place=PLACE,
        name=name,
        fits=[
            lambda order: order == wanted,
            lambda order: order.documents == wanted.documents,
        ],
        nothing=words("compare.none"),
        draw=lambda found: _draw(words, found),
    )


def _choice(desk: Session, documents: dict[str, Document]) -> ComparisonSpec:
    """Draw what is compared, and in which language it is told; return that."""
    words, title = desk.words, labels([*documents.values()]).__getitem__
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox(
            words("compare.first"),
            list(documents),
            format_func=title,
            key="compared-first",
            on_change=reports.close,
            args=(PLACE,),
        )
        second = st.selectbox(
            words("compare.second"),
            [each for each in documents if each != first],
            format_func=title,
            on_change=reports.close,
            args=(PLACE,),
        )
        order = ComparisonSpec(
            first,
            second,
            language_choice(words, words("compare.language"), key="compared-language"),
        )
        if st.button(words("compare.start"), type="primary"):
            reports.want(desk.workspace.comparisons, order, place=PLACE)
            st.rerun()
    return order


def _draw(words: Words, found: Comparison) -> None:
    heads = words.comparison(found)
    for head, pairs in zip(heads, (found.agree, found.differ), strict=False):
        st.markdown(f"**{plain(head)}**")
        for number, pair in enumerate(pairs):
            with st.container(border=True):
                for document, point in zip((found.first, found.second), pair, strict=True):
                    _point(words, document, point, f"{head}-{number}-{document.id}")
    only = ((found.first, found.only_first), (found.second, found.only_second))
    for head, (document, points) in zip(heads[2:], only, strict=True):
        with st.expander(plain(head)):
            for number, point in enumerate(points):
                _point(words, document, point, f"only-{document.id}-{number}")
    st.download_button(
        words("summary.markdown"),
        comparison_markdown(found, heads),
        "comparison.md",
        on_click="ignore",
    )


def _point(words: Words, document: Document, point: Point, key: str) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.markdown(plain(point.text))
        if point.citation:
            page = words("source.page", page=point.citation.page)
            label = f"{plain(shorten(document.title, TITLE_CHARS))}, {page}"
            page_button(label, point.citation, place=PLACE, key=key)
