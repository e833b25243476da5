"""Chooses the models to use: the one that was named, the preferred one, or the best that fits."""

import json
from typing import Final

from assistant.errors import ModelError, ModelNotInstalled, Reason, UnknownModel, UnusableModel
from assistant.models.catalogue import ModelRole, load_catalogue
from assistant.models.hardware import Machine, can_chat, choose
from assistant.models.installed import InstalledModel, InstalledModels
from assistant.settings import Settings
from assistant.storage.files import write_json

STARTER_EMBEDDER: Final = "multilingual-e5-small"
PREFERRED: Final = "preferences.json"  # in the library's folder


def installed_models(settings: Settings) -> InstalledModels:
    """Return the models on this machine."""
    return InstalledModels(settings.models, load_catalogue())


def prefer(settings: Settings, name: str) -> None:
    """Make a chat model the default, where none is named.

    Raises:
        UnknownModel, ModelNotInstalled: there is no such model here.
        UnusableModel: it cannot chat.
    """
    found = installed_models(settings).find(name)
    if not can_chat(found.entry):
        raise UnusableModel(name=found.name, reason=Reason.CANNOT_CHAT)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(settings.home / PREFERRED, {"chat_model": name})


def preferred(settings: Settings) -> InstalledModel | None:
    """Return the chat model that is preferred, while it is installed."""
    try:
        name = json.loads((settings.home / PREFERRED).read_text("utf-8"))["chat_model"]
        return installed_models(settings).find(name)
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        return None


def chosen_model(settings: Settings, machine: Machine) -> InstalledModel:
    """Return the chat model of the settings, else the preferred one, else the best that fits.

    Raises:
        ModelError: it is missing, cannot chat, or none fits.
    """
    local = installed_models(settings)
    if settings.model is None:
        return preferred(settings) or choose(local.installed(), machine)
    found = local.find(settings.model)
    if found.entry.role is not ModelRole.CHAT:
        raise UnknownModel(name=settings.model)
    return found


def chosen_embedder(settings: Settings, stored: str | None) -> InstalledModel:
    """Return the embedder of the settings, else the one whose vectors are stored.

    Raises:
        ModelNotInstalled: it is not there, or cannot embed.
    """
    found = installed_models(settings).find(settings.embedder or stored or STARTER_EMBEDDER)
    if found.entry.role is not ModelRole.EMBED:
        raise ModelNotInstalled(name=STARTER_EMBEDDER)
    return found


def chosen_reranker(settings: Settings) -> InstalledModel | None:
    """Return the re-ranker of the settings, else the smallest installed one, if there is one.

    Raises:
        UnknownModel: the one that the settings name cannot re-rank.
    """
    if settings.reranker == "none":
        return None
    local = installed_models(settings)
    if settings.reranker is None:
        fitting = [model for model in local.installed() if model.entry.role is ModelRole.RERANK]
        return min(fitting, key=lambda model: model.entry.parameter_count, default=None)
    found = local.find(settings.reranker)
    if found.entry.role is not ModelRole.RERANK:
        raise UnknownModel(name=found.name)
    return found
