"""The page in a real headless Chromium, with the real starter model.

`make test-browser` runs the long story too: a report of a hundred pages, from upload to reload.
"""

import http.client
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from assistant.languages.detection import identify
from assistant.settings import Settings
from assistant.storage.chroma import ChromaIndex
from assistant.storage.database import Database
from assistant.storage.library import Library
from tests.ui.page.browser import (
    QUIPU,
    ask,
    choose,
    chromium,
    found,
    has_chromium,
    press,
    served,
    served_page,
    text,
    until,
)
from tests.ui.workspaces import REPORT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.skipif(
        not has_chromium(),
        reason="there is no Chromium with its driver: apt-get install chromium chromium-driver",
    ),
]
STREAMLIT = (sys.executable, "-m", "streamlit", "run")
QUESTION = "¿Cuántos milímetros de lluvia recibió el valle en 1998?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library with one short report, the models installed."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "valley.md").write_text(REPORT, encoding="utf-8")
    environment = {**os.environ, "QUIPU_HOME": str(folder / "home")}
    subprocess.run([*QUIPU, "models", "pull", "starter", "multilingual-e5-small"], check=True)
    subprocess.run([*QUIPU, "add", str(folder / "valley.md")], check=True, env=environment)
    return folder / "home"


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Yield the address of a running page over that library."""
    with served_page(home) as served:
        yield served


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Any]:
    with chromium(tmp_path / "profile", downloads=tmp_path) as running:
        yield running


def test_a_question_is_answered_with_its_source_and_both_survive_a_reload(
    address: str, driver: Any
) -> None:
    driver.get(f"{address}/?lang=en")
    shown = ask(driver, QUESTION)
    assert "812" in shown
    assert "The valley received 812 millimetres of rain in 1998." in shown
    driver.refresh()
    until(lambda: "812 millimetres of rain" in text(driver))
    assert QUESTION in text(driver)


def test_two_tabs_ask_at_once_and_see_only_their_own(address: str, driver: Any) -> None:
    driver.get(f"{address}/?lang=en")
    one = driver.current_window_handle
    field = found(driver, "[data-testid='stChatInput'] textarea:enabled")
    field.send_keys(QUESTION, "\ue007")
    until(lambda: "Stop" in text(driver))
    driver.switch_to.new_window("tab")
    driver.get(f"{address}/?lang=en")
    other = ask(driver, "How many wells did the village dig?")
    assert "14" in other
    assert not any("lluvia" in message for message in _messages(driver))
    driver.switch_to.window(one)
    until(lambda: "[1] Water in the valley, p. 1" in text(driver), 120)
    assert "812" in text(driver)


def test_the_page_speaks_the_language_of_the_browser(address: str, tmp_path: Path) -> None:
    with chromium(tmp_path / "other", language="fr-FR") as driver:
        driver.get(address)
        until(lambda: "Bibliothèque" in text(driver))


def test_a_strange_host_name_is_turned_away(address: str) -> None:
    """A page elsewhere whose name was made to mean this machine cannot open a session."""
    port = int(address.rpartition(":")[2])
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    answers = {}
    for host in ("127.0.0.1", "evil.example"):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/_stcore/stream", headers={"Host": host, **upgrade})
            answers[host] = connection.getresponse().status
    assert answers == {"127.0.0.1": 101, "evil.example": 403}


def test_a_summary_with_a_focus_is_there_again_after_a_reload(address: str, driver: Any) -> None:
    driver.get(f"{address}/?lang=fr&view=summary")
    focus = found(driver, "[aria-label='Sujet']")
    focus.send_keys("la pluie", "\ue007")
    press(driver, "Résumer")
    until(lambda: "812" in text(driver), 240)
    driver.refresh()
    until(lambda: "812" in text(driver))
    assert "Water in the valley: la pluie" in text(driver)
    assert "14 " not in text(driver)  # the wells are about something else


def test_keys_alone_ask_and_open_the_source(address: str, driver: Any) -> None:
    from selenium.webdriver import ActionChains

    driver.get(f"{address}/?lang=en")
    ask(driver, "How many wells did the village dig?")
    for _ in range(60):
        ActionChains(driver).send_keys("\ue004").perform()  # Tab
        if driver.switch_to.active_element.text.startswith("[1]"):
            break
    else:
        raise AssertionError("no source can be reached with Tab")
    ActionChains(driver).send_keys("\ue007").perform()
    until(lambda: "The village dug 14 wells" in text(driver))


@pytest.mark.parametrize("view", ["ask", "library", "summary", "comparison", "questions", "models"])
def test_every_view_fits_a_dark_and_narrow_screen(address: str, driver: Any, view: str) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    driver.set_window_size(420, 900)
    driver.get(f"{address}/?lang=de&view={view}")
    found(driver, "[data-testid='stMainBlockContainer'] p")
    ground = driver.execute_script(
        "return getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    )
    assert max(int(part) for part in re.findall(r"\d+", ground)[:3]) < 60, ground
    wide, seen = driver.execute_script(
        "const inner = document.querySelector('[data-testid=stMainBlockContainer]');"
        "const scrolls = inner.parentElement;"
        "return [scrolls.scrollWidth, scrolls.clientWidth]"
    )
    assert 0 < wide <= seen <= 420
    assert not driver.find_elements("css selector", "[data-testid='stException'], img:not([alt])")


def test_another_model_stops_what_is_being_answered(
    home: Path, driver: Any, tmp_path: Path, tiny_llama_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in Settings().models.iterdir():
        (models / file.name).symlink_to(file)
    command = [*QUIPU, "page", "--no-browser", "--port"]
    environment = {"QUIPU_HOME": str(home), "QUIPU_MODELS": str(models)}
    for order in (["import", str(tiny_llama_path)], ["use", "starter"]):
        subprocess.run([*QUIPU, "models", *order], check=True, env={**os.environ, **environment})
    with served(command, environment) as address:
        for _ in range(3):  # in a conversation each: the last waits for the others
            driver.get(f"{address}/?lang=en")
            field = found(driver, "[data-testid='stChatInput'] textarea:enabled")
            field.send_keys("Tell me everything about the valley.", "\ue007")
            until(lambda: "Stop" in text(driver))
        press(driver, "Models")
        press(driver, "Use this model")
        until(lambda: "Now using" in text(driver))
        database = Database(home)
        last = "SELECT state FROM turns ORDER BY rowid DESC LIMIT 1"
        until(lambda: database.rows(last)[0]["state"] == "stopped", 30)
        press(driver, "Ask")
        until(lambda: "Stopped before the end." in text(driver))


class Bait(http.server.BaseHTTPRequestHandler):
    """Notes what is fetched from it."""

    fetched: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.fetched.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_hostile_answer_makes_the_browser_fetch_nothing(driver: Any, tmp_path: Path) -> None:
    bait = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bait)
    threading.Thread(target=bait.serve_forever, daemon=True).start()
    where = f"http://127.0.0.1:{bait.server_port}"
    page = Path(__file__).with_name("hostile.py")
    command = [*STREAMLIT, str(page), "--server.headless", "true", "--server.port"]
    environment = {"QUIPU_TEST_FOLDER": str(tmp_path), "QUIPU_TEST_BAIT": where}
    with served(command, {**environment, "PYTHONPATH": str(Path.cwd())}) as address:
        driver.get(f"{address}/?lang=en")
        ask(driver, f"How long is the bridge? ![q]({where}/question.png)")
        for view in ("Library", "Summaries"):
            press(driver, view)
            until(lambda: "bridge" in text(driver))
        press(driver, "Summarise")
        until(lambda: "Pages read" in text(driver))
        driver.get(f"{where}/seen")  # by the browser itself: the bait works
    bait.shutdown()
    bait.server_close()
    assert [path for path in Bait.fetched if path != "/favicon.ico"] == ["/seen"]


@pytest.mark.long
def test_a_report_of_a_hundred_pages_from_upload_to_reload(
    driver: Any, tmp_path: Path, evaldata: Path
) -> None:
    report = evaldata / "docs" / "debian-install-guide" / "install.en.pdf"
    downloads = tmp_path
    with served_page(tmp_path / "home") as address:
        driver.get(f"{address}/?lang=en&view=library")
        until(lambda: driver.find_elements("css selector", "input[type='file']"))[0].send_keys(
            str(report)
        )
        until(lambda: "113 pages" in text(driver), 300)
        press(driver, "Ask")
        shown = ask(driver, "¿Cuánta memoria RAM hace falta como mínimo para instalar Debian?")
        assert identify(_answer(driver)) == "es"
        assert "Page" in shown
        press(driver, "[1]")
        found(driver, "[data-testid='stImage'] img")
        ask(driver, "¿Y cuánto espacio en el disco?")
        press(driver, "Summaries")
        choose(driver, "Language of the report", "Français")
        choose(driver, "Length", "short")
        press(driver, "Summarise")
        until(lambda: "Download as Markdown" in text(driver), 1500)
        press(driver, "Download as Markdown")
        until(lambda: list(downloads.glob("summary-*.md")), 30)
        driver.refresh()
        until(lambda: "Download as Markdown" in text(driver))
        press(driver, "Ask")
        until(lambda: "Debian" in text(driver))
        library = Library(tmp_path / "home", ChromaIndex(tmp_path / "home" / "index"))
        assert [document.page_count for document in library.documents()] == [113]
    (file,) = downloads.glob("summary-*.md")
    assert identify(file.read_text("utf-8")) == "fr"


def _answer(driver: Any) -> str:
    return _messages(driver)[-1].split("[1]")[0]


def _messages(driver: Any) -> list[str]:
    """Return the questions and answers of the conversation that is open."""
    return [
        str(message.text)
        for message in driver.find_elements("css selector", "[data-testid='stChatMessage']")
    ]
