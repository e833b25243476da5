"""How long a user waits for the page: until it is painted, and until a source's page is there.

    python -m benchmarks.page HOME --times 5

HOME is a library with a PDF in it. The page is served with the starter model, asked one question,
and then opened anew and clicked on so many times in a headless Chromium. Prints medians in seconds.
A paint counts from the request to the place for a question; a click to the picture of the page
in which the sentence is marked, drawn for the first time and from the cache.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ui.page.browser import ask, chromium, found, press, served_page, until

FIELD = "[data-testid='stChatInput'] textarea"
PICTURE = "[data-testid='stImage'] img"
NEXT_PAGE = "//button[contains(., 'chevron_right')]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--question", default="How many bytes does a block of Q4_0 take?")
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as profile,
        served_page(options.home) as address,
        chromium(Path(profile)) as driver,
    ):
        driver.get(f"{address}/?lang=en")
        ask(driver, options.question)
        opened = driver.current_url
        paints = [_paint(driver, opened) for _ in range(options.times)]
        turns = [_turn(driver) for _ in range(options.times)]
        clicks = [_click(driver, opened) for _ in range(options.times)]
    for name, seconds in (("paint", paints), ("another page", turns), ("source", clicks)):
        shown = ", ".join(f"{each:.2f}" for each in seconds)
        print(f"{name}: {statistics.median(seconds):.2f} s ({shown})")


def _paint(driver: Any, address: str) -> float:
    """Return the seconds until a conversation is there that was opened anew."""
    begin = time.perf_counter()
    driver.get(address)
    found(driver, FIELD)
    return time.perf_counter() - begin


def _turn(driver: Any) -> float:
    """Return the seconds until the next page is there, which was never drawn before."""
    before = found(driver, PICTURE).get_attribute("src")
    begin = time.perf_counter()
    until(lambda: driver.find_element("xpath", NEXT_PAGE)).click()
    until(lambda: found(driver, PICTURE).get_attribute("src") != before)
    return time.perf_counter() - begin


def _click(driver: Any, address: str) -> float:
    """Return the seconds from a click on a source to its page."""
    driver.get(address)
    found(driver, PICTURE)
    begin = time.perf_counter()
    press(driver, "[1]")
    until(lambda: driver.find_elements("css selector", "button[kind='primary']"))
    found(driver, PICTURE)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
