"""The view that asks: a conversation beside the page that its last source stands on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from assistant.jobs import Job
from assistant.languages.detection import SUPPORTED
from assistant.storage.base import Conversation, Turn, TurnState
from assistant.streams import IsCancelled, Progress, TextDelta
from assistant.types import Answer, Citation, Document, Filters, Repair
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
    """What a question is asked of, and in which language; as `Conversations.ask` takes them."""

    language: str | None
    documents: tuple[str, ...]
    filters: Filters


def show(desk: Session) -> None:
    """Draw the conversation, the page beside it and the place to ask."""
    documents = desk.workspace.library.documents()
    if not documents:
        return _empty(desk)
    conversation = _conversation(desk)
    turns = desk.workspace.conversations.turns(conversation.id)
    talk, beside = st.columns(2, gap="large") if turns else (st.container(), st.container())
    with talk:
        with st.container(horizontal=True):
            scope = _scope(desk.words, documents)
            if turns:
                _tools(desk, conversation, turns)
        with st.container(height=HEIGHT if turns else "content", border=False, autoscroll=True):
            for turn in turns:
                _turn(desk, conversation, turn)
        if not turns:
            _start(desk, conversation, scope)
    with beside:
        _beside(desk, turns)
    question = st.chat_input(
        desk.words("ask.placeholder"),
        disabled=desk.workspace.conversations.job(conversation.id) is not None,
    )
    if question and question.strip():
        _ask(desk, conversation, question, scope)


def _empty(desk: Session) -> None:
    words = desk.words
    st.subheader(words("ask.empty_title"), anchor=False)
    st.write(words("ask.empty"))
    with st.container(horizontal=True):
        st.button(words("ask.go_to_library"), type="primary", on_click=_go, args=("library",))
        if samples():
            st.button(words("ask.try_samples"), on_click=_take_samples, args=(desk,))


def _take_samples(desk: Session) -> None:
    for path in samples():
        desk.uploads.put(path.name, path.read_bytes())
    _go("library")


def _go(view: str) -> None:
    st.session_state["view"] = view


def _conversation(desk: Session) -> Conversation:
    """Draw the list of conversations in the side bar; return the one that is open."""
    conversations, words = desk.workspace.conversations, desk.words
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
            ["", *SUPPORTED],
            key="answer_in",
            format_func=lambda code: native(code) if code else words("ask.automatic"),
        )
        filters = _filters(words, documents)
    if chosen:
        st.caption(plain(", ".join(names[each] for each in chosen)))
    return Scope(language or None, tuple(chosen), filters)


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


def _start(desk: Session, conversation: Conversation, scope: Scope) -> None:
    """Draw questions to begin with: the document's own where they were suggested."""
    words = desk.words
    st.write(words("ask.start"))
    st.caption(words("ask.examples"))
    every = [document.id for document in desk.workspace.library.documents()]
    about = next(iter(scope.documents), every[0] if len(every) == 1 else "")
    own = desk.workspace.assistant.suggested(about, words.code) if about else ()
    examples = own or tuple(words(f"ask.example_{number}") for number in (1, 2, 3))
    for number, example in enumerate(examples):
        if st.button(plain(example), key=f"example-{number}", type="tertiary"):
            _ask(desk, conversation, example, scope)
    if about and not own:
        _suggest(desk, about)


def _suggest(desk: Session, document: str) -> None:
    """Draw a button that has the model suggest questions, or how far it is."""
    job: Job[tuple[str, ...]] | None = st.session_state.get("suggesting")
    if job is not None and not job.view.over:
        _suggesting(desk, job)
        return
    if job is not None and job.view.error:
        st.error(plain(desk.words.error(job.view.error)))
    st.session_state.pop("suggesting", None)
    st.button(
        desk.words("ask.suggest"),
        icon=":material/lightbulb:",
        on_click=_begin_suggesting,
        args=(desk, document),
    )


@st.fragment(run_every=REFRESH_S)
def _suggesting(desk: Session, job: Job[tuple[str, ...]]) -> None:
    """Draw how far the suggesting is; only this part of the page is drawn again."""
    view = job.view
    if view.over:
        st.rerun()
    st.caption(plain(desk.words.progress(view.stage)) if view.stage else "…")


def _begin_suggesting(desk: Session, document: str) -> None:
    def work(cancelled: IsCancelled) -> Iterator[Progress | TextDelta | tuple[str, ...]]:
        yield from desk.workspace.assistant.suggest(
            document, language=desk.words.code, cancelled=cancelled
        )

    st.session_state["suggesting"] = Job(work).start()


def _ask(desk: Session, conversation: Conversation, question: str, scope: Scope) -> None:
    desk.workspace.conversations.ask(
        conversation,
        question,
        language=scope.language,
        documents=scope.documents,
        filters=scope.filters,
    )
    st.session_state.pop("shown", None)
    st.rerun()


def _turn(desk: Session, conversation: Conversation, turn: Turn) -> None:
    """Draw a question and what came of it."""
    words = desk.words
    with st.chat_message("user"):
        st.markdown(plain(turn.question))
    with st.chat_message("assistant"):
        if turn.state is TurnState.RUNNING:
            _live(desk, conversation)
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
            _answer(desk, turn.number, turn.answer)


@st.fragment(run_every=REFRESH_S)
def _live(desk: Session, conversation: Conversation) -> None:
    """Draw an answer while it is written; only this part of the page is drawn again."""
    job = desk.workspace.conversations.job(conversation.id)
    if job is None:
        st.rerun()
    assert job is not None
    view = job.view
    if view.text:
        st.markdown(plain(view.text))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(desk.words.progress(view.stage)) if view.stage else "…")
        st.button(desk.words("ask.stop"), key="stop", icon=":material/stop:", on_click=job.stop)


def _answer(desk: Session, number: int, answer: Answer) -> None:
    """Draw what stands below an answer: its sources, doubts, and how it came about."""
    words = desk.words
    titles = {each.id: each.title for each in desk.workspace.library.documents()}
    with st.container(horizontal=True):
        _chips(number, answer.citations, words, titles)
        with st.popover("", icon=":material/content_copy:", help=words("ask.copy")):
            st.code(answer.text, language=None, wrap_lines=True)
    for sentence in answer.unsupported:
        st.caption("⚠ " + plain(words("ask.unsupported", sentence=sentence)))
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


def _beside(desk: Session, turns: Sequence[Turn]) -> None:
    """Draw the source that was chosen, else the first of the last answer."""
    words = desk.words
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
        source(desk, answer.citations[place], answer.language, key=key)


def _tools(desk: Session, conversation: Conversation, turns: Sequence[Turn]) -> None:
    """Draw what can be done with a whole conversation."""
    words, conversations = desk.words, desk.workspace.conversations
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
