"""HTML to blocks."""

from pathlib import Path

import pytest

from ingest.pages import Block
from ingest.readers.html import read_html


def html(tmp_path: Path, body: str | bytes) -> tuple[Block, ...]:
    path = tmp_path / "a.html"
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    (page,) = read_html(path).pages
    return page.blocks


def test_title_headings_and_paragraphs_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("<title> The  river </title><h1>One</h1><p>Text <b>bold</b>.</p><h3>Two</h3>")
    reading = read_html(path)
    assert reading.title == "The river"
    assert reading.pages[0].blocks == (
        Block("One", level=1),
        Block("Text bold."),
        Block("Two", level=3),
    )


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>evil()</script>",
        "<style>p {}</style>",
        "<nav><a href=/>Home</a></nav>",
        "<p hidden>secret</p>",
        "<p aria-hidden=true>secret</p>",
        "<p style='display:none'>secret</p>",
        "<p style='color: red; display: none'>secret</p>",
        "<div style='visibility: hidden'><p>secret</p></div>",
        "<noscript>turn on scripts</noscript>",
        "<template><p>later</p></template>",
        "<select><option>1</option></select>",
        "<!-- a comment -->",
        "<iframe src=x>frame</iframe>",
    ],
)
def test_what_nobody_sees_is_dropped(tmp_path: Path, hidden: str) -> None:
    assert html(tmp_path, f"<p>Seen.</p>{hidden}<p>Also.</p>") == (Block("Seen."), Block("Also."))


def test_text_inside_a_form_is_text(tmp_path: Path) -> None:
    assert html(tmp_path, "<form><p>All of the page.</p></form>") == (Block("All of the page."),)


def test_loose_text_between_blocks_is_kept_in_place(tmp_path: Path) -> None:
    assert html(tmp_path, "<div>Be<b>fore</b>, it.<p>In.</p>After <i>it</i></div>") == (
        Block("Before, it."),
        Block("In."),
        Block("After it"),
    )


def test_a_line_break_parts_words(tmp_path: Path) -> None:
    assert html(tmp_path, "<p>One<br>two<br/>three</p>") == (Block("One two three"),)


def test_nested_lists_keep_every_item_once(tmp_path: Path) -> None:
    nested = "<ul><li>One<ul><li>One a</li><li>One b</li></ul></li><li><p>Two</p></li></ul>"
    assert html(tmp_path, nested) == (
        Block("• One"),
        Block("• One a"),
        Block("• One b"),
        Block("Two"),
    )


def test_code_keeps_its_lines(tmp_path: Path) -> None:
    assert html(tmp_path, "<pre>\na = 1\nb = 2\n</pre>") == (Block("a = 1\nb = 2"),)


def test_a_table_keeps_caption_rows_and_cells(tmp_path: Path) -> None:
    table = (
        "<table><caption>Boats</caption><tr><th>City</th><th>Number</th></tr>"
        "<tr><td>Os\nlo</td><td><p>12</p></td></tr><tr><td></td><td></td></tr></table>"
    )
    assert html(tmp_path, table) == (Block("Boats"), Block("City | Number\nOs lo | 12"))


def test_a_table_for_layout_is_read_as_what_it_holds(tmp_path: Path) -> None:
    layout = (
        "<table><tr><td><h1>Title</h1><p>Text.</p></td>"
        "<td><table><tr><td>1</td><td>2</td></tr></table></td></tr></table>"
    )
    assert html(tmp_path, layout) == (Block("Title", level=1), Block("Text."), Block("1 | 2"))


@pytest.mark.parametrize("encoding", ["iso-8859-1", "koi8-r", "shift_jis", "gb18030"])
def test_the_declared_encoding_counts(tmp_path: Path, encoding: str) -> None:
    words = {"iso-8859-1": "señal", "koi8-r": "река", "shift_jis": "川の町", "gb18030": "河边"}
    page = f'<meta charset="{encoding}"><p>{words[encoding]}</p>'.encode(encoding)
    assert html(tmp_path, page) == (Block(words[encoding]),)


@pytest.mark.parametrize("declared", ["no-such-thing", "rot13", "ascii"])
def test_a_wrong_declaration_does_no_harm(tmp_path: Path, declared: str) -> None:
    page = f"<meta charset='{declared}'><p>señal</p>".encode()
    assert html(tmp_path, page) == (Block("señal"),)


def test_an_empty_page_has_no_blocks(tmp_path: Path) -> None:
    assert html(tmp_path, "<html></html>") == ()
