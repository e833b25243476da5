"""A running page and a headless Chromium to look at it, for tests and for the README's picture."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1400",
)
QUIPU = (sys.executable, "-m", "ui.cli")


def has_chromium() -> bool:
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Yield a driver of a headless Chromium with a fresh profile."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = str(shutil.which("chromium"))
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def served_page(home: Path) -> Iterator[str]:
    """Yield the address of a page over the library in `home`, with the starter model."""
    port = _free_port()
    server = subprocess.Popen(
        [*QUIPU, "page", "--no-browser", "--port", str(port), "--model", "starter"],
        env={**os.environ, "QUIPU_HOME": str(home)},
        start_new_session=True,
    )
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def ask(driver: Any, address: str, question: str, until: str, *, seconds: float = 240) -> str:
    """Ask on the page; return its text once `until` stands in it."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(driver, seconds)
    driver.get(address)
    field = wait.until(lambda d: d.find_element(By.CSS_SELECTOR, "[aria-label='Your question']"))
    field.send_keys(question, Keys.ENTER)
    wait.until(lambda d: until in d.find_element(By.TAG_NAME, "body").text)
    return str(driver.find_element(By.TAG_NAME, "body").text)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(address: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{address} does not answer")
