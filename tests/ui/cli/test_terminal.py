"""What a real terminal shows: text stays, and what comes and goes takes a line of its own."""

import sys
from pathlib import Path

import pytest

from tests.ui.cli.screens import run_in_terminal

REPLY = "El valle recibió 812 milímetros de lluvia en 1998."
QUESTION = "¿Cuánta lluvia cayó en 1998?"


def quipu(folder: Path, *arguments: str, reply: str = REPLY, typed: str = "") -> list[str]:
    """Return the screen after a command over the fake workspace."""
    command = [sys.executable, "-m", "tests.ui.cli.fake_quipu", str(folder), reply, *arguments]
    return run_in_terminal(command, typed=typed, columns=100)


def test_the_answer_stays_on_the_screen(tmp_path: Path) -> None:
    lines = quipu(tmp_path, "ask", QUESTION)
    assert lines[0] == f"{REPLY} [1]"
    assert lines[1] == ""
    assert lines[2].startswith("[1] Water in the valley, p. 1")


def test_a_long_answer_stays_on_the_screen(tmp_path: Path) -> None:
    reply = " ".join([REPLY] * 5)
    shown = "".join(quipu(tmp_path, "ask", QUESTION, reply=reply)).replace(" ", "")
    assert shown.startswith((f"{REPLY}[1]" * 5).replace(" ", ""))


def test_answers_of_a_conversation_stay_on_the_screen(tmp_path: Path) -> None:
    lines = quipu(tmp_path, "chat", typed=f"{QUESTION}\n\n")
    assert lines.count(f"{REPLY} [1]") == 1


@pytest.mark.parametrize("columns", [20, 100])
def test_a_status_line_takes_one_line_and_goes_away(columns: int) -> None:
    program = (
        "from assistant.streams import Progress, Step, TextDelta\n"
        "from ui.cli.terminal import following\n"
        "with following() as live:\n"
        "    live.text(TextDelta('kept'))\n"
        "    live.progress(Progress(Step.READING, 100, 2000, '3-5', 61.0))\n"
        "    live.progress(Progress(Step.WRITING))\n"
    )
    shown = run_in_terminal([sys.executable, "-c", program], columns=columns)
    assert shown == ["kept"]
