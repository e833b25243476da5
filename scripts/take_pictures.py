"""Takes the pictures of the page: `python -m scripts.take_pictures HOME FOLDER`.

HOME is a library with the sample documents in it, as `make demo` leaves it in `.demo`; FOLDER gets
page.png (a question in Spanish), page-library.png, page-summary.png and page-models.png.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ui.page.browser import ask, chromium, found, press, served_page, text, until

QUESTION = "¿Cuántos bytes ocupa un bloque del formato Q4_0 y cuántos bits supone por peso?"
SETTLED_S = 2.0  # until what moves in has come to rest


def main(home: Path, folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as profile,
        served_page(home) as address,
        chromium(Path(profile)) as driver,
    ):
        driver.get(f"{address}/?lang=es")
        ask(driver, QUESTION)
        found(driver, "[data-testid='stImage'] img")
        _take(driver, folder / "page.png")
        driver.get(f"{address}/?lang=fr&view=library")
        until(lambda: "documents" in text(driver))
        _take(driver, folder / "page-library.png")
        driver.get(f"{address}/?lang=de&view=summaries")
        press(driver, "Zusammenfassen")
        until(lambda: "Word" in text(driver), 1800)
        _take(driver, folder / "page-summary.png")
        driver.get(f"{address}/?lang=en&view=models")
        until(lambda: "tokens a second" in text(driver))
        _take(driver, folder / "page-models.png")


def _take(driver: Any, picture: Path) -> None:
    time.sleep(SETTLED_S)
    driver.save_screenshot(str(picture))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
