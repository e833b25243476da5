"""The settings: folders, models and limits, as one frozen value from four sources.

A keyword given to `Settings` wins over the environment (`QUIPU_HOME`, `QUIPU_WINDOW`, …), that over
`settings.toml` in the user's config folder, and that over defaults. `QUIPU_CONFIG` names another
file; the null device stands for none.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from platformdirs import user_cache_path, user_config_path, user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from assistant.errors import BadSetting

PREFIX: Final = "QUIPU_"
CONFIG: Final = "QUIPU_CONFIG"
FULL_WINDOW: Final = 1 << 30  # tokens: more than any model has, so cut to what it was trained for
Folder = Annotated[Path, AfterValidator(Path.expanduser)]
Window = Annotated[int, BeforeValidator(lambda value: FULL_WINDOW if value == "full" else value)]


class Settings(BaseSettings):
    """Where the library and the models are, which models are used, and how they run.

    Each attribute can be given as a keyword, as an environment variable with the prefix `QUIPU_`,
    or as a key of the settings file.

    Attributes:
        home: folder of the library.
        models: folder of the model files.
        model: name of the chat model; None takes the preferred, else the best that fits.
        embedder: name of the embedding model; None takes the library's own, else the starter.
        reranker: name of the re-ranking model; None takes an installed one, "none" none.
        window_tokens: size of the context to open, from 1,024; None takes the model's effective
            window, "full" all it was trained for. Its variable and key are `window`.
        kv: type of the KV cache; "q8_0" takes half the memory of "f16".
        quota_gb: most of the disk for cached KV of documents.

    Raises:
        BadSetting: a value, a key or the file cannot be used.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_prefix_target="all",
        env_ignore_empty=True,
    )

    home: Folder = Field(default_factory=lambda: user_data_path("quipu"))
    models: Folder = Field(default_factory=lambda: user_cache_path("quipu") / "models")
    model: str | None = None
    embedder: str | None = None
    reranker: str | None = None
    window_tokens: Window | None = Field(
        default=None, ge=1024, validation_alias=AliasChoices("window", "window_tokens")
    )
    kv: Literal["f16", "q8_0"] = "f16"
    quota_gb: float = Field(default=20.0, ge=0)

    @property
    def quota_bytes(self) -> int:
        """Return the most bytes that the KV cache may take on disk."""
        return int(self.quota_gb * 1e9)

    def override(self, **values: Any) -> "Settings":
        """Return these settings with other values; None changes nothing."""
        given = {name: value for name, value in values.items() if value is not None}
        return Settings(**{**dict(self), **given})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name the sources in the order in which they win; for pydantic-settings."""
        return init_settings, env_settings, _file_source(settings_cls)

    @model_validator(mode="wrap")
    @classmethod
    def _one_sentence(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(values)
        except ValidationError as error:
            raise _bad_setting(error) from error


def config_path() -> Path:
    """Return the settings file, which need not exist."""
    return Path(os.environ.get(CONFIG) or user_config_path("quipu") / "settings.toml")


def _file_source(settings: type[BaseSettings]) -> TomlConfigSettingsSource:
    path = config_path()
    if os.environ.get(CONFIG) and not path.exists():
        raise BadSetting(name=CONFIG, value=str(path), reason="there is no such file")
    try:
        return TomlConfigSettingsSource(settings, path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSetting(name=CONFIG, value=str(path), reason=str(error)) from error


def _bad_setting(error: ValidationError) -> BadSetting:
    """Return the first thing that is wrong, named as the user wrote it."""
    first = error.errors()[0]
    name, value = str(first["loc"][0]), str(first["input"])
    variable = PREFIX + name.upper()
    unknown = first["type"] == "extra_forbidden"
    reason = "there is no such setting" if unknown else first["msg"].replace("Input", "it")
    named = variable if os.environ.get(variable) == value else name
    return BadSetting(name=named, value=value, reason=reason)
