"""The child process in which strangers' files are opened: started, watched and ended here.

What it may take of memory and processor time it limits itself, see child.py.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

# No working folder and no environment on the child's import path, so that nobody's modules slip
# in. `-I` would also hide packages that the user installed for himself alone.
CHILD: Final = (sys.executable, "-E", "-P", "-m", "ingest.child")
SECRETS: Final = ("QUIPU_PASSWORD",)  # no business of a process that opens strangers' files
MAX_CHARS: Final = 20_000_000
MAX_OUTPUT_BYTES: Final = 12 * MAX_CHARS + (64 << 20)  # JSON writes an astral character in 12


def run_limited(command: Sequence[str], wall_s: float, *, said: bytes = b"") -> tuple[int, bytes]:
    """Return exit code and output of the child, which is killed when it takes or says too much.

    Args:
        said: what the child finds on its standard input; short.
    """
    with subprocess.Popen(
        command,
        env={name: value for name, value in os.environ.items() if name not in SECRETS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        alarm = threading.Timer(wall_s, child.kill)
        alarm.start()
        try:
            with suppress(BrokenPipeError), child.stdin:
                child.stdin.write(said)
            output = child.stdout.read(MAX_OUTPUT_BYTES + 1)
            if len(output) > MAX_OUTPUT_BYTES:
                child.kill()
            child.wait()
        finally:
            child.kill()  # does nothing to one that has ended
            alarm.cancel()
    return child.returncode, output
