"""Which models are taken when the user names none."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.backends.lazy import Once
from assistant.errors import ModelNotInstalled, UnknownModel, UnusableModel
from assistant.models.catalogue import LocalFile, load_catalogue
from assistant.models.choosing import PREFERRED, chosen_model, installed_models, prefer, preferred
from assistant.models.hardware import measure
from assistant.models.installed import InstalledModels
from assistant.settings import Settings
from assistant.wiring import reranker


def install(folder: Path, *names: str) -> Settings:
    """Return settings whose models are files of a few bytes."""
    file = folder / "weights"
    file.write_bytes(b"weights")
    here = (LocalFile(file),)
    entries = {name: replace(load_catalogue()[name], sources=here, sha256="") for name in names}
    settings = Settings(home=folder / "home", models=folder / "models")
    for name in names:
        InstalledModels(settings.models, entries).pull(name)
    return settings


def test_a_preferred_model_answers_where_none_is_named(tmp_path: Path) -> None:
    settings = install(tmp_path, "starter", "mini-starter", "bge-m3")
    assert preferred(settings) is None
    best = chosen_model(settings, measure()).name
    other = "mini-starter" if best == "starter" else "starter"
    prefer(settings, other)
    assert chosen_model(settings, measure()).name == other
    assert chosen_model(settings.override(model=best), measure()).name == best
    with pytest.raises(UnusableModel, match="not a chat model"):
        prefer(settings, "bge-m3")
    with pytest.raises(UnknownModel, match="unheard-of"):
        prefer(settings, "unheard-of")
    installed_models(settings).remove(other)
    assert chosen_model(settings, measure()).name == best


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"chat_model": 3}', '{"chat_model": "../x"}'])
def test_a_damaged_preference_is_none(tmp_path: Path, text: str) -> None:
    settings = install(tmp_path, "starter")
    settings.home.mkdir()
    (settings.home / PREFERRED).write_text(text)
    assert preferred(settings) is None


def test_something_lazy_is_loaded_once_and_again_after_it_was_forgotten() -> None:
    loaded: list[int] = []

    def load() -> int:
        loaded.append(1)
        return len(loaded)

    once = Once(load)
    assert [once.get(), once.get()] == [1, 1]
    once.forget()
    once.forget()
    assert [once.get(), once.get()] == [2, 2]


def test_without_a_re_ranker_there_is_none(tmp_path: Path) -> None:
    assert reranker(install(tmp_path)) is None


def test_the_smallest_installed_re_ranker_is_taken_unless_none_is_wanted(tmp_path: Path) -> None:
    settings = install(tmp_path, "bge-reranker-v2-m3", "mmarco-minilm")
    taken = reranker(settings)
    assert taken is not None
    assert taken.name == "mmarco-minilm"
    named = reranker(settings.override(reranker="bge-reranker-v2-m3"))
    assert named is not None
    assert named.name == "bge-reranker-v2-m3"
    assert reranker(settings.override(reranker="none")) is None


def test_what_is_no_re_ranker_is_refused(tmp_path: Path) -> None:
    settings = install(tmp_path, "bge-m3")
    with pytest.raises(UnknownModel, match="bge-m3"):
        reranker(settings.override(reranker="bge-m3"))
    with pytest.raises(ModelNotInstalled, match="mmarco-minilm"):
        reranker(settings.override(reranker="mmarco-minilm"))
