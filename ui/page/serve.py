"""The page as a server: where it listens, under which names it answers, who is let in."""

import argparse
import getpass
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from assistant.errors import UsageError
from assistant.settings import Settings
from assistant.wiring import installed_models
from ui.telling import ASKED_FOR

LOCAL: Final = ("localhost", "127.0.0.1")
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104
LEAST_PASSWORD: Final = 8  # characters


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Serve the page until it is ended; return how it ended.

    Raises:
        UsageError: others can reach it, and there is no password that keeps them out.
        UnknownModel, ModelNotInstalled.
    """
    shelf = installed_models(settings)
    for name in [settings.model] if settings.model else []:
        shelf.find(name)
    app = Path(__file__).parent / "page" / "app.py"
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(app)),
        *("--server.address", options.host, "--server.port", str(options.port)),
        *("--server.headless", str(options.no_browser).lower()),
        *("--browser.gatherUsageStats", "false", "--client.toolbarMode", "viewer"),
        *("--server.maxUploadSize", "200", "--client.showErrorDetails", "none"),
        *(word for host in _names(options) for word in ("--server.allowedHosts", host)),
        # A full garbage collection after each look at an answer in the making, torch loaded, leaves
        # the model no time: two questions in two tabs took 172 s instead of 17.
        *("--runner.postScriptGC", "false", "--server.fileWatcherType", "none"),
        *("--", "--model", settings.model or "", "--window", str(settings.window_tokens or 0)),
        *("--kv", settings.kv),
    ]
    environment = {**os.environ, **_password(options.host)}
    return subprocess.run(command, check=False, env=environment).returncode


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
