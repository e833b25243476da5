"""How text from documents and models is put on the page: as text, never as markup."""

import re
from pathlib import Path

import streamlit as st

from assistant.types import Citation
from assistant.wiring import Workspace
from ingest.drawing import draw_page

ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|<>$~:&-])")
SCHEME = re.compile(r"(?i)(\bhttps?|\bftp|\bwww)(?=[:.])")
WORD_JOINER = "\u2060"  # invisible; keeps an address from becoming a link


def plain(text: str) -> str:
    """Return Markdown that shows `text` as it is: no links, images, markup or formulas."""
    broken = SCHEME.sub(rf"\1{WORD_JOINER}", text)
    return ACTIVE.sub(r"\\\1", broken).replace("\n", "  \n")


def source(workspace: Workspace, citation: Citation, key: str) -> None:
    """Draw one source: document, page and quote, and the page itself when asked for."""
    title = f"[{citation.marker}] {citation.document}, p. {citation.page}"
    with st.container(border=True):
        st.markdown(f"**{plain(title)}**" + ("" if citation.supported else " · weak support"))
        st.markdown(f"“{plain(citation.quote)}”")
        document = workspace.library.document(citation.document_id)
        file = workspace.library.file(document)
        if file.suffix == ".pdf" and st.toggle("Show the page", key=key):
            caption = f"{citation.document}, page {citation.page}"
            st.image(page_picture(str(file), citation.page), caption=plain(caption))


@st.cache_data(max_entries=64, show_spinner=False)
def page_picture(file: str, number: int) -> bytes:
    """Return a page as PNG, drawn once."""
    return draw_page(Path(file), number)
