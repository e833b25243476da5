"""The page as a process: it ends with the command that started it, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.ui.page.browser import QUIPU, free_port, until, wait_until_it_answers

IGNORES_SIGTERM = """\
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_page_and_its_server(number: int, tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "QUIPU_HOME": str(tmp_path), "QUIPU_MODELS": str(tmp_path)}
    command = [*QUIPU, "page", "--no-browser", "--port", str(port)]
    page = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    wait_until_it_answers(f"http://127.0.0.1:{port}/_stcore/health")
    children = psutil.Process(page.pid).children(recursive=True)
    page.send_signal(number)
    said, _ = page.communicate(timeout=30)
    assert page.returncode == 0
    assert said == f"The page is at http://127.0.0.1:{port}. Press Ctrl-C to stop it.\n"
    assert children
    assert not [child for child in children if child.is_running()]
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))


def test_a_server_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "child"
    program = (
        "import os, sys; from ui.page.serve import run_together\n"
        f"server = [sys.executable, '-c', {IGNORES_SIGTERM!r}, {str(noted)!r}]\n"
        "sys.exit(run_together(server, os.environ, 0.5))"
    )
    page = subprocess.Popen([sys.executable, "-c", program])
    until(lambda: noted.exists() and noted.read_text())
    left = psutil.Process(int(noted.read_text()))
    page.terminate()
    assert page.wait(20) == 1
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_a_taken_port_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        environment = {**os.environ, "QUIPU_HOME": str(tmp_path)}
        command = [*QUIPU, "page", "--no-browser", "--port", port]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert port in done.stderr
