"""A lock lets one in at a time and says when it waits."""

import subprocess
import sys
from pathlib import Path

from assistant.storage.files import lock

HOLDER = """
import sys
from pathlib import Path
from assistant.storage.files import lock
with lock(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_free_lock_is_taken_without_a_word_and_given_back(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with lock(tmp_path / "a.lock", lambda: said.append("waiting")):
            pass
    assert said == []


def test_who_comes_second_is_told_and_waits_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        held_until_told = holder.stdin
        with lock(path, held_until_told.close):
            assert held_until_told.closed
        assert holder.wait(timeout=30) == 0
