"""docs/cli.md says what the commands are."""

from scripts.write_cli_docs import FILE, document


def test_the_page_about_the_command_line_is_what_the_commands_say() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run python -m scripts.write_cli_docs"


def test_every_command_has_a_section() -> None:
    text = document()
    for command in ("quipu add", "quipu docs show", "quipu cache clear", "quipu eval"):
        assert f"## {command}\n" in text
    assert "quipu snapshots" not in text
