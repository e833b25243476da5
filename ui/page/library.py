"""The view of the library: documents come in, are listed, opened, renamed and removed."""

import json
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from assistant.errors import QuipuError
from assistant.generation.prefix import PrefillState
from assistant.streams import Progress, Step
from assistant.types import Citation, Document
from assistant.workspace import Workspace
from ingest.indexing import Outcome, Status
from ingest.readers.registry import READERS
from ingest.sandbox import MAX_FILE_BYTES
from ui.page.evidence import plain, source
from ui.page.reports import choose
from ui.page.session import Session
from ui.words import Words, native

REFRESH_S: Final = 1.0
TITLE_WIDTH: Final = 320  # pixels
READY_S: Final = 20.0  # for which it is not looked up again how much of a document was read
# Streamlit writes in its upload field in English: ours stands in its place.
FIELD_STYLE: Final = """<style>
[data-testid=stFileUploaderDropzone] p, [data-testid=stFileUploaderDropzoneInstructions] span
{font-size: 0}
[data-testid=stFileUploaderDropzone] p::after {font-size: 1rem; content: %s}
[data-testid=stFileUploaderDropzoneInstructions] span::after {font-size: 0.875rem; content: %s}
</style>"""


def show(session: Session) -> None:
    """Draw the upload, what is on its way, and the documents."""
    _upload(session)
    _outcomes(session)
    if session.uploads.jobs.running or session.workspace.prefilling.jobs.running:
        _on_the_way(session)
    documents = session.workspace.library.documents()
    if documents:
        _documents(session, documents)


def _upload(session: Session) -> None:
    """Draw where files are dropped; each is taken in as soon as it is there."""
    words = session.words
    number = st.session_state.setdefault("upload", 0)  # another one empties the field
    kinds = ", ".join(sorted(suffix.removeprefix(".").upper() for suffix in READERS))
    limit = words("library.kinds", mb=MAX_FILE_BYTES // 1_000_000, kinds=kinds)
    st.html(FIELD_STYLE % (_quoted(words("library.upload")), _quoted(limit)))
    sent = st.file_uploader(
        words("library.add"),
        type=sorted(suffix.removeprefix(".") for suffix in READERS),
        accept_multiple_files=True,
        key=f"upload-{number}",
        help=words("library.limit"),
    )
    if sent:
        for file in sent:
            session.uploads.put(file.name, file.getvalue())
        st.session_state["upload"] = number + 1
        st.rerun()


def _quoted(text: str) -> str:
    """Return a text of ours as a string of CSS."""
    return json.dumps(text, ensure_ascii=False)


@st.fragment(run_every=REFRESH_S)
def _on_the_way(session: Session) -> None:
    """Draw the progress of files and of prefilling; only this part is drawn again."""
    words, uploads = session.words, session.uploads
    coming, prefilling = uploads.jobs.running, session.workspace.prefilling.jobs.running
    if len(coming) < st.session_state.get("coming", 0) or not (coming or prefilling):
        st.session_state["coming"] = len(coming)
        st.rerun()
    st.session_state["coming"] = len(coming)
    for key, job in coming.items():
        now = job.view.progress
        with st.container(horizontal=True, vertical_alignment="center"):
            share = now.done / now.total if now.total else 0.0
            st.progress(share, plain(f"{uploads.name(key)}: {_step(words, now)}"))
            st.button(
                words("library.cancel"),
                key=f"cancel-{key}",
                on_click=uploads.cancel,
                args=(key,),
            )
    titles = {document.id: document.title for document in session.workspace.library.documents()}
    for document, prefill in prefilling.items():
        now = prefill.view.progress
        share = now.done / max(1, now.total) if now.name is Step.READING else 0.0
        st.progress(share, plain(f"{titles.get(document, document)}: {words.progress(now)}"))


def _step(words: Words, now: Progress) -> str:
    if not now.total:
        return words("library.queued" if now.name is Step.WAITING else "library.reading")
    text = words("library.embedding", done=now.done, total=now.total)
    return f"{text} · {words.left(now.seconds_left)}" if now.seconds_left else text


def _outcomes(session: Session) -> None:
    """Draw what became of the files that were sent, until it is closed."""
    words, jobs = session.words, session.uploads.jobs
    for key, outcome in jobs.results.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            _outcome(words, outcome)
            st.button(
                ":material/close:",
                key=f"forget-{key}",
                help=words("library.dismiss"),
                on_click=jobs.forget,
                args=([key],),
            )
    prefilling = session.workspace.prefilling.jobs
    for failure in (*jobs.failures.values(), *prefilling.failures.values()):
        st.error(plain(words.error(failure)))


def _outcome(words: Words, outcome: Outcome) -> None:
    document = outcome.document
    if outcome.failure:
        st.error(plain(words.message(outcome.failure)))
    elif document and outcome.status is Status.ADDED:
        text = words.added(outcome)
        notes = "".join(
            f"  \n{plain(words('library.note', note=words.message(n)))}" for n in document.notes
        )
        st.success(plain(text) + notes)
    elif document:
        st.info(plain(words.added(outcome)))


def _documents(session: Session, documents: Sequence[Document]) -> None:
    words = session.words
    wanted = st.text_input(words("library.search"), icon=":material/search:").casefold()
    listed = [document for document in documents if wanted in document.title.casefold()]
    st.caption(words("count.documents", count=len(listed)))
    if not listed:
        st.caption(words("library.nothing"))
        return
    chosen = _table(session, listed)
    if chosen is None:
        st.caption(words("library.choose"))
    else:
        _document(session, chosen)


def _table(session: Session, documents: Sequence[Document]) -> Document | None:
    """Draw the documents as a table; return the one that is chosen."""
    words = session.words
    model = session.workspace.model.name
    read = [_read_so_far(session.workspace, model, document.id) for document in documents]
    rows = [
        {
            words("library.title"): document.title,
            words("library.language"): native(document.language),
            words("library.pages"): document.page_count,
            words("library.words"): document.word_count,
            words("library.tokens"): so_far.tokens if so_far else None,
            words("library.on"): words.date(document.added_at),
            words("library.state"): _state(words, so_far),
        }
        for document, so_far in zip(documents, read, strict=True)
    ]
    columns = {
        words("library.title"): st.column_config.TextColumn(width=TITLE_WIDTH),
        words("library.state"): st.column_config.TextColumn(help=words("library.state_help")),
    }
    event: Any = st.dataframe(
        rows,
        hide_index=True,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        key="documents-" + "-".join(document.short_id for document in documents),
    )
    marked = event.selection.rows if event else []
    return documents[marked[0]] if marked and marked[0] < len(documents) else None


def _state(words: Words, read: PrefillState | None) -> str:
    """Return that a document can be asked about, and how much of it the model has pre-read."""
    if read is None or not read.share:
        return words("library.ready")
    return words("library.ready_read", share=words.percent(read.share))


@st.cache_data(ttl=READY_S, show_spinner=False)
def _read_so_far(_workspace: Workspace, model: str, document: str) -> PrefillState | None:
    """Return how much of a document a model read; None when it cannot tell."""
    try:
        return _workspace.assistant.prefilled(document)
    except QuipuError:
        return None


def _document(session: Session, document: Document) -> None:
    """Draw what can be done with one document, and its first page."""
    words, workspace = session.words, session.workspace
    with st.container(border=True):
        st.markdown(f"**{plain(document.title)}**")
        for note in document.notes:
            st.caption(plain(words("library.note", note=words.message(note))))
        with st.container(horizontal=True):
            st.button(
                words("library.ask_about"), type="primary", on_click=_ask_about, args=(document,)
            )
            st.button(words("library.summarise"), on_click=choose, args=("summary", document.id))
            if st.button(words("library.read_now"), help=words("library.read_help")):
                workspace.prefilling.start(document.id)
                st.rerun()
            with st.popover(words("library.rename")):
                title = st.text_input(words("library.title"), document.title)
                if st.button(words("ask.save"), key="rename") and title.strip():
                    workspace.library.rename(document, title.strip())
                    st.rerun()
            with st.popover(words("library.remove")):
                st.write(plain(words("library.remove_sure", title=document.title)))
                if st.button(
                    words("library.remove_yes"), type="primary", key=f"remove-{document.id}"
                ):
                    workspace.remove(document)
                    st.rerun()
        first = Citation(0, document.id, document.title, 1, "", 0, "", 1.0, supported=True)
        source(session, first, document.language, key=f"open-{document.id}")


def _ask_about(document: Document) -> None:
    st.session_state.update(view="ask", scope=[document.id])
