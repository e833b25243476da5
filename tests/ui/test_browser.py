"""The page in a real headless Chromium, with the real starter model."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.browser import QUIPU, ask, chromium, has_chromium, served_page
from tests.ui.workspaces import REPORT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.skipif(
        not has_chromium(),
        reason="there is no Chromium with its driver: apt-get install chromium chromium-driver",
    ),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a running page over a library with one short report."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "valley.md").write_text(REPORT, encoding="utf-8")
    environment = {**os.environ, "QUIPU_HOME": str(folder / "home")}
    subprocess.run([*QUIPU, "models", "pull", "starter", "multilingual-e5-small"], check=True)
    subprocess.run([*QUIPU, "add", str(folder / "valley.md")], check=True, env=environment)
    with served_page(folder / "home") as served:
        yield served


def test_a_question_on_the_page_is_answered_with_its_source(address: str, tmp_path: Path) -> None:
    question = "¿Cuántos milímetros de lluvia recibió el valle en 1998?"
    with chromium(tmp_path / "profile") as driver:
        text = ask(driver, address, question, until="Water in the valley, p. 1")
    assert "812" in text
    assert "The valley received 812 millimetres of rain in 1998." in text
