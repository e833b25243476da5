"""The view of one kind of report: the form, the stored reports, and the open one.

Every kind is drawn by this module, from its entry in the table of kinds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from assistant.jobs import View
from assistant.reports.base import Option, Part, ReportKind, ReportSpec
from assistant.types import Document, Point
from ingest.indexing import ranges
from ui.exports import part_heading, report_docx, report_markdown
from ui.page.evidence import (
    chosen_page,
    labels,
    language_choice,
    page_button,
    plain,
    running,
    shorten,
)
from ui.page.session import Session
from ui.words import Words, native

NAME_CHARS: Final = 80
TITLE_CHARS: Final = 34
FREE_TEXT_CHARS: Final = 200
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def show(session: Session, kind: ReportKind[Any]) -> None:
    """Draw the choice, the list in the side bar, and the open report next to its pages."""
    words = session.words
    documents = {each.id: each for each in session.workspace.library.documents()}
    if len(documents) < len(kind.document_fields):
        st.info(words(f"{kind.name}.too_few" if documents else "errors.EmptyLibrary"))
        return
    wanted = _choice(session, kind, documents)
    report = _opened(session, kind, documents, wanted)
    if report is None:
        return
    text, aside = st.columns([3, 2], gap="large")
    with text:
        _draw(words, kind, report)
    with aside:
        ids = [document.id for document in kind.documents(report)]
        chosen_page(session, kind.name, ids, kind.language(report))


def choose(kind: str, document: str) -> None:
    """Choose the first document of a kind's view, as a button elsewhere does."""
    st.session_state.update({"view": kind, _document_key(kind, 0): document})
    _open(kind, None)


def _choice(
    session: Session, kind: ReportKind[Any], documents: Mapping[str, Document]
) -> ReportSpec:
    """Draw what a report is written for; return it."""
    words = session.words
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = _documents(words, kind, documents)
        language = language_choice(words, words("reports.language"), key=f"language-{kind.name}")
        options = {each.name: _option(words, kind, each) for each in kind.options}
        spec = kind.spec(chosen, language, **options)
        if st.button(words(f"{kind.name}.start"), type="primary"):
            session.workspace.reports.start(spec)
            _open(kind.name, spec)
            st.rerun()
    return spec


def _documents(words: Words, kind: ReportKind[Any], documents: Mapping[str, Document]) -> list[str]:
    """Draw a choice for each document of a report; none is offered twice."""
    titles = labels([*documents.values()])
    chosen: list[str] = []
    for number, name in enumerate(kind.document_fields):
        offered = [each for each in documents if each not in chosen]
        key = _document_key(kind.name, number)
        if st.session_state.get(key) not in offered:
            st.session_state[key] = offered[0]
        chosen.append(
            st.selectbox(
                words(f"{kind.name}.{name}"),
                offered,
                key=key,
                format_func=titles.__getitem__,
                on_change=_open,
                args=(kind.name, None),
            )
        )
    return chosen


def _document_key(kind: str, number: int) -> str:
    return f"document-{kind}-{number}"


def _option(words: Words, kind: ReportKind[Any], option: Option) -> str:
    label, key = words(f"{kind.name}.{option.name}"), f"option-{kind.name}-{option.name}"
    if option.choices:
        return str(
            st.selectbox(
                label,
                option.choices,
                index=option.choices.index(option.default),
                key=key,
                format_func=lambda choice: words(f"{kind.name}.{choice}"),
            )
        )
    text = st.text_input(
        label,
        key=key,
        placeholder=words(f"{kind.name}.{option.name}_placeholder"),
        help=words(f"{kind.name}.{option.name}_help"),
        max_chars=FREE_TEXT_CHARS,
    )
    return str(text).strip()


def _opened(
    session: Session,
    kind: ReportKind[Any],
    documents: Mapping[str, Document],
    wanted: ReportSpec,
) -> Any | None:
    """List the reports in the side bar; return the open one, None when there is none to draw.

    Draws the progress of the open one, or why it was not written.
    """
    words, reports = session.words, session.workspace.reports
    jobs = [s for s in reports.running(kind.name) if documents.keys() >= set(s.documents)]
    spec = _open_spec(kind.name, documents, wanted, jobs)
    job = reports.job(spec) if spec else None
    view = job.view if job else None  # first: what is over by then is among the stored
    stored = {kind.spec_of(report): report for report in reports.stored(kind.name)}
    _list(words, kind, documents, [*jobs, *(each for each in stored if each not in jobs)])
    if job is not None and view is not None:
        if not view.over:
            running(words, job)
            return None
        _end(words, view)
    if spec not in stored and job is None:
        spec = _nearest(wanted, [*stored])
    if spec is None:
        st.caption(words(f"{kind.name}.none"))
    return stored.get(spec) if spec else None


def _open_spec(
    kind: str,
    documents: Mapping[str, Document],
    wanted: ReportSpec,
    jobs: Sequence[ReportSpec],
) -> ReportSpec | None:
    """Return the spec that is open: the chosen one, else one that is being written."""
    key = f"open-{kind}"
    spec: ReportSpec | None = st.session_state.get(key)
    if spec is not None and documents.keys() >= set(spec.documents):
        return spec
    spec = _nearest(wanted, jobs)
    if spec is None and key not in st.session_state:  # nothing was chosen yet
        spec = next(iter(jobs), None)
    if spec is not None:  # started in another tab, or before a reload
        _open(kind, spec)
    return spec


def _nearest(wanted: ReportSpec, specs: Sequence[ReportSpec]) -> ReportSpec | None:
    """Return the first spec that is wanted, else of the same documents and language, else of
    the same documents."""
    same = [spec for spec in specs if spec.documents == wanted.documents]
    fits = [
        *(spec for spec in same if spec == wanted),
        *(spec for spec in same if spec.language == wanted.language),
        *same,
    ]
    return next(iter(fits), None)


def _list(
    words: Words,
    kind: ReportKind[Any],
    documents: Mapping[str, Document],
    specs: Sequence[ReportSpec],
) -> None:
    with st.sidebar:
        if specs:
            st.caption(words("reports.saved"))
        for number, spec in enumerate(specs):
            st.button(
                plain(shorten(_name(words, kind, documents, spec), NAME_CHARS)),
                key=f"report-{kind.name}-{number}",
                type="tertiary",
                on_click=_open,
                args=(kind.name, spec),
            )


def _name(
    words: Words, kind: ReportKind[Any], documents: Mapping[str, Document], spec: ReportSpec
) -> str:
    titles = [shorten(documents[each].title, TITLE_CHARS) for each in spec.documents]
    said = [native(spec.language), *_chosen(words, kind, spec)]
    return f"{' / '.join(titles)} ({', '.join(said)})"


def _chosen(words: Words, kind: ReportKind[Any], spec: ReportSpec) -> list[str]:
    """Return the options of a spec as people read them."""
    values = [(option, spec.option(option.name)) for option in kind.options]
    return [
        words(f"{kind.name}.{value}") if option.choices else value
        for option, value in values
        if value
    ]


def _open(kind: str, spec: ReportSpec | None) -> None:
    """Open a report; None draws what fits the choice best."""
    st.session_state[f"open-{kind}"] = spec


def _end(words: Words, view: View[Any]) -> None:
    """Draw why a report was not written, and the text that was written of it."""
    if view.error:
        st.error(plain(words.error(view.error)))
    elif view.cancelled:
        st.info(words("reports.stopped"))
    if view.result is None:
        st.markdown(plain(view.text))


def _draw(words: Words, kind: ReportKind[Any], report: Any) -> None:
    spec = kind.spec_of(report)
    st.subheader(plain(kind.full_title(report)), anchor=False)
    said = [native(spec.language), *_chosen(words, kind, spec), report.model]
    st.caption(plain(" · ".join(said)))
    for number, part in enumerate(kind.outline(report)):
        _part(words, kind, part, number)
    _coverage(words, kind, report)
    name = "-".join([kind.name, *(d.short_id for d in kind.documents(report)), spec.language])
    with st.container(horizontal=True):
        st.download_button(
            words("reports.markdown"),
            report_markdown(kind, report, words),
            f"{name}.md",
            on_click="ignore",
        )
        st.download_button(
            words("reports.docx"),
            report_docx(kind, report, words),
            f"{name}.docx",
            DOCX,
            on_click="ignore",
        )


def _part(words: Words, kind: ReportKind[Any], part: Part, number: int) -> None:
    """Draw a part; points that belong together stand in one frame."""
    if heading := part_heading(part, words):
        st.markdown(f"**{plain(heading)}**")
    if part.text:
        st.write(plain(part.text))
    for place, item in enumerate(part.items):
        key = f"{kind.name}-{number}-{place}"
        with st.container(border=len(item) > 1):
            for which, point in enumerate(item):
                _point(words, kind, point, f"{key}-{which}")


def _point(words: Words, kind: ReportKind[Any], point: Point, key: str) -> None:
    """Draw a point with a button that opens its page."""
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.markdown(f"- {plain(point.text)}")
        if point.citation and point.citation.supported:
            label = words("source.page", page=point.citation.page)
            if len(kind.document_fields) > 1:
                title = shorten(point.citation.document, TITLE_CHARS)
                label = f"{plain(title)}, {label}"
            page_button(label, point.citation, place=kind.name, key=key)


def _coverage(words: Words, kind: ReportKind[Any], report: Any) -> None:
    """Say which pages were read for a report."""
    if (plan := kind.plan(report)) is None:
        return
    read = [page for _, page in plan.pages_read]
    left_out = [page for _, page in plan.pages_left_out]
    pages = sum(document.page_count for document in kind.documents(report))
    if kind.title(report):  # it is restricted to something
        st.caption(words("reports.focused", read=len(read), pages=pages, numbers=ranges(read)))
    else:
        st.caption(words("reports.coverage", read=len(read), pages=pages))
    if left_out:
        st.caption(words("reports.lists", pages=ranges(left_out)))
