"""Serves the page: address, allowed host names and password."""

import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from assistant.errors import UnusableAddress, WeakPassword
from assistant.models.choosing import installed_models
from assistant.settings import Settings
from ui.words import Words

LOCAL: Final = ("localhost", "127.0.0.1")
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104
ENV_NAME: Final = "QUIPU_PASSWORD"  # environment variable
LEAST_PASSWORD: Final = 8  # characters
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_S: Final = 10.0  # after which a server that does not end is killed


@dataclass(frozen=True)
class Address:
    """Where the page is served.

    Attributes:
        names: under which it answers, in addition to that of this machine.
    """

    host: str
    port: int
    names: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Return the address to open in a browser on this machine."""
        shown = LOCAL[0] if self.host in EVERYWHERE else self.host
        return f"http://{shown}:{self.port}"

    @property
    def known_as(self) -> list[str]:
        """The names it answers to: another site cannot pass for one of them."""
        own = socket.gethostname() if self.host in EVERYWHERE else self.host
        return list(dict.fromkeys([*LOCAL, own, *self.names]))


def serve(address: Address, settings: Settings, words: Words, *, opens_browser: bool) -> int:
    """Serve the page until a signal ends it; return the exit code of the server.

    Raises:
        UnusableAddress: the port cannot be opened.
        WeakPassword: other people can reach the page, and its password is too short.
        UnknownModel, ModelNotInstalled.
    """
    local = installed_models(settings)
    for name in [settings.model] if settings.model else []:
        local.find(name)
    environment = {**os.environ, **_password(address.host, words)}
    _check_port(address.host, address.port)
    app = Path(__file__).parent / "app.py"
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(app)),
        *("--server.address", address.host, "--server.port", str(address.port)),
        *("--server.headless", str(not opens_browser).lower()),
        *("--server.showEmailPrompt", "false", "--logger.hideWelcomeMessage", "true"),
        *("--browser.gatherUsageStats", "false", "--client.toolbarMode", "viewer"),
        *("--server.maxUploadSize", "200", "--client.showErrorDetails", "none"),
        *(word for host in address.known_as for word in ("--server.allowedHosts", host)),
        # A full garbage collection after each look at an answer in the making, torch loaded, leaves
        # the model no time: two questions in two tabs took 172 s instead of 17.
        *("--runner.postScriptGC", "false", "--server.fileWatcherType", "none"),
        *("--", "--model", settings.model or "", "--window", str(settings.window_tokens or 0)),
        *("--kv", settings.kv),
    ]
    print(words("page.opened", address=address.url), flush=True)
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
    """Raise `UnusableAddress` when the port cannot be opened, as when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            reason = str(error.strerror)
            raise UnusableAddress(address=f"{host}:{port}", reason=reason) from error


def _password(host: str, words: Words) -> dict[str, str]:
    """Return the variable with the password of the page; none where only this machine reaches it.

    Raises:
        WeakPassword: it is too short.
    """
    if host in LOCAL:
        return {}
    password = os.environ.get(ENV_NAME) or getpass.getpass(f"{words('page.password')}: ")
    if len(password) < LEAST_PASSWORD:
        raise WeakPassword(host=host, least_characters=LEAST_PASSWORD)
    print(words("page.warning"), file=sys.stderr)
    return {ENV_NAME: password}
