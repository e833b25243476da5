"""Which source of a setting wins, and what a wrong value says."""

import re
from pathlib import Path

import pytest
from platformdirs import user_cache_path, user_data_path

from assistant.errors import BadSetting, UsageError
from assistant.settings import FULL_WINDOW, Settings

NAMES = ("HOME", "MODELS", "QUOTA_GB", "MODEL", "EMBEDDER", "RERANKER", "WINDOW", "KV")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"QUIPU_{name}", raising=False)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file, not written yet."""
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("QUIPU_CONFIG", str(path))
    return path


def test_without_sources_the_platform_s_folders_are_taken() -> None:
    settings = Settings()
    assert settings.home == user_data_path("quipu")
    assert settings.models == user_cache_path("quipu") / "models"
    assert (settings.model, settings.embedder, settings.reranker) == (None, None, None)
    assert (settings.window_tokens, settings.kv, settings.quota_bytes) == (None, "f16", 20 * 10**9)


def test_the_environment_sets_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ("/a", "~/b", "0.5", "small", "e5", "none", "4096", "q8_0")
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(f"QUIPU_{name}", value)
    assert Settings().model_dump() == {
        "home": Path("/a"),
        "models": Path.home() / "b",
        "model": "small",
        "embedder": "e5",
        "reranker": "none",
        "window_tokens": 4096,
        "kv": "q8_0",
        "quota_gb": 0.5,
    }
    assert Settings().quota_bytes == 500_000_000


def test_keywords_win_over_the_environment_over_the_file_over_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("window = 2048\nmodel = 'of-file'\nkv = 'q8_0'\nquota_gb = 5\n")
    monkeypatch.setenv("QUIPU_MODEL", "of-environment")
    monkeypatch.setenv("QUIPU_WINDOW", "full")
    settings = Settings(window_tokens=4096)
    assert (settings.window_tokens, settings.model, settings.kv) == (4096, "of-environment", "q8_0")
    assert (settings.quota_gb, settings.embedder) == (5.0, None)
    assert Settings().window_tokens == FULL_WINDOW


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_HOME", "")
    monkeypatch.setenv("QUIPU_QUOTA_GB", "")
    assert Settings() == Settings(home=user_data_path("quipu"), quota_gb=20)


def test_settings_are_frozen_and_an_override_makes_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_MODEL", "small")
    settings = Settings(kv="q8_0")
    with pytest.raises(ValueError, match="frozen"):
        settings.kv = "f16"
    other = settings.override(model=None, reranker="none", window_tokens=2048)
    assert (other.model, other.reranker, other.window_tokens, other.kv) == (
        *("small", "none", 2048, "q8_0"),
    )
    assert settings.window_tokens is None
    with pytest.raises(BadSetting, match="window_tokens = “5”"):
        settings.override(window_tokens=5)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("QUIPU_KV", "q4", "it should be 'f16' or 'q8_0'"),
        ("QUIPU_WINDOW", "12", "it should be greater than or equal to 1024"),
        ("QUIPU_QUOTA_GB", "-1", "it should be greater than or equal to 0"),
        ("QUIPU_QUOTA_GB", "much", "it should be a valid number"),
        ("QUIPU_CONFIG", "/no/such.toml", "there is no such file"),
    ],
)
def test_a_wrong_variable_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        Settings()
    assert str(caught.value).startswith(f"The setting {name} = “{value}” cannot be used ({reason}")
    assert str(caught.value).endswith("): correct or remove it.")
    assert caught.value.notice.facts["name"] == name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kv = 'q4'", "kv = “q4” cannot be used"),
        ("window = 5", "window = “5” cannot be used"),
        ("model = 7", "model = “7” cannot be used (it should be a valid string)"),
        ("modle = 'x'", "modle = “x” cannot be used (there is no such setting)"),
        ("kv =", "QUIPU_CONFIG = .* cannot be used \\(Invalid value"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    pattern = sentence if "*" in sentence else re.escape(sentence)
    with pytest.raises(BadSetting, match=pattern):
        Settings()
