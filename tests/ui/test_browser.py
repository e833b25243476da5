"""The page in a real headless Chromium, with the real starter model."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.workspaces import REPORT

pytestmark = [pytest.mark.browser, pytest.mark.model]
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


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a running page over a library with one short report."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "valley.md").write_text(REPORT, encoding="utf-8")
    environment = {**os.environ, "QUIPU_HOME": str(folder / "home")}
    quipu = [sys.executable, "-m", "ui.cli"]
    subprocess.run([*quipu, "models", "pull", "starter", "multilingual-e5-small"], check=True)
    subprocess.run([*quipu, "add", str(folder / "valley.md")], check=True, env=environment)
    port = _free_port()
    server = subprocess.Popen(
        [*quipu, "page", "--no-browser", "--port", str(port), "--model", "starter"],
        env=environment,
        start_new_session=True,
    )
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def test_a_question_on_the_page_is_answered_with_its_source(address: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    with _chromium(tmp_path) as browser:
        wait = WebDriverWait(browser, 180)
        browser.get(address)
        field = wait.until(
            lambda b: b.find_element(By.CSS_SELECTOR, "input[aria-label='Your question']")
        )
        field.send_keys("¿Cuántos milímetros de lluvia recibió el valle en 1998?", Keys.ENTER)
        wait.until(
            lambda b: "Water in the valley, p. 1" in b.find_element(By.TAG_NAME, "body").text
        )
        text = browser.find_element(By.TAG_NAME, "body").text
        picture = os.environ.get("QUIPU_SCREENSHOT")
        if picture:
            browser.save_screenshot(picture)
    assert "812" in text
    assert "The valley received 812 millimetres of rain in 1998." in text


def _chromium(folder: Path) -> "Browser":
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip(
            "there is no Chromium with its driver: apt-get install chromium chromium-driver"
        )
    return Browser(folder)


class Browser:
    """A headless Chromium that is closed at the end."""

    def __init__(self, folder: Path) -> None:
        from selenium.webdriver import Chrome, ChromeOptions, ChromeService

        options = ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(flag)
        options.binary_location = str(shutil.which("chromium"))
        service = ChromeService(executable_path=shutil.which("chromedriver"))
        self.driver = Chrome(options=options, service=service)

    def __enter__(self):  # type: ignore[no-untyped-def]
        return self.driver

    def __exit__(self, *error: object) -> None:
        self.driver.quit()


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
