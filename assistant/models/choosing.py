"""Which chat model is used: the one that was named, the preferred one, or the best that fits."""

import json
from typing import Final

from assistant.errors import ModelError, Reason, UnknownModel, UnusableModel
from assistant.models.catalogue import ModelRole, load_catalogue
from assistant.models.hardware import Machine, can_chat, choose
from assistant.models.installed import InstalledModel, InstalledModels
from assistant.settings import Settings
from assistant.storage.files import write_json

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
