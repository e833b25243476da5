"""Which models are taken when the reader names none."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.errors import ModelNotInstalled, UnknownModel
from assistant.models.catalogue import LocalFile, load_catalogue
from assistant.models.hardware import measure
from assistant.models.shelf import ModelShelf
from assistant.settings import Settings
from assistant.wiring import chosen_model, model_shelf, reranker


def install(folder: Path, *names: str) -> Settings:
    """Return settings whose models are files of a few bytes."""
    file = folder / "weights"
    file.write_bytes(b"weights")
    here = (LocalFile(file),)
    entries = {name: replace(load_catalogue()[name], sources=here, sha256="") for name in names}
    settings = Settings(home=folder / "home", models=folder / "models")
    for name in names:
        ModelShelf(settings.models, entries).pull(name)
    return settings


def test_a_preferred_model_answers_where_none_is_named(tmp_path: Path) -> None:
    settings = install(tmp_path, "starter", "mini-starter", "bge-m3")
    shelf = model_shelf(settings)
    assert shelf.preferred is None
    best = chosen_model(settings, measure()).name
    other = "mini-starter" if best == "starter" else "starter"
    shelf.prefer(other)
    assert chosen_model(settings, measure()).name == other
    assert chosen_model(replace(settings, model=best), measure()).name == best
    for name in ("bge-m3", "unheard-of"):
        with pytest.raises(UnknownModel, match=name):
            shelf.prefer(name)
    shelf.remove(other)
    assert chosen_model(settings, measure()).name == best


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
