"""Markdown to blocks."""

from pathlib import Path

import pytest

from ingest.cleaning import clean
from ingest.pages import Block
from ingest.readers.markdown import read_markdown


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def markdown(tmp_path: Path, text: str) -> tuple[Block, ...]:
    return read_markdown(write(tmp_path / "a.md", text)).pages[0].blocks


def test_headings_stand_alone_even_against_a_paragraph(tmp_path: Path) -> None:
    assert markdown(tmp_path, "# One #\nText\n### Three\nMore") == (
        Block("One", level=1),
        Block("Text"),
        Block("Three", level=3),
        Block("More"),
    )


def test_underlined_headings_are_headings(tmp_path: Path) -> None:
    assert markdown(tmp_path, "One\n===\n\nText\n\nTwo\n---\nMore") == (
        Block("One", level=1),
        Block("Text"),
        Block("Two", level=2),
        Block("More"),
    )


def test_the_first_chapter_is_the_title(tmp_path: Path) -> None:
    assert read_markdown(write(tmp_path / "a.md", "Hi\n\n## B\n\n# A")).title == "A"


def test_comments_in_code_are_no_headings_and_code_keeps_its_marks(tmp_path: Path) -> None:
    assert markdown(tmp_path, "Run:\n```sh\n# not a heading\nls **\n```\nThen rest.") == (
        Block("Run:"),
        Block("# not a heading"),
        Block("ls **"),
        Block("Then rest."),
    )


def test_code_that_is_never_closed_is_kept(tmp_path: Path) -> None:
    assert markdown(tmp_path, "A\n\n~~~\n# x\ny") == (Block("A"), Block("# x"), Block("y"))


def test_a_table_loses_its_rules_and_keeps_its_cells(tmp_path: Path) -> None:
    assert markdown(tmp_path, "| City | Boats |\n|------|------:|\n| Oslo | 12 |") == (
        Block("City | Boats\nOslo | 12"),
    )


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("**bold** and `code` and __both__", "bold and code and both"),
        ("[text](http://x.example/a) here", "text here"),
        ("![a picture](p.png)", "a picture"),
        ("`__init__` and my__name__here", "__init__ and my__name__here"),
        ("2 * 3 * 4", "2 * 3 * 4"),
    ],
)
def test_marks_of_emphasis_and_links_are_taken_off(tmp_path: Path, marked: str, plain: str) -> None:
    assert markdown(tmp_path, marked) == (Block(plain),)


def test_list_items_keep_their_numbers(tmp_path: Path) -> None:
    text = (
        "Steps:\n\n3. First **one**\n   goes on\n4. Second\n   - under it\n\n     More.\n\n* Third"
    )
    assert markdown(tmp_path, text) == (
        Block("Steps:"),
        Block("3. First one\ngoes on"),
        Block("4. Second"),
        Block("• under it"),
        Block("More."),
        Block("• Third"),
    )


def test_numbers_with_brackets_and_empty_items(tmp_path: Path) -> None:
    assert markdown(tmp_path, "1) a\n2)\n3) c") == (Block("1) a"), Block("3) c"))


@pytest.mark.parametrize(
    "front",
    [
        "---\ntitle: The Manual\ntags: [a, b]\n---\n",
        "---\n# made by hand\ndate: 2020-01-01\ntitle: 'The Manual'\n\nauthor: A\n...\n",
        '+++\ntitle = "The Manual"\n+++\n',
        "---\r\ntitle: The Manual\r\n---\r\n",
    ],
)
def test_front_matter_is_no_text_and_gives_the_title(tmp_path: Path, front: str) -> None:
    read = read_markdown(write(tmp_path / "a.md", f"{front}# One\n\nText"))
    assert read.title == "The Manual"
    assert read.pages[0].blocks == (Block("One", level=1), Block("Text"))


@pytest.mark.parametrize("text", ["---\n\nText: more\n\n---\nEnd", "---\nText alone\n\n***\nEnd"])
def test_a_rule_at_the_top_is_no_front_matter(tmp_path: Path, text: str) -> None:
    texts = [block.text for block in markdown(tmp_path, text)]
    assert texts[0].startswith("Text")
    assert texts[-1] == "End"


def test_comments_and_hidden_html_are_dropped_and_other_html_is_read(tmp_path: Path) -> None:
    text = (
        "A <!-- note --> line<br>broken.\n\n<!-- one\n\ntwo -->\n\n"
        '<p hidden>secret</p>\n\n<div align="center">\n<h2>Inside</h2> said\n</div>\n\n'
        "<script>\n\nalert(1)\n</script>\n\nEnd"
    )
    assert markdown(tmp_path, text) == (
        Block("A  line\nbroken."),
        Block("Inside", level=2),
        Block("said"),
        Block("End"),
    )


def test_references_and_addresses_keep_their_words(tmp_path: Path) -> None:
    text = (
        "See [the *docs*][1], [1] and <https://x.example/a_b_c>.\n\n[1]: https://x.example 'Docs'"
    )
    assert markdown(tmp_path, text) == (Block("See the docs, 1 and https://x.example/a_b_c."),)


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("*one* and _two_ and ***three*** and ~~four~~", "one and two and three and four"),
        ("\\*not emphasis\\* &amp; 3 &lt; 4", "*not emphasis* & 3 < 4"),
        ("`a ** b` and ``x ` y``", "a ** b and x ` y"),
        ("[![badge](b.svg)](http://x.example)", "badge"),
        ("[a (b)](http://x.example/(c)) d", "a (b) d"),
        ("1986\\. A year", "1986. A year"),
    ],
)
def test_what_patterns_took_for_marks_or_missed(tmp_path: Path, marked: str, plain: str) -> None:
    assert markdown(tmp_path, marked) == (Block(plain),)


def test_a_table_without_headings_has_no_row_for_them(tmp_path: Path) -> None:
    assert markdown(tmp_path, "| | |\n|-|-|\n| a | b |") == (Block("a | b"),)


def test_a_table_keeps_empty_cells_and_escaped_bars(tmp_path: Path) -> None:
    text = "Before\n\na | b | c\n--|:-:|--\n1 | | `x\\|y`\n\nAfter"
    assert markdown(tmp_path, text) == (
        Block("Before"),
        Block("a | b | c\n1 |  | x|y"),
        Block("After"),
    )


def test_quotations_and_indented_code_are_read(tmp_path: Path) -> None:
    assert markdown(tmp_path, "> ## Said\n> by her\n\n    ls -l\n\n    cd ..") == (
        Block("Said", level=2),
        Block("by her"),
        Block("ls -l"),
        Block("cd .."),
    )


def test_long_lines_of_code_stay_lines_when_cleaned(tmp_path: Path) -> None:
    lines = [f"run --with-a-long-option={n} --and-another=value{n} input{n}.txt" for n in (1, 2)]
    read = read_markdown(write(tmp_path / "a.md", "```\n" + "\n".join(lines) + "\n```"))
    assert clean(read.pages).pages[0].text == "\n".join(lines)


def test_text_too_deep_for_the_parser_is_not_dropped_silently(tmp_path: Path) -> None:
    assert markdown(tmp_path, "> " * 90 + "x") == (Block("x"),)
    with pytest.raises(ValueError, match="nested too deeply"):
        markdown(tmp_path, "> " * 5_000 + "x")


def test_open_brackets_come_to_an_end(tmp_path: Path) -> None:
    assert markdown(tmp_path, "[" * 5_000 + "\n\nEnd")[-1] == Block("End")
