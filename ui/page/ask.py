"""The view that asks: a conversation next to the page that its last source stands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from assistant.jobs import Job
from assistant.languages.registry import supported
from assistant.reports import kinds
from assistant.reports.base import ReportSpec
from assistant.storage.base import Conversation, Turn, TurnState
from assistant.types import Answer, Citation, Document, Filters, Query, Repair
from ui.exports import conversation_markdown
from ui.page.evidence import HEIGHT, labels, plain, shorten, source
from ui.page.plan import plan
from ui.page.session import Session, samples
from ui.page_numbers import pages_from
from ui.words import Words, native

REFRESH_S: Final = 0.4  # between two looks at an answer that is being written
TITLE_CHARS: Final = 34
CHIP_CHARS: Final = 30


@dataclass(frozen=True)
class Scope:
    """What a question is asked of, and in which language; see `Query`."""

    language: str
    documents: tuple[str, ...]
    filters: Filters


def show(session: Session) -> None:
    """Draw the conversation, the page next to it and the place to ask."""
    documents = session.workspace.library.documents()
    if not documents:
        return _empty(session)
    conversation = _conversation(session)
    turns = session.workspace.conversations.turns(conversation.id)
    talk, aside = st.columns(2, gap="large") if turns else (st.container(), st.container())
    with talk:
        with st.container(horizontal=True):
            scope = _scope(session.words, documents)
            if turns:
                _tools(session, conversation, turns)
        with st.container(height=HEIGHT if turns else "content", border=False, autoscroll=True):
            for turn in turns:
                _turn(session, conversation, turn)
        if not turns:
            _start(session, conversation, scope)
    with aside:
        _beside(session, turns)
    question = st.chat_input(
        session.words("ask.placeholder"),
        disabled=session.workspace.conversations.job(conversation.id) is not None,
    )
    if question and question.strip():
        _ask(session, conversation, question, scope)


def _empty(session: Session) -> None:
    words = session.words
    st.subheader(words("ask.empty_title"), anchor=False)
    st.write(words("ask.empty"))
    with st.container(horizontal=True):
        st.button(words("ask.go_to_library"), type="primary", on_click=_go, args=("library",))
        if samples():
            st.button(words("ask.try_samples"), on_click=_take_samples, args=(session,))


def _take_samples(session: Session) -> None:
    for path in samples():
        session.uploads.put(path.name, path.read_bytes())
    _go("library")


def _go(view: str) -> None:
    st.session_state["view"] = view


def _conversation(session: Session) -> Conversation:
    """Draw the list of conversations in the side bar; return the one that is open."""
    conversations, words = session.workspace.conversations, session.words
    kept = {each.id: each for each in conversations.every()}
    opened = st.session_state.setdefault("conversation", st.query_params.get("c", ""))
    if opened not in kept and opened != getattr(st.session_state.get("begun"), "id", None):
        st.session_state["begun"] = conversations.begin()
        opened = st.session_state["conversation"] = st.session_state["begun"].id
    with st.sidebar:
        st.button(
            words("ask.new"), icon=":material/add:", on_click=_open, args=("",), width="stretch"
        )
        if kept:
            st.caption(words("ask.earlier"))
        for each in kept.values():
            st.button(
                plain(shorten(each.title, TITLE_CHARS)),
                key=f"open-{each.id}",
                type="secondary" if each.id == opened else "tertiary",
                on_click=_open,
                args=(each.id,),
            )
    if opened in kept:
        st.query_params["c"] = opened
        return kept[opened]
    st.query_params.pop("c", None)
    return st.session_state["begun"]  # type: ignore[no-any-return]


def _open(conversation: str) -> None:
    st.session_state["conversation"] = conversation
    st.session_state.pop("begun", None)
    st.session_state.pop("shown", None)


def _scope(words: Words, documents: Sequence[Document]) -> Scope:
    """Draw what is searched and in which language is answered; return what was chosen."""
    names = labels(documents)
    kept = st.session_state.get("scope", [])
    st.session_state["scope"] = [each for each in kept if each in names]
    with st.popover(words("ask.scope"), icon=":material/tune:"):
        chosen = st.multiselect(
            words("ask.documents"),
            list(names),
            key="scope",
            format_func=names.__getitem__,
            placeholder=words("ask.all_documents"),
        )
        language = st.selectbox(
            words("ask.answer_in"),
            ["", *supported()],
            key="answer_in",
            format_func=lambda code: native(code) if code else words("ask.automatic"),
        )
        filters = _filters(words, documents)
    if chosen:
        st.caption(plain(", ".join(names[each] for each in chosen)))
    return Scope(language, tuple(chosen), filters)


def _filters(words: Words, documents: Sequence[Document]) -> Filters:
    """Draw what of the documents is searched; return what was chosen."""
    languages = st.multiselect(
        words("ask.written_in"),
        sorted({document.language for document in documents}),
        key="written_in",
        format_func=native,
        placeholder=words("ask.any"),
    )
    pages = st.text_input(words("ask.pages"), key="pages", placeholder="10-20")
    since = st.date_input(words("ask.since"), value=None, key="since")
    if pages and pages_from(pages) is None:
        st.error(plain(words("errors.InvalidPages", given=pages)))
    return Filters(
        languages=tuple(languages),
        added_from=since.isoformat() if since else "",
        pages=pages_from(pages) if pages else None,
    )


def _start(session: Session, conversation: Conversation, scope: Scope) -> None:
    """Draw questions to begin with: the document's own where they were suggested."""
    words = session.words
    st.write(words("ask.start"))
    st.caption(words("ask.examples"))
    every = [document.id for document in session.workspace.library.documents()]
    about = next(iter(scope.documents), every[0] if len(every) == 1 else "")
    spec = kinds()["questions"].spec([about], words.code) if about else None
    suggested = session.workspace.reports.find(spec) if spec else None
    own = suggested.questions if suggested else ()
    examples = own or tuple(words(f"ask.example_{number}") for number in (1, 2, 3))
    for number, example in enumerate(examples):
        if st.button(plain(example), key=f"example-{number}", type="tertiary"):
            _ask(session, conversation, example, scope)
    if spec and not own:
        _suggest(session, spec)


def _suggest(session: Session, spec: ReportSpec) -> None:
    """Draw a button that has the model suggest questions, or its progress."""
    reports = session.workspace.reports
    job = reports.job(spec)
    if job is not None and not job.view.over:
        _suggesting(session, job)
        return
    if job is not None and job.view.error:
        st.error(plain(session.words.error(job.view.error)))
    st.button(
        session.words("ask.suggest"),
        icon=":material/lightbulb:",
        on_click=reports.start,
        args=(spec,),
    )


@st.fragment(run_every=REFRESH_S)
def _suggesting(session: Session, job: Job[Any]) -> None:
    """Draw the progress of the suggestions; only this part of the page is drawn again."""
    view = job.view
    if view.over:
        st.rerun()
    st.caption(plain(session.words.progress(view.progress)))


def _ask(session: Session, conversation: Conversation, question: str, scope: Scope) -> None:
    query = Query(question, scope.language, scope.documents, scope.filters)
    session.workspace.conversations.ask(conversation, query)
    st.session_state.pop("shown", None)
    st.rerun()


def _turn(session: Session, conversation: Conversation, turn: Turn) -> None:
    """Draw a question and what came of it."""
    words = session.words
    with st.chat_message("user"):
        st.markdown(plain(turn.question))
    with st.chat_message("assistant"):
        if turn.state is TurnState.RUNNING:
            _live(session, conversation)
            return
        if turn.text:
            st.markdown(plain(turn.text))
        match turn.state:
            case TurnState.FAILED if turn.failure:
                st.error(plain(words.message(turn.failure)))
            case TurnState.STOPPED:
                st.caption(words("ask.stopped"))
            case TurnState.REMOVED:
                st.caption(words("ask.removed"))
        if turn.answer:
            _answer(session, turn.number, turn.answer)


@st.fragment(run_every=REFRESH_S)
def _live(session: Session, conversation: Conversation) -> None:
    """Draw an answer while it is written; only this part of the page is drawn again."""
    job = session.workspace.conversations.job(conversation.id)
    if job is None:
        st.rerun()
    assert job is not None
    view = job.view
    if view.text:
        st.markdown(plain(view.text))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(session.words.progress(view.progress)))
        st.button(
            session.words("ask.stop"), key="stop", icon=":material/stop:", on_click=job.cancel
        )


def _answer(session: Session, number: int, answer: Answer) -> None:
    """Draw what stands below an answer: its sources, doubts, and how it came about."""
    words = session.words
    titles = {each.id: each.title for each in session.workspace.library.documents()}
    with st.container(horizontal=True):
        _chips(number, answer.citations, words, titles)
        with st.popover("", icon=":material/content_copy:", help=words("ask.copy")):
            st.code(answer.text, language=None, wrap_lines=True)
    for sentence in answer.unsupported:
        st.caption("⚠ " + plain(words("ask.unsupported", sentence=sentence)))
    if answer.truncated:
        st.caption("⚠ " + words("ask.truncated"))
    notes = {Repair.TRANSLATED: "ask.translated", Repair.REWRITTEN: "ask.rewritten"}
    if answer.repaired in notes:
        st.caption(words(notes[answer.repaired]))
    if answer.searched_for not in ("", answer.question):
        st.caption(plain(words("ask.searched_for", question=answer.searched_for)))
    with st.expander(words("plan.heading")):
        plan(words, answer, titles)


def _chips(
    number: int, citations: Sequence[Citation], words: Words, titles: Mapping[str, str]
) -> None:
    """Draw a button for each source; the one that is open is filled."""
    shown = st.session_state.get("shown")
    for place, citation in enumerate(citations):
        name = shorten(titles.get(citation.document_id, citation.document), CHIP_CHARS)
        page = words("source.page", page=citation.page)
        doubt = "" if citation.supported else " ⚠"
        st.button(
            plain(f"[{citation.marker}] {name}, {page}{doubt}"),
            key=f"chip-{number}-{place}",
            type="primary" if shown == (number, place) else "secondary",
            on_click=_show_source,
            args=(number, place),
        )


def _show_source(number: int, place: int) -> None:
    st.session_state["shown"] = (number, place)


def _beside(session: Session, turns: Sequence[Turn]) -> None:
    """Draw the source that was chosen, else the first of the last answer."""
    words = session.words
    answers = {turn.number: turn.answer for turn in turns if turn.answer and turn.answer.citations}
    if not answers:
        if turns:
            st.caption(words("source.none"))
        return
    number, place = st.session_state.get("shown") or (max(answers), 0)
    answer = answers.get(number)
    if answer is None or place >= len(answer.citations):
        return
    with st.container(border=True, height=HEIGHT):
        key = f"{st.session_state.get('conversation')}-{number}-{place}"
        source(session, answer.citations[place], answer.language, key=key)


def _tools(session: Session, conversation: Conversation, turns: Sequence[Turn]) -> None:
    """Draw what can be done with a whole conversation."""
    words, conversations = session.words, session.workspace.conversations
    with st.popover(words("ask.more"), icon=":material/more_horiz:"):
        st.download_button(
            words("ask.download"),
            conversation_markdown(conversation, turns, words("source.page", page="{page}")),
            file_name="conversation.md",
            on_click="ignore",
        )
        title = st.text_input(words("ask.title"), conversation.title)
        if st.button(words("ask.save")) and title.strip():
            conversations.rename(conversation.id, title.strip())
            st.rerun()
        if st.button(words("ask.remove")):
            conversations.remove(conversation.id)
            _open("")
            st.rerun()
