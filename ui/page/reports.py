"""Works that are kept, such as summaries: a list of them, and the one that is open."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import streamlit as st

from assistant.jobs import View
from assistant.reports.base import Reports
from assistant.reports.comparison import ComparisonSpec
from assistant.reports.summary import SummarySpec
from ui.page.evidence import chosen_page, going_on, plain, shorten
from ui.page.session import Session
from ui.words import Words

NAME_CHARS: Final = 80


def want(works: Reports[Any, Any], order: SummarySpec | ComparisonSpec, *, place: str) -> None:
    """Let a work be written, and open it."""
    works.want(order)
    _open(place, order)


def show(
    desk: Session,
    works: Reports[Any, Any],
    *,
    place: str,
    name: Callable[[Any], str],
    fits: Sequence[Callable[[Any], bool]],
    nothing: str,
    draw: Callable[[Any], None],
) -> None:
    """List the works in the side bar, and draw the open one beside the page of a point.

    Args:
        place: of the view, in which it is noted which one is open.
        name: what an order is called.
        fits: tell whether an order is one for what was chosen, the narrowest first.
        nothing: what is said when there is none at all.
        draw: draws a work.
    """
    work = _opened(desk, works, place, name, fits, nothing)
    if work is None:
        return
    text, beside = st.columns([3, 2], gap="large")
    with text:
        draw(work)
    with beside:
        chosen_page(desk, place, work.order.documents, work.language)


def _opened(
    desk: Session,
    works: Reports[Any, Any],
    place: str,
    name: Callable[[Any], str],
    fits: Sequence[Callable[[Any], bool]],
    nothing: str,
) -> Any:
    """List the works in the side bar; return the open one, None when there is none to draw.

    Draws how far it is, or why it was not written. When none was opened it is one that fits
    and is being written, else the newest that fits best.
    """
    words = desk.words
    known = {document.id for document in desk.workspace.library.documents()}
    running = [order for order in works.running if known.issuperset(order.documents)]
    order = st.session_state.get(f"open-{place}")
    if order is None or not known.issuperset(order.documents):
        fitting = [each for fit in fits for each in running if fit(each)]
        if f"open-{place}" not in st.session_state:  # nothing was chosen yet
            fitting += running
        order = next(iter(fitting), None)
        if order:  # begun in another tab, or before a reload
            _open(place, order)
    job = works.last(order) if order else None
    view = job.view if job else None  # first: what is over by then is among those that are kept
    kept = {work.order: work for work in works.every()}
    _list(words, [*running, *(each for each in kept if each not in running)], place, name)
    if job is not None and view is not None:
        if not view.over:
            going_on(words, job)
            return None
        _end(words, view)
    if order not in kept and job is None:
        order = next((each for fit in fits for each in kept if fit(each)), None)
    if order is None:
        st.caption(nothing)
    return kept.get(order)


def close(place: str) -> None:
    """Open none: what fits best is drawn."""
    st.session_state[f"open-{place}"] = None


def _list(words: Words, orders: list[Any], place: str, name: Callable[[Any], str]) -> None:
    with st.sidebar:
        if orders:
            st.caption(words("reports.saved"))
        for number, order in enumerate(orders):
            st.button(
                plain(shorten(name(order), NAME_CHARS)),
                key=f"work-{place}-{number}",
                type="tertiary",
                on_click=_open,
                args=(place, order),
            )


def _open(place: str, order: Any) -> None:
    st.session_state[f"open-{place}"] = order


def _end(words: Words, view: View[Any]) -> None:
    """Draw why a work was not written, and what was written of it."""
    if view.error:
        st.error(plain(words.error(view.error)))
    elif view.stopped:
        st.info(words("reports.stopped"))
    if view.result is None:
        st.markdown(plain(view.text))
