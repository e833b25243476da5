"""One question through everything real: file, starter model, embedding model, Chroma."""

from pathlib import Path

import pytest

from assistant.models.catalogue import load_catalogue
from assistant.models.installed import InstalledModels
from assistant.settings import Settings
from assistant.types import Query
from assistant.wiring import open_workspace
from ingest.indexing import Status, add_documents

pytestmark = pytest.mark.model
PAGES = (
    "The Quesa bridge crosses the Apurímac river. The people of four villages weave it anew "
    "every June out of grass. The work takes four days and ends with a feast.",
    "The bridge is 28 metres long and hangs 14 metres above the water. Its main ropes are as "
    "thick as a thigh. No nail and no wire is used.",
    "In 2013 the bridge was put on the list of the intangible heritage of humanity. The master "
    "of the work was Victoriano Arisapana, who learned it from his father.",
)


def test_a_spanish_question_is_answered_in_spanish_from_an_english_page(tmp_path: Path) -> None:
    local = InstalledModels(Settings().models, load_catalogue())
    installed = {model.name for model in local.installed()}
    for name in ("starter", "multilingual-e5-small"):
        if name not in installed:
            local.pull(name)
    book = tmp_path / "bridge.txt"
    book.write_text("\f".join(PAGES), encoding="utf-8")
    workspace = open_workspace(
        Settings(home=tmp_path / "home", model="starter", window_tokens=2048)
    )
    outcomes = add_documents(workspace, [book])
    assert [(o.status, o.document.page_count if o.document else 0) for o in outcomes] == [
        (Status.ADDED, 3)
    ]
    answer = workspace.assistant.answer(Query("¿Cuántos metros de largo mide el puente?"))
    assert answer.answerable
    assert (answer.language, answer.written_in) in (("es", "es"), ("es", ""))
    assert "28" in answer.text
    assert [citation.page for citation in answer.citations if citation.supported][:1] == [2]
