"""The view of the library: add, list and remove documents."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import streamlit as st

from assistant.languages import identify_document, name_of
from assistant.types import Document, Stage, StageName
from assistant.wiring import Workspace
from ingest.indexing import Outcome, Progress, Status, add
from ingest.reading import READERS
from ui.page.showing import plain
from ui.telling import duration, stage_text

NAME_CHARS = 120
REFRESH_S = 2.0


def show(workspace: Workspace) -> None:
    """Draw the upload, then the documents."""
    suffixes = sorted(suffix.removeprefix(".") for suffix in READERS)
    with st.form("upload", clear_on_submit=True):
        uploads = st.file_uploader("Add documents", type=suffixes, accept_multiple_files=True)
        read = st.checkbox(
            "Read them now, beside everything else, so that answers come at once later"
        )
        sent = st.form_submit_button("Add")
    if sent and uploads:
        for document in _add(workspace, uploads):
            if read:
                workspace.preparer.want(document.id)
    documents = workspace.library.documents()
    _preparing(workspace, documents)
    if documents:
        _table(documents)
        _removal(workspace, documents)


def file_name(given: str) -> str:
    """Return a browser's file name without folders or characters that hide something."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:NAME_CHARS]}{dot}{suffix[:10]}" if stem else "document.txt"


def _add(workspace: Workspace, uploads: Sequence[Any]) -> list[Document]:
    """Take the files in; return the documents they became."""
    documents: list[Document] = []
    folder = workspace.library.folder / "uploads"
    folder.mkdir(mode=0o700, exist_ok=True)
    bar = st.progress(0.0, "Reading …")
    for upload in uploads:
        path = folder / file_name(upload.name)
        path.write_bytes(upload.getvalue())
        try:
            for outcome in add(
                [path],
                shelf=workspace.library,
                embedder=workspace.embedder,
                language_of=identify_document,
                report=lambda now: _report(bar, now),
            ):
                _outcome(outcome)
                documents += [outcome.document] if outcome.document else []
        finally:
            path.unlink()  # the library has its own copy
    bar.empty()
    return documents


def _preparing(workspace: Workspace, documents: Sequence[Document]) -> None:
    """Draw how far the reading of documents is, as long as there is any."""
    titles = {document.id: document.title for document in documents}
    for document, failure in workspace.preparer.failures.items():
        st.error(plain(f"{titles.get(document, document)}: {failure}"))
    if not workspace.preparer.stages:
        return

    @st.fragment(run_every=REFRESH_S)
    def bars() -> None:
        stages = workspace.preparer.stages
        for document, stage in stages.items():
            _bar(titles.get(document, document), stage)
        if not stages:
            st.rerun()

    bars()


def _bar(title: str, stage: Stage) -> None:
    share = stage.done / max(1, stage.total) if stage.name is StageName.READING else 0.0
    st.progress(share, plain(f"{title}: {stage_text(stage)}"))


def _report(bar: Any, now: Progress) -> None:
    if now.pages_total:
        left = f", {duration(now.seconds_left)} left" if now.seconds_left else ""
        text = f"{now.path.name}: page {now.pages_done} of {now.pages_total}{left}"
        bar.progress(now.pages_done / now.pages_total, plain(text))
    else:
        bar.progress(0.0, plain(f"{now.path.name}: {now.step} …"))


def _outcome(outcome: Outcome) -> None:
    if outcome.document is None:
        st.error(plain(outcome.error))
        return
    document = outcome.document
    verb = "is already here" if outcome.status is Status.UNCHANGED else f"was {outcome.status}"
    notes = "".join(f"; {note}" for note in document.notes)
    pages = "1 page" if document.page_count == 1 else f"{document.page_count} pages"
    st.success(plain(f"{document.title} {verb}: {pages}, {name_of(document.language)}{notes}."))


def _table(documents: Sequence[Document]) -> None:
    st.dataframe(
        [
            {
                "title": document.title,
                "language": name_of(document.language),
                "pages": document.page_count,
                "words": document.word_count,
                "added": document.added_at[:10],
            }
            for document in documents
        ],
        hide_index=True,
    )


def _removal(workspace: Workspace, documents: Sequence[Document]) -> None:
    titles = {document.id: document.title for document in documents}
    with st.form("removal"):
        chosen = st.selectbox("Remove a document", list(titles), format_func=titles.__getitem__)
        sure = st.checkbox("Yes, remove it and every trace of it")
        if st.form_submit_button("Remove") and sure:
            workspace.library.remove(workspace.library.document(chosen))
            st.rerun()
