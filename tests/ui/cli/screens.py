"""Programs in a pseudo-terminal, and what their screen shows."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from typing import Final

import pyte

LINES: Final = 40


def run_in_terminal(
    command: Sequence[str],
    *,
    typed: str = "",
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the lines on the screen when the command has ended, without blank ones at the end.

    Args:
        typed: what is typed before the command looks.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", **(environment or {})}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        env.pop(name, None)
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env):
        os.close(slave)
        os.write(master, typed.encode())
        screen = pyte.Screen(columns, LINES)
        stream = pyte.ByteStream(screen)
        while output := _read(master):
            stream.feed(output)
    os.close(master)
    return "\n".join(line.rstrip() for line in screen.display).rstrip().split("\n")


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # how Linux says that the last writer is gone
        return b""
