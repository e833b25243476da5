"""The page on fakes, through Streamlit's own test harness."""

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from assistant.backends.fake import HashEmbedder
from assistant.preparing import Preparer
from assistant.types import Stage, StageName
from assistant.wiring import Workspace
from tests.ui.workspaces import fake_workspace, with_report
from ui.page.library import file_name
from ui.page.showing import plain


def script() -> None:
    """Run by the harness in a namespace of its own, so it imports what it needs."""
    import os
    from pathlib import Path

    import streamlit as st

    from assistant.wiring import Workspace
    from tests.ui.workspaces import fake_workspace, with_report
    from ui.page.app import show

    folder = Path(os.environ["QUIPU_TEST_FOLDER"])

    @st.cache_resource
    def workspace(key: str) -> Workspace:
        made = fake_workspace(folder / "home")
        return with_report(made, folder) if key.startswith("full") else made

    show(lambda: workspace(os.environ["QUIPU_TEST_KIND"]))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("QUIPU_TEST_FOLDER", str(tmp_path))
    monkeypatch.setenv("QUIPU_TEST_KIND", f"full {tmp_path}")
    return AppTest.from_function(script, default_timeout=30)


def test_an_empty_library_says_what_to_do_first(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_TEST_KIND", f"empty {os.environ['QUIPU_TEST_FOLDER']}")
    page.run()
    assert not page.exception
    assert {info.value for info in page.info} == {
        "The library is empty. Open “Library” and add a document first."
    }


def test_a_question_is_answered_with_its_source(page: AppTest) -> None:
    page.run()
    page.text_input[0].set_value("¿Cuánta lluvia recibió el valle?")
    page.button[0].click().run()
    assert not page.exception
    said = [part.value for message in page.chat_message for part in message.markdown]
    assert said[0] == plain("¿Cuánta lluvia recibió el valle?")
    assert said[1] == plain("El valle recibió 812 milímetros de lluvia en 1998. [1]")
    assert plain("[1] Water in the valley, p. 1") in said[2]
    assert plain("The valley received 812 millimetres of rain in 1998.") in said[3]
    (plan,) = [block.value.splitlines() for block in page.code]
    assert plan[0] == "mode       whole: the whole text, because it is short enough"
    assert plan[-1] == "read       Water in the valley: p. 1"


def test_the_conversation_stays_when_the_page_is_drawn_again(page: AppTest) -> None:
    page.run()
    page.text_input[0].set_value("¿Cuánta lluvia recibió el valle?")
    page.button[0].click().run()
    page.run()
    assert len(page.chat_message) == 2


def test_a_document_is_summarised_and_says_how_much_was_read(page: AppTest) -> None:
    page.run()
    next(button for button in page.button if button.label == "Summarise").click().run()
    assert not page.exception
    assert any(c.value == "1 of 1 pages were read." for c in page.caption)


def test_a_removed_document_is_gone(page: AppTest, tmp_path: Path) -> None:
    page.run()
    next(box for box in page.checkbox if box.label.startswith("Yes")).check()
    next(button for button in page.button if button.label == "Remove").click().run()
    assert not page.exception
    assert fake_workspace(tmp_path / "home").library.documents() == []


def test_an_upload_enters_the_library(page: AppTest, tmp_path: Path) -> None:
    page.run()
    page.file_uploader[0].upload("new.txt", b"The bridge was built in 1931.", "text/plain")
    next(button for button in page.button if button.label == "Add").click().run()
    assert not page.exception
    assert [s.value for s in page.success] == [plain("new was added: 1 page, English.")]
    titles = {d.title for d in fake_workspace(tmp_path / "home").library.documents()}
    assert titles == {"new", "Water in the valley"}


def test_an_upload_is_read_beside_when_asked(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[str] = []
    monkeypatch.setattr(Preparer, "want", lambda _, document: wanted.append(document))
    page.run()
    for name, ticked in (("one.txt", False), ("two.txt", True)):
        page.file_uploader[0].upload(name, f"The {name} bridge.".encode(), "text/plain")
        box = next(box for box in page.checkbox if box.label.startswith("Read them now"))
        box.set_value(ticked)
        next(button for button in page.button if button.label == "Add").click().run()
    assert not page.exception
    assert wanted == [fake_workspace(tmp_path / "home").library.document("two").id]


def test_reading_beside_is_drawn_with_its_page_and_its_failure(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = {"a": Stage(StageName.READING, 1, 4, "3–5", 61.0), "b": Stage(StageName.WAITING, 0, 1)}
    monkeypatch.setattr(Preparer, "stages", stages)
    monkeypatch.setattr(Preparer, "failures", {"c": "no room"})
    page.run()
    assert not page.exception
    assert [e.value for e in page.error] == [plain("c: no room")]
    drawn = [bar.proto for bar in page.get("progress")]
    assert [(bar.value, bar.text) for bar in drawn] == [
        (25, plain("a: reading 1 of 4 tokens, pages 3–5, 1 min 1 s left")),
        (0, plain("b: waiting for the one before")),
    ]


def test_an_unreadable_upload_is_told_in_one_sentence(page: AppTest) -> None:
    page.run()
    page.file_uploader[0].upload("broken.pdf", b"%PDF-1.7 nothing", "application/pdf")
    next(button for button in page.button if button.label == "Add").click().run()
    assert not page.exception
    assert len(page.error) == 1
    assert page.error[0].value.startswith(plain("broken.pdf: cannot be read"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\notes.md", "notes.md"),
        ("a\u202efdp.txt", "afdp.txt"),
        ("x" * 300 + ".pdf", "x" * 120 + ".pdf"),
        ("..", "document.txt"),
    ],
)
def test_file_name_keeps_no_folders_and_hides_nothing(given: str, kept: str) -> None:
    assert file_name(given) == kept


def test_plain_leaves_no_markup_alive() -> None:
    shown = plain("![x](https://evil.example/?q=1) <b>hi</b> $x$ :red[y]")
    assert "![" not in shown
    assert "<b" not in shown.replace("\\<b", "")
    assert "https:" not in shown


def test_fake_embedder_and_workspace_keep_the_contract(tmp_path: Path) -> None:
    workspace: Workspace = with_report(fake_workspace(tmp_path / "home"), tmp_path)
    answer = workspace.assistant.answer("¿Cuánta lluvia recibió el valle?")
    assert HashEmbedder().embed_queries(["a b"]).shape == (1, 256)
    assert [(c.page, c.quote) for c in answer.citations] == [
        (1, "The valley received 812 millimetres of rain in 1998.")
    ]
