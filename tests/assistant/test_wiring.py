"""Which models are taken when the reader names none."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.backends.fake import ScriptedModel
from assistant.backends.lazy import LazyModel
from assistant.errors import ModelNotInstalled, Reason, UnknownModel, UnusableModel
from assistant.models.catalogue import LocalFile, load_catalogue
from assistant.models.hardware import measure
from assistant.models.installed import InstalledModels
from assistant.settings import Settings
from assistant.wiring import PREFERRED, chosen_model, installed_models, prefer, preferred, reranker
from tests.refusals import refused


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
    assert chosen_model(replace(settings, model=best), measure()).name == best
    with refused(UnusableModel(name="bge-m3", reason=Reason.CANNOT_CHAT)):
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


def test_a_model_is_loaded_again_after_it_was_let_go() -> None:
    loaded: list[ScriptedModel] = []

    def load() -> ScriptedModel:
        loaded.append(ScriptedModel("Yes."))
        return loaded[-1]

    model = LazyModel("scripted", load)
    for _ in range(2):
        assert model.count("one two") == 2
        model.release()
        model.release()
    assert len(loaded) == 2


def test_without_a_re_ranker_there_is_none(tmp_path: Path) -> None:
    assert reranker(install(tmp_path)) is None


def test_the_smallest_installed_re_ranker_is_taken_unless_none_is_wanted(tmp_path: Path) -> None:
    settings = install(tmp_path, "bge-reranker-v2-m3", "mmarco-minilm")
    taken = reranker(settings)
    assert taken is not None
    assert taken.name == "mmarco-minilm"
    named = reranker(replace(settings, reranker="bge-reranker-v2-m3"))
    assert named is not None
    assert named.name == "bge-reranker-v2-m3"
    assert reranker(replace(settings, reranker="none")) is None


def test_what_is_no_re_ranker_is_refused(tmp_path: Path) -> None:
    settings = install(tmp_path, "bge-m3")
    with pytest.raises(UnknownModel, match="bge-m3"):
        reranker(replace(settings, reranker="bge-m3"))
    with pytest.raises(ModelNotInstalled, match="mmarco-minilm"):
        reranker(replace(settings, reranker="mmarco-minilm"))
