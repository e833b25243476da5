"""A running page and a headless Chromium to look at it, for tests and for the README's picture."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
T = TypeVar("T")
QUIPU = (sys.executable, "-m", "ui.cli.app")


def has_chromium() -> bool:
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium(
    profile: Path, *, language: str = "en-US", downloads: Path | None = None
) -> Iterator[Any]:
    """Yield a driver of a headless Chromium with a fresh profile.

    Args:
        downloads: folder into which files go without a question.
    """
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.add_argument(f"--lang={language}")
    wanted = {"intl.accept_languages": language, "download.prompt_for_download": False}
    if downloads:
        wanted["download.default_directory"] = str(downloads)
    options.add_experimental_option("prefs", wanted)
    options.binary_location = str(shutil.which("chromium"))
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def served_page(home: Path) -> Iterator[str]:
    """Yield the address of a page over the library in `home`, with the starter model."""
    command = [*QUIPU, "page", "--no-browser", "--model", "starter", "--port"]
    with served(command, {"QUIPU_HOME": str(home)}) as address:
        yield address


@contextmanager
def served(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of what a command serves; the port is its last word."""
    port = free_port()
    server = subprocess.Popen(
        [*command, str(port)], env={**os.environ, **environment}, start_new_session=True
    )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def ask(driver: Any, question: str, *, seconds: float = 240) -> str:
    """Ask on the page that is open; return its text once it is answered."""
    before = len(_answers(driver))
    field = found(driver, "[data-testid='stChatInput'] textarea:enabled")
    field.send_keys(question, "\ue007")
    until(lambda: len(_answers(driver)) > before, seconds)
    return text(driver)


def press(driver: Any, label: str, *, seconds: float = 30) -> None:
    """Press the button that says `label`, once there is one."""

    def pressed() -> bool:
        for button in driver.find_elements("css selector", "button, [role='tab'], summary, label"):
            if label in button.text and button.is_enabled():
                button.click()
                return True
        return False

    until(pressed, seconds)


def found(driver: Any, selector: str, *, seconds: float = 60) -> Any:
    """Return the first element that a CSS selector means, once there is one that is seen."""

    def seen() -> Any:
        elements = driver.find_elements("css selector", selector)
        return next((element for element in elements if element.is_displayed()), None)

    return until(seen, seconds)


def choose(driver: Any, label: str, option: str) -> None:
    """Choose in the box that says `label`."""
    box = found(driver, f"[data-testid='stSelectbox']:has([aria-label*='{label}']) input")
    box.click()
    for each in until(lambda: driver.find_elements("css selector", "[role='option']")):
        if option in each.text:
            each.click()
            return
    raise AssertionError(f"{label} does not offer {option}")


def text(driver: Any) -> str:
    return str(driver.find_element("tag name", "body").text)


def until(holds: Callable[[], T], seconds: float = 60) -> T:
    """Return what holds once it does; elements may be drawn anew meanwhile."""
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := holds():
                return value
        except WebDriverException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"that did not come about within {seconds} seconds")


def _answers(driver: Any) -> list[Any]:
    """Return what stands below each answer that is finished."""
    return list(driver.find_elements("css selector", "[data-testid='stExpander']"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_it_answers(address: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{address} does not answer")
