"""The view that asks: a conversation with streamed answers and their sources."""

from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st

from assistant.assistant import turns
from assistant.errors import QuipuError
from assistant.languages import NAMES, SUPPORTED
from assistant.types import Answer, Message, Piece, Stage
from assistant.wiring import Workspace
from ui.page.showing import plain, source
from ui.telling import plan_facts, stage_text


def show(workspace: Workspace) -> None:
    """Draw the conversation and the place to ask."""
    documents = workspace.library.documents()
    if not documents:
        st.info("The library is empty. Open “Library” and add a document first.")
        return
    left, right = st.columns(2)
    names = {document.id: document.title for document in documents}
    chosen = left.multiselect(
        "Documents", list(names), format_func=names.__getitem__, placeholder="all documents"
    )
    language = right.selectbox(
        "Answer in",
        ["", *SUPPORTED],
        format_func=lambda code: NAMES.get(code, "the question's language"),
    )
    answers: list[Answer] = st.session_state.setdefault("answers", [])
    for number, answer in enumerate(answers):
        _draw(workspace, answer, number)
    with st.form("question", clear_on_submit=True, border=False):
        question = st.text_input("Your question", placeholder="¿Qué dice el informe sobre …?")
        asked = st.form_submit_button("Ask")
    if asked and question.strip():
        _ask(workspace, question, language or None, chosen, answers)


def _draw(workspace: Workspace, answer: Answer, number: int) -> None:
    with st.chat_message("user"):
        st.markdown(plain(answer.question))
    with st.chat_message("assistant"):
        st.markdown(plain(answer.text))
        for place, citation in enumerate(answer.citations):
            source(workspace, citation, key=f"source-{number}-{place}")
        for sentence in answer.unsupported:
            st.caption(f"⚠ Not supported by the documents: “{plain(sentence)}”")
        timing = answer.timings
        st.caption(
            f"{answer.model} · first word after {timing.ttft_s:.1f} s · "
            f"{timing.prompt_tokens} tokens read, {timing.completion_tokens} written"
        )
        _plan(answer, {document.id: document.title for document in workspace.library.documents()})


def _plan(answer: Answer, titles: Mapping[str, str]) -> None:
    """Draw what the model was given to read."""
    with st.expander("What was read"):
        facts = plan_facts(answer.plan, titles)
        st.code("\n".join(f"{label:<11}{text}" for label, text in facts), language=None)


def _ask(
    workspace: Workspace,
    question: str,
    language: str | None,
    documents: list[str],
    answers: list[Answer],
) -> None:
    history: list[Message] = [turn for answer in answers for turn in turns(answer)]
    with st.chat_message("user"):
        st.markdown(plain(question))
    with st.chat_message("assistant"):
        events = workspace.assistant.ask(
            question, language=language, documents=documents, history=history
        )
        try:
            answer = _stream(events)
        except QuipuError as error:
            st.error(str(error))
            return
    answers.append(answer)
    st.rerun()


def _stream(events: Iterator[Any]) -> Answer:
    """Draw the stages and the text as they come; return the answer."""
    stage, place = st.empty(), st.empty()
    text = ""
    for event in events:
        match event:
            case Stage():
                stage.caption(plain(f"{stage_text(event)} …"))
            case Piece():
                text = event.text if event.restart else text + event.text
                place.markdown(plain(text))
            case Answer():
                return event
    raise AssertionError("the assistant always ends with an answer")
