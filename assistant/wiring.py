"""From settings to an assistant that works. The only module that names a backend.

Imports backends and the workspace where they are needed: commands that only look at the library
must answer at once.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.backends.base import ChatModel, Embedder, Reranker, Throughput
from assistant.backends.lazy import LazyEmbedder, LazyModel, LazyReranker
from assistant.errors import ModelError, ModelNotInstalled, Reason, UnknownModel, UnusableModel
from assistant.models.catalogue import ModelRole, load_catalogue
from assistant.models.hardware import Machine, can_chat, choose, is_busy, measure, window_for
from assistant.models.installed import InstalledModel, InstalledModels
from assistant.settings import Settings
from assistant.storage.chroma import ChromaIndex
from assistant.storage.files import write_json
from assistant.storage.library import STATES, Library
from assistant.types import Message

if TYPE_CHECKING:
    from assistant.backends.llama.kv_cache import DiskKVCache
    from assistant.backends.llama.tuning import Tuned
    from assistant.workspace import Workspace

PREFERRED = "preferences.json"  # in the library's folder
STARTER_EMBEDDER = "multilingual-e5-small"


def installed_models(settings: Settings) -> InstalledModels:
    """Return the models on this machine."""
    return InstalledModels(settings.models, load_catalogue())


def import_model(settings: Settings, path: Path) -> InstalledModel:
    """Register a GGUF file of the reader's.

    Raises:
        UnusableModel: it is missing, not GGUF, or no language model.
    """
    from assistant.backends.llama.weights import describe

    return installed_models(settings).import_file(path, describe)


def engine_features() -> list[str]:
    """Return what the build of llama.cpp can use, "GPU" last when there is one."""
    from assistant.backends.llama.weights import build_features, uses_gpu

    return build_features() + (["GPU"] if uses_gpu() else [])


def disable_repacking() -> None:
    """Let other users of llama-cpp-python in this process leave weights as they lie, as we do."""
    from assistant.backends.llama.weights import disable_repacking

    disable_repacking()


def prompt_writer(installed: InstalledModel) -> Callable[[Sequence[Message]], str]:
    """Return how a conversation is written for a model by its own template, for other programs."""
    from assistant.backends.llama.templates import lay_out
    from assistant.backends.llama.weights import template_of

    template = template_of(installed.path)
    return lambda messages: "".join(piece.text for piece in lay_out(template, messages))


def open_library(settings: Settings) -> Library:
    """Return the library for looking and removing; nothing can be added through it."""
    return Library(settings.home, ChromaIndex(settings.home / "index"))


def open_for_adding(settings: Settings) -> tuple[Library, Embedder]:
    """Return the library with the embedder its vectors are made by.

    Raises:
        ModelNotInstalled: there is no embedding model.
    """
    embedder = _embedder(settings, open_library(settings))
    index = ChromaIndex(settings.home / "index")
    return Library(settings.home, index, embedder=embedder), embedder


def open_workspace(settings: Settings) -> "Workspace":
    """Return everything; models load when they are first needed.

    Raises:
        ModelError: a model is missing, or none fits this machine.
    """
    from assistant.workspace import Workspace

    model = chat_model(settings)
    library, embedder = open_for_adding(settings)
    library.drop_strays()
    return Workspace.of(library, embedder, model, reranker=reranker(settings))


def chat_model(settings: Settings) -> ChatModel:
    """Return the chat model, as `chosen_model` chooses it."""
    installed = chosen_model(settings, measure())
    return LazyModel(installed.name, lambda: _load_model(installed, settings))


def snapshots(settings: Settings) -> "DiskKVCache":
    """Return what models kept of the documents they read."""
    from assistant.backends.llama.kv_cache import DiskKVCache

    return DiskKVCache(settings.home / STATES, quota_bytes=settings.quota_bytes)


def prefer(settings: Settings, name: str) -> None:
    """Let a chat model answer from now on, wherever none is named.

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
    shelf = installed_models(settings)
    if settings.model is None:
        return preferred(settings) or choose(shelf.installed(), machine)
    found = shelf.find(settings.model)
    if found.entry.role is not ModelRole.CHAT:
        raise UnknownModel(name=settings.model)
    return found


def _load_model(installed: InstalledModel, settings: Settings) -> ChatModel:
    from assistant.backends.llama.model import LlamaModel

    window = window_for(installed.entry, measure(), settings.window_tokens, settings.kv)
    effective = installed.entry.effective_window_tokens or window
    tuned = tuned_for(installed, settings)
    return LlamaModel(
        installed.path,
        name=installed.name,
        window_tokens=window,
        effective_tokens=window if settings.window_tokens else effective,
        full_context_limit=installed.entry.full_context_limit,
        tuning=tuned.tuning,
        speeds=tuned.speeds,
        sha256=installed.sha256,
        snapshots=snapshots(settings),
    )


def tuned_for(installed: InstalledModel, settings: Settings, *, again: bool = False) -> "Tuned":
    """Return how a chat model runs best here; measured when it was not yet, or `again`.

    What was measured beside busy programs is measured once more when they are quiet.
    """
    from assistant.backends.llama.measuring import tune
    from assistant.backends.llama.tuning import Tunings

    machine = measure()
    facts = _facts(installed, settings)
    tunings = Tunings(settings.models)
    tuned = None if again else tunings.load(facts)
    if tuned is None or (tuned.disturbed and not is_busy()):
        tuned = tune(
            installed.path, cores=machine.cores, processors=machine.processors, kv=settings.kv
        )
        tunings.save(facts, tuned)
    return tuned


def speeds_of(installed: InstalledModel, settings: Settings) -> Throughput | None:
    """Return how fast a chat model is here; None when that was not measured yet."""
    from assistant.backends.llama.tuning import Tunings

    tuned = Tunings(settings.models).load(_facts(installed, settings))
    return tuned.speeds if tuned else None


def _facts(installed: InstalledModel, settings: Settings) -> tuple[str, ...]:
    """Return what the speed of a chat model depends on."""
    from assistant.backends.llama.weights import build, build_features

    machine = measure()
    return (
        *(installed.name, installed.sha256, build(), " ".join(build_features())),
        *(machine.processor, str(machine.cores), str(machine.processors), settings.kv),
    )


def _embedder(settings: Settings, library: Library) -> Embedder:
    name = settings.embedder or library.database.fact("embedder") or STARTER_EMBEDDER
    installed = installed_models(settings).find(name)
    if installed.entry.role is not ModelRole.EMBED:
        raise ModelNotInstalled(name=STARTER_EMBEDDER)
    entry = installed.entry
    fingerprint = f"{name}:{installed.sha256[:16]}:{entry.query_prefix}:{entry.passage_prefix}"
    return LazyEmbedder(name, fingerprint, lambda: _load_embedder(installed, fingerprint))


def reranker(settings: Settings) -> Reranker | None:
    """Return the chosen re-ranker, or the smallest installed one; None where there is none."""
    if settings.reranker == "none":
        return None
    shelf = installed_models(settings)
    if settings.reranker is None:
        fitting = [model for model in shelf.installed() if model.entry.role is ModelRole.RERANK]
        fitting.sort(key=lambda model: model.entry.parameter_count)
    else:
        fitting = [shelf.find(settings.reranker)]
    if not fitting:
        return None
    found = fitting[0]
    if found.entry.role is not ModelRole.RERANK:
        raise UnknownModel(name=found.name)
    return LazyReranker(found.name, lambda: _load_reranker(found))


def _load_reranker(installed: InstalledModel) -> Reranker:
    from assistant.backends.sentence_transformers import CrossEncoderReranker

    return CrossEncoderReranker(
        installed.path,
        name=installed.name,
        limit_tokens=installed.entry.effective_window_tokens,
    )


def _load_embedder(installed: InstalledModel, fingerprint: str) -> Embedder:
    from assistant.backends.sentence_transformers import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(
        installed.path,
        name=installed.name,
        fingerprint=fingerprint,
        query_prefix=installed.entry.query_prefix,
        passage_prefix=installed.entry.passage_prefix,
    )
