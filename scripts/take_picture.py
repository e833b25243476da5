"""Takes the picture of the page for the README: `python -m scripts.take_picture HOME FILE`.

HOME is a library with the sample documents in it, as `make demo` leaves it in `.demo`.
"""

import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.ui.browser import ask, chromium, served_page

QUESTION = "¿Qué debe mostrar quien distribuye un producto que contiene Llama 3.1?"


def main(home: Path, picture: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as profile,
        served_page(home) as address,
        chromium(Path(profile)) as driver,
    ):
        ask(driver, address, QUESTION, until=", p. 20")
        driver.find_element(By.XPATH, "//*[text()='Show the page']").click()
        WebDriverWait(driver, 60).until(lambda d: d.find_elements(By.CSS_SELECTOR, "img[src]"))
        WebDriverWait(driver, 5).until(lambda d: d.execute_script("return document.readyState"))
        driver.save_screenshot(str(picture))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
