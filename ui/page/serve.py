"""The page as a server: where it listens, under which names it answers, who is let in."""

import argparse
import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from assistant.errors import UsageError
from assistant.settings import Settings
from assistant.wiring import installed_models
from ui.telling import ASKED_FOR

LOCAL: Final = ("localhost", "127.0.0.1")
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104
LEAST_PASSWORD: Final = 8  # characters
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_S: Final = 10.0  # after which a server that does not end is killed


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Serve the page until a signal ends it; return the exit code of the server.

    Raises:
        UsageError: the port is taken, or others can reach the page and there is no good password.
        UnknownModel, ModelNotInstalled.
    """
    shelf = installed_models(settings)
    for name in [settings.model] if settings.model else []:
        shelf.find(name)
    environment = {**os.environ, **_password(options.host)}
    _check_port(options.host, options.port)
    app = Path(__file__).parent / "app.py"
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(app)),
        *("--server.address", options.host, "--server.port", str(options.port)),
        *("--server.headless", str(options.no_browser).lower()),
        *("--server.showEmailPrompt", "false", "--logger.hideWelcomeMessage", "true"),
        *("--browser.gatherUsageStats", "false", "--client.toolbarMode", "viewer"),
        *("--server.maxUploadSize", "200", "--client.showErrorDetails", "none"),
        *(word for host in _names(options) for word in ("--server.allowedHosts", host)),
        # A full garbage collection after each look at an answer in the making, torch loaded, leaves
        # the model no time: two questions in two tabs took 172 s instead of 17.
        *("--runner.postScriptGC", "false", "--server.fileWatcherType", "none"),
        *("--", "--model", settings.model or "", "--window", str(settings.window_tokens or 0)),
        *("--kv", settings.kv),
    ]
    shown = LOCAL[0] if options.host in EVERYWHERE else options.host
    print(f"The page is at http://{shown}:{options.port}. Press Ctrl-C to stop it.", flush=True)
    return run_together(command, environment)


def run_together(
    command: Sequence[str], environment: Mapping[str, str], stop_s: float = STOP_S
) -> int:
    """Run a server that ends with this process; return its exit code, 1 when it was killed.

    It gets a process group of its own. A signal that would end this process is passed on to the
    group as SIGTERM; the group is killed by a second signal, or `stop_s` seconds later.
    What the server prints on stdout is dropped: Streamlit talks to developers there.
    """
    server: subprocess.Popen[bytes] | None = None
    signals = 0

    def stop(number: int, frame: Any) -> None:
        nonlocal signals
        signals += 1
        if server is not None:
            end(server)

    def end(server: subprocess.Popen[bytes]) -> None:
        if signals > 1:
            return _signal_group(server.pid, signal.SIGKILL)
        _signal_group(server.pid, signal.SIGTERM)
        killer = threading.Timer(stop_s, _signal_group, (server.pid, signal.SIGKILL))
        killer.daemon = True
        killer.start()

    before = {number: signal.signal(number, stop) for number in ENDING}
    try:
        server = subprocess.Popen(
            command, env=environment, process_group=0, stdout=subprocess.DEVNULL
        )
        if signals:  # one came while the server was being started
            end(server)
        code = server.wait()
        _signal_group(server.pid, signal.SIGKILL)  # what the server started and left behind
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 1


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _check_port(host: str, port: int) -> None:
    """Raise a `UsageError` when something else listens on the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"The page cannot use {host}:{port} ({error.strerror}): choose another --port."
            ) from error


def _names(options: argparse.Namespace) -> list[str]:
    """Return the names under which the page answers: another site cannot pass for one of them."""
    own = socket.gethostname() if options.host in EVERYWHERE else options.host
    return list(dict.fromkeys([*LOCAL, own, *options.name]))


def _password(host: str) -> dict[str, str]:
    """Return what the page asks its readers for, when others can reach it."""
    if host in LOCAL:
        return {}
    password = os.environ.get(ASKED_FOR) or getpass.getpass("Password for the page: ")
    if len(password) < LEAST_PASSWORD:
        raise UsageError(
            f"Others can reach {host}: choose a password of {LEAST_PASSWORD} characters or more "
            f"(asked for, or in {ASKED_FOR})."
        )
    print(
        "Whoever reaches this page and knows the password reads and removes your documents; what "
        "is typed is not encrypted on the way: put a proxy with HTTPS before it.",
        file=sys.stderr,
    )
    return {ASKED_FOR: password}
