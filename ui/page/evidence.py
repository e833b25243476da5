"""How text from documents and models is put on the page: as text, never as markup."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from assistant.errors import UnknownDocument, UnreadableDocument
from assistant.jobs import Job
from assistant.languages.registry import supported
from assistant.streams import Step
from assistant.types import Citation, Document
from ingest.rendering import DRAWN, draw_page
from ui.page.session import Session
from ui.words import Words, native

ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|<>$~:&-])")
SCHEME = re.compile(r"(?i)(\bhttps?|\bftp|\bwww)(?=[:.])")
WORD_JOINER = "\u2060"  # invisible; keeps an address from becoming a link
REFRESH_S = 0.7  # between two looks at work that goes on
HEIGHT = 560  # pixels of a conversation and of a page next to it; each scrolls
BLOCKS = 28  # of a bar
AROUND = 1_500  # characters of a text without pages, before a quote and behind it


def plain(text: str) -> str:
    """Return Markdown that shows `text` as it is: no links, images, markup or formulas."""
    broken = SCHEME.sub(rf"\1{WORD_JOINER}", text)
    return ACTIVE.sub(r"\\\1", broken).replace("\n", "  \n")


def labels(documents: Sequence[Document]) -> dict[str, str]:
    """Return document id -> title, with the beginning of the id where titles are the same."""
    times = Counter(document.title for document in documents)
    return {
        document.id: document.title
        if times[document.title] == 1
        else f"{document.title} ({document.short_id})"
        for document in documents
    }


def shorten(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


@dataclass(frozen=True)
class AnswerPart:
    """A part of a whole, as a bar shows it."""

    label: str
    size: float
    colour: str


def bar(parts: Sequence[AnswerPart], whole: float) -> str:
    """Return a bar of blocks as Markdown, with its legend; what no part takes is left blank."""
    blocks, size, end = "", 0.0, 0
    for part in parts:
        size += part.size
        width = max(1, round(BLOCKS * size / whole) - end) if part.size else 0
        width = min(width, BLOCKS - end)
        end += width
        blocks += f":{part.colour}[{'█' * width}]" if width else ""
    legend = " · ".join(f":{part.colour}[■] {plain(part.label)}" for part in parts)
    return f"{blocks}{'░' * (BLOCKS - end)}\n\n{legend}"


def language_choice(words: Words, label: str, *, key: str) -> str:
    """Draw the choice of the language that points are written in; the page's is the first."""
    chosen = st.selectbox(
        label,
        supported(),
        index=supported().index(words.code),
        key=f"{key}-{words.code}",
        format_func=native,
    )
    return str(chosen)


@st.fragment(run_every=REFRESH_S)
def running(words: Words, job: Job[Any]) -> None:
    """Draw the progress of a job and its text; only this part of the page is drawn again."""
    view = job.view
    if view.over:
        st.rerun()
    now = view.progress
    share = now.done / now.total if now.total and now.name is not Step.WAITING else 0.0
    st.progress(min(1.0, share), plain(words.progress(now)))
    st.button(words("reports.stop"), on_click=job.cancel, icon=":material/stop:")
    if view.text:
        st.markdown(plain(view.text))


def source(session: Session, citation: Citation, language: str, *, key: str) -> None:
    """Draw where a claim stands: document, page and quote, its translation, and the page itself."""
    words = session.words
    try:
        document = session.workspace.library.document(citation.document_id)
    except UnknownDocument:
        st.info(words("source.gone"))
        return
    doubt = "" if citation.supported else f" · {words('source.weak')}"
    st.markdown(f"**{plain(document.title)}**{doubt}")
    st.markdown(f"“{plain(citation.quote)}”")
    _translation(session, citation, document, language, key=key)
    _page(session, citation, document, key=key)


def page_button(label: str, citation: Citation, *, place: str, key: str) -> None:
    """Draw a button that opens the page of a source at a place of the view; see `chosen_page`."""
    st.button(label, key=key, type="tertiary", on_click=_choose, args=(f"chosen-{place}", citation))


def _choose(place: str, citation: Citation) -> None:
    st.session_state[place] = citation


def chosen_page(session: Session, place: str, documents: Collection[str], language: str) -> None:
    """Draw the page that a button opened, when it is one of these documents'."""
    citation: Citation | None = st.session_state.get(f"chosen-{place}")
    if citation is None or citation.document_id not in documents:
        st.caption(session.words("source.none_point"))
        return
    with st.container(border=True, height=HEIGHT):
        key = f"{place}-{citation.document_id}-{citation.char_start}"
        source(session, citation, language, key=key)


@st.fragment
def _translation(
    session: Session, citation: Citation, document: Document, language: str, *, key: str
) -> None:
    """Draw a button that has the quote translated, how far that is, or the translation."""
    words = session.words
    if document.language == language:
        return
    place = f"translation-{key}-{language}"
    job: Job[str] | None = st.session_state.get(place)
    if job is not None and not job.view.over:
        running(words, job)
        return
    if job is not None and job.view.error:
        st.error(plain(words.error(job.view.error)))
    if job is not None and job.view.result:
        st.markdown(f"= “{plain(job.view.result)}”")
        return

    def begin() -> None:
        stream = session.workspace.assistant.translate(citation, language)
        st.session_state[place] = Job(stream).start()

    st.button(
        words("source.translate"),
        key=f"button-{place}",
        icon=":material/translate:",
        on_click=begin,
    )


@st.fragment
def _page(session: Session, citation: Citation, document: Document, *, key: str) -> None:
    """Draw the page, and ways to those before and behind it."""
    words = session.words
    file = session.workspace.library.file(document)
    if file.suffix not in DRAWN or not file.exists():
        st.caption(words("source.text_only"))
        st.markdown(_text_around(session, citation))
        return
    place = f"page-{key}"
    number = st.session_state.setdefault(place, citation.page)

    def turn(by: int) -> None:
        st.session_state[place] += by

    with st.container(horizontal=True, vertical_alignment="center"):
        _turning(":material/chevron_left:", words("source.previous"), number > 1, turn, -1, key)
        st.caption(words("source.page_of", page=number, pages=document.page_count))
        last = number >= document.page_count
        _turning(":material/chevron_right:", words("source.next"), not last, turn, 1, key)
    marked = (citation.quote,) if number == citation.page else ()
    alt = words("source.picture", document=document.title, page=number)
    try:
        st.image(page_picture(str(file), number, marked), alt=alt, width="stretch")
    except UnreadableDocument as error:
        st.error(plain(words.error(error)))


def _turning(icon: str, help_: str, possible: bool, turn: Any, by: int, key: str) -> None:
    st.button(
        icon, key=f"turn-{key}-{by}", help=help_, disabled=not possible, on_click=turn, args=(by,)
    )


def _text_around(session: Session, citation: Citation) -> str:
    """Return the text round a quote as Markdown, the quote marked."""
    text = session.workspace.library.document_text(citation.document_id).text
    start, end = citation.char_start, citation.char_start + len(citation.quote)
    before = plain(text[max(0, start - AROUND) : start])
    behind = plain(text[end : end + AROUND])
    quote = " ".join(plain(text[start:end]).split())
    return f"{before}:yellow-background[{quote}]{behind}"


@st.cache_data(max_entries=64, show_spinner=False)
def page_picture(file: str, number: int, marked: tuple[str, ...]) -> bytes:
    """Return a page as PNG, drawn once."""
    return draw_page(Path(file), number, marked=marked)
