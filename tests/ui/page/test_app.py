"""The page on fakes, through Streamlit's own test harness: every view, in a few seconds."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from assistant.assistant import Assistant
from assistant.backends.fake import HashEmbedder
from assistant.errors import Cancelled, ContextOverflow, NotCached
from assistant.reports import kinds
from assistant.reports.base import Tools
from assistant.reports.summary import Summary
from assistant.streams import Events, IsCancelled, Progress, Step, Stream
from assistant.types import Answer, Filters, Query
from assistant.workspace import Prefilling, Workspace
from tests.ui.workspaces import fake_workspace, with_report
from ui.page.app import views
from ui.page.evidence import plain
from ui.words.words import texts

QUESTION = "¿Cuánta lluvia recibió el valle?"
REPLY = "El valle recibió 812 milímetros de lluvia en 1998. [1]"


def script() -> None:
    """Run by the harness in a namespace of its own, so it imports what it needs."""
    import os
    from pathlib import Path

    import streamlit as st

    from assistant.settings import Settings
    from assistant.workspace import Workspace
    from tests.ui.workspaces import fake_workspace, with_report
    from ui.page.app import show

    folder = Path(os.environ["QUIPU_TEST_FOLDER"])

    @st.cache_resource
    def shared(key: str) -> Workspace:
        made = fake_workspace(folder / "home")
        return with_report(made, folder) if key.startswith("full") else made

    def open_(_: Settings) -> Workspace:
        if os.environ["QUIPU_TEST_KIND"].startswith("none"):
            from assistant.errors import ModelNotInstalled

            raise ModelNotInstalled(name="starter")
        made: Workspace = shared(os.environ["QUIPU_TEST_KIND"])
        return made

    show(open_, Settings(home=folder / "home", models=folder / "models"))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("QUIPU_TEST_FOLDER", str(tmp_path))
    monkeypatch.setenv("QUIPU_TEST_KIND", f"full {tmp_path}")
    return AppTest.from_function(script, default_timeout=30)


def view(page: AppTest, name: str) -> AppTest:
    page.session_state["view"] = name
    return page.run()


def click(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if label in button.label).click().run()


def until(page: AppTest, holds: Callable[[AppTest], bool]) -> AppTest:
    """Draw the page again, as its living parts do, until something holds."""
    deadline = time.monotonic() + 20
    while not holds(page.run()):
        assert time.monotonic() < deadline
        assert not page.exception
        time.sleep(0.05)
    return page


def ask(page: AppTest, question: str = QUESTION) -> AppTest:
    page.chat_input[0].set_value(question).run()
    return until(page, lambda p: not p.chat_input[0].disabled)


def said(page: AppTest) -> list[str]:
    """Return questions and answers, without what stands below an answer."""
    return [message.markdown[0].value for message in page.chat_message]


# first run


def test_without_models_the_page_offers_to_fetch_them(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_TEST_KIND", "none")
    page.run()
    assert not page.exception
    assert [heading.value for heading in page.subheader] == ["Welcome to Quipu"]
    assert "1.2 GB" in page.main.markdown[0].value
    assert any(button.label == "Download the starter models" for button in page.button)


def test_an_empty_library_says_what_to_do_first(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_TEST_KIND", f"empty {os.environ['QUIPU_TEST_FOLDER']}")
    page.run()
    assert not page.exception
    assert [heading.value for heading in page.subheader] == ["Your library is empty"]
    click(page, "Add documents")
    assert page.session_state["view"] == "library"


def test_the_sample_documents_come_in_with_one_click(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_TEST_KIND", f"empty {os.environ['QUIPU_TEST_FOLDER']}")
    click(page.run(), "Try the sample documents")
    until(page, lambda p: any(c.value == "5 documents" for c in p.caption))


# asking


def test_a_question_is_answered_with_its_source_beside_it(page: AppTest) -> None:
    ask(page.run())
    assert not page.exception
    assert said(page) == [plain(QUESTION), plain(REPLY)]
    assert any(plain("[1] Water in the valley, p. 1") in button.label for button in page.button)
    shown = [part.value for part in page.markdown]
    quote = "The valley received 812 millimetres of rain in 1998."
    assert f"“{plain(quote)}”" in shown
    assert any(f":yellow-background[{plain(quote)}]" in part for part in shown)
    captions = [caption.value for caption in page.caption]
    assert "Read: the whole text · the text is short enough" in captions
    assert plain("Read: Water in the valley, p. 1") in captions


def test_a_conversation_is_there_again_after_a_reload(page: AppTest) -> None:
    ask(page.run())
    opened = page.session_state["conversation"]
    again = AppTest.from_function(script, default_timeout=30)
    again.query_params["c"] = opened
    again.run()
    assert said(again) == [plain(QUESTION), plain(REPLY)]
    other = AppTest.from_function(script, default_timeout=30).run()
    assert said(other) == []
    click(other, plain(QUESTION)[:20])
    assert said(other) == [plain(QUESTION), plain(REPLY)]


def test_a_conversation_is_renamed_removed_and_begun_anew(page: AppTest) -> None:
    ask(page.run())
    next(field for field in page.text_input if field.label == "Title").set_value("Rain")
    click(page, "Save")
    assert any(button.label == "Rain" for button in page.button)
    click(page, "New conversation")
    assert said(page) == []
    click(page, "Rain")
    click(page, "Delete this conversation")
    assert said(page) == []
    assert not any(button.label == "Rain" for button in page.button)


def test_a_source_is_chosen_and_its_quote_translated(page: AppTest) -> None:
    ask(page.run())
    click(page, plain("[1] Water"))
    assert page.session_state["shown"] == (1, 0)
    click(page, "Translate the quote")
    until(page, lambda p: f"= “{plain(REPLY)}”" in [part.value for part in p.markdown])
    assert not any("Translate" in button.label for button in page.button)


def test_the_documents_asked_of_and_the_language_are_chosen(page: AppTest, tmp_path: Path) -> None:
    page.run()
    (document,) = fake_workspace(tmp_path / "home").library.documents()
    page.multiselect[0].set_value([document.id])
    answer_in = next(box for box in page.selectbox if box.label == "Answer in")
    assert {"English", "Nederlands", "Polski", "ไทย"} < set(answer_in.options)
    answer_in.set_value("fr")
    next(field for field in page.text_input if field.label == "Pages").set_value("1–3")
    ask(page.run())
    opened = page.session_state["conversation"]
    (turn,) = fake_workspace(tmp_path / "home").conversations.turns(opened)
    assert (turn.language, turn.documents) == ("fr", (document.id,))
    assert turn.filters == Filters(pages=(1, 3))


def test_a_failed_answer_is_told_in_the_reader_s_language(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(_: IsCancelled) -> Events[Answer]:
        yield Progress(Step.LOADING)
        raise ContextOverflow(needed_tokens=9000, window_tokens=8192)

    monkeypatch.setattr(Assistant, "ask", lambda *_: Stream(work))
    page.query_params["lang"] = "es"
    ask(page.run())
    assert not page.exception
    assert "9.000 tokens" in page.error[0].value.replace("\\", "")
    assert page.chat_message[0].markdown[0].value == plain(QUESTION)


# library


def test_an_upload_enters_the_library_and_is_reported(page: AppTest, tmp_path: Path) -> None:
    view(page, "library")
    page.file_uploader[0].upload("new.txt", b"The bridge was built in 1931.", "text/plain").run()
    until(page, lambda p: bool(p.success))
    assert [s.value for s in page.success] == [plain("Added “new”: 1 page, 6 words, English")]
    titles = {d.title for d in fake_workspace(tmp_path / "home").library.documents()}
    assert titles == {"new", "Water in the valley"}
    page.file_uploader[0].upload("new.txt", b"The bridge was built in 1931.", "text/plain").run()
    until(page, lambda p: bool(p.info))
    assert [info.value for info in page.info] == [plain("“new” is already in the library")]


def test_an_unreadable_upload_is_told_in_one_sentence(page: AppTest) -> None:
    view(page, "library")
    page.file_uploader[0].upload("broken.pdf", b"%PDF-1.7 nothing", "application/pdf").run()
    until(page, lambda p: bool(p.error))
    assert page.error[0].value.startswith(plain("broken.pdf cannot be read"))


def test_the_table_lists_documents_and_the_search_narrows_it(page: AppTest) -> None:
    view(page, "library")
    rows = page.dataframe[0].value
    assert list(rows["Title"]) == ["Water in the valley"]
    assert list(rows["Language"]) == ["English"]
    page.text_input[0].set_value("nowhere").run()
    assert not page.dataframe
    assert any(c.value == "No title matches." for c in page.caption)


def test_prefilling_is_drawn_with_its_progress_and_its_failure(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prefill(_: Assistant, document: str) -> Stream[None]:
        def work(cancelled: IsCancelled) -> Events[None]:
            if document == "c":
                raise NotCached(title="Bad book")
            yield Progress(Step.READING, 1, 4, "3–5", 61.0)
            while not cancelled():
                time.sleep(0.01)
            raise Cancelled

        return Stream(work)

    def begun(self: Prefilling, assistant: Assistant) -> None:
        made(self, assistant)
        for document in ("c", "a", "b"):
            self.start(document)

    made = Prefilling.__init__
    monkeypatch.setattr(Assistant, "prefill", prefill)
    monkeypatch.setattr(Prefilling, "__init__", begun)
    view(page, "library")
    until(page, lambda p: len(p.get("progress")) == 2 and "3–5" in p.get("progress")[0].proto.text)
    assert not page.exception
    assert page.error[0].value.startswith(plain("There is not enough disk space"))
    drawn = [bar.proto for bar in page.get("progress")]
    assert [(bar.value, bar.text) for bar in drawn] == [
        (25, plain("a: Reading, 25% … · pages 3–5 · 1 min 1 sec left")),
        (0, plain("b: Waiting …")),
    ]


# summaries and models


def test_a_document_is_summarised_kept_and_says_how_much_was_read(page: AppTest) -> None:
    view(page, "summary")
    next(field for field in page.text_input if field.label == "Focus").set_value("wells")
    click(page, "Summarise")
    told = "Pages read, found by a search for this focus: 1 of 1 (1)."
    until(page, lambda p: any(c.value == told for c in p.caption))
    assert [heading.value for heading in page.subheader] == [plain("Water in the valley: wells")]
    click(page, "p. 1")
    assert any("Wells" in part.value for part in page.markdown)  # the text around the quote
    again = view(AppTest.from_function(script, default_timeout=30), "summary")
    assert any(c.value == told for c in again.caption)
    click(again, "Summarise")
    until(again, lambda p: any(c.value == "Pages read: 1 of 1." for c in p.caption))
    assert any("medium, wells" in button.label for button in again.button)


def test_what_is_being_written_is_seen_and_stopped_after_a_reload(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def endless(tools: Tools, *_: object) -> Events[Summary]:
        while not tools.cancelled():
            begun.set()
            yield Progress(Step.SUMMARISING, 1, 3, "4–6")
        raise Cancelled

    monkeypatch.setitem(kinds(), "summary", replace(kinds()["summary"], write=endless))
    click(view(page, "summary"), "Summarise")
    assert begun.wait(5)
    again = view(AppTest.from_function(script, default_timeout=30), "summary")
    click(again, "Stop")
    until(again, lambda p: any("Stopped" in info.value for info in p.info))
    (document,) = [box.value for box in again.selectbox if box.label == "Document"]
    workspace = fake_workspace(Path(os.environ["QUIPU_TEST_FOLDER"]) / "home")
    workspace.remove(workspace.library.document(document))  # by somebody else
    assert not view(again, "summary").exception
    assert [info.value for info in again.info] == [texts("en")["errors.EmptyLibrary"]]


def test_two_documents_are_compared(page: AppTest) -> None:
    view(page, "library")
    page.file_uploader[0].upload("new.txt", b"The valley was dry in 2001.", "text/plain").run()
    until(page, lambda p: bool(p.success))
    view(page, "comparison")
    next(button for button in page.button if button.label == "Compare").click().run()
    until(page, lambda p: any("Points in common" in m.value for m in p.markdown))
    assert not page.exception
    again = view(AppTest.from_function(script, default_timeout=30), "comparison")
    assert any("Only in" in part.value for part in again.markdown)


def test_the_models_that_can_be_had_are_offered(page: AppTest) -> None:
    view(page, "models")
    assert not page.exception
    (offered,) = [box for box in page.selectbox if box.label == "Model"]
    assert "llama-3.1-8b · chat model · 4.9 GB" in offered.options


# language and safety


@pytest.mark.parametrize(
    ("code", "ask_"),
    [("es", "Preguntar"), ("fr", "Questions"), ("de", "Fragen"), ("pt", "Perguntar")],
)
def test_every_view_is_drawn_in_every_language(page: AppTest, code: str, ask_: str) -> None:
    page.query_params["lang"] = code
    for name in views():
        view(page, name)
        assert not page.exception
    labels = page.radio[0].options
    assert ask_ in labels[0]


def test_a_page_with_a_password_shows_nothing_before_it(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.page.app.WRONG_PASSWORD_S", 0.0)
    monkeypatch.setenv("QUIPU_PASSWORD", "llamas-and-knots")
    page.run()
    assert not page.radio
    assert not page.chat_input
    page.text_input[0].set_value("wrong")
    page.button[0].click().run()
    assert [error.value for error in page.error] == ["This password is not correct."]
    assert not page.chat_input
    page.text_input[0].set_value("llamas-and-knots")
    page.button[0].click().run()
    assert not page.exception
    assert page.chat_input


def test_plain_leaves_no_markup_alive() -> None:
    shown = plain("![x](https://evil.example/?q=1) <b>hi</b> $x$ :red[y]")
    assert "![" not in shown
    assert "<b" not in shown.replace("\\<b", "")
    assert "https:" not in shown


def test_fake_embedder_and_workspace_keep_the_contract(tmp_path: Path) -> None:
    workspace: Workspace = with_report(fake_workspace(tmp_path / "home"), tmp_path)
    answer = workspace.assistant.answer(Query(QUESTION))
    assert HashEmbedder().embed_queries(["a b"]).shape == (1, 256)
    assert [(c.page, c.quote) for c in answer.citations] == [
        (1, "The valley received 812 millimetres of rain in 1998.")
    ]
