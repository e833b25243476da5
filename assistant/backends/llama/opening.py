"""Opens GGUF models with the settings, and answers what faces ask about the engine.

Imports llama.cpp only where it is used: commands that only look at the library answer at once.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.backends.base import ChatModel, Throughput
from assistant.models.choosing import installed_models
from assistant.models.hardware import is_busy, measure, window_for
from assistant.models.installed import InstalledModel
from assistant.settings import Settings
from assistant.storage.library import STATES
from assistant.types import Message

if TYPE_CHECKING:
    from assistant.backends.llama.kv_cache import DiskKVCache
    from assistant.backends.llama.model import LoadedLlama
    from assistant.backends.llama.tuning import Tuned


def open_model(installed: InstalledModel, settings: Settings) -> ChatModel:
    """Return a chat model that loads when it is first used."""
    from assistant.backends.llama.model import LlamaModel

    return LlamaModel(installed.name, lambda: _load(installed, settings))


def kv_cache(settings: Settings) -> "DiskKVCache":
    """Return the KV cache on disk."""
    from assistant.backends.llama.kv_cache import DiskKVCache

    return DiskKVCache(settings.home / STATES, quota_bytes=settings.quota_bytes)


def tuned_for(installed: InstalledModel, settings: Settings, *, again: bool = False) -> "Tuned":
    """Return the best settings of a chat model here, measured when they are not known, or `again`.

    Measurements that busy programs disturbed are repeated when the machine is quiet.
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


def throughput_of(installed: InstalledModel, settings: Settings) -> Throughput | None:
    """Return how fast a chat model runs here; None when that was not measured yet."""
    from assistant.backends.llama.tuning import Tunings

    tuned = Tunings(settings.models).load(_facts(installed, settings))
    return tuned.throughput if tuned else None


def import_model(settings: Settings, path: Path) -> InstalledModel:
    """Register a GGUF file of the user.

    Raises:
        UnusableModel: it is missing, not GGUF, or no language model.
    """
    from assistant.backends.llama.weights import describe

    return installed_models(settings).import_file(path, describe)


def engine_features() -> list[str]:
    """Return the features that the build of llama.cpp uses, "GPU" last when there is one."""
    from assistant.backends.llama.weights import build_features, uses_gpu

    return build_features() + (["GPU"] if uses_gpu() else [])


def disable_repacking() -> None:
    """Keep other users of llama-cpp-python in this process from repacking weights."""
    from assistant.backends.llama.weights import disable_repacking

    disable_repacking()


def prompt_writer(installed: InstalledModel) -> Callable[[Sequence[Message]], str]:
    """Return a function that renders messages with the template of a model, for other programs."""
    from assistant.backends.llama.templates import render
    from assistant.backends.llama.weights import template_of

    template = template_of(installed.path)
    return lambda messages: "".join(piece.text for piece in render(template, messages))


def _load(installed: InstalledModel, settings: Settings) -> "LoadedLlama":
    from assistant.backends.llama.engine import LlamaEngine
    from assistant.backends.llama.model import LoadedLlama

    window = window_for(installed.entry, measure(), settings.window_tokens, settings.kv)
    effective = window if settings.window_tokens else installed.entry.effective_window_tokens
    tuned = tuned_for(installed, settings)
    engine = LlamaEngine(
        installed.path,
        window_tokens=window,
        tuning=tuned.tuning,
        sha256=installed.sha256,
        kv_cache=kv_cache(settings),
    )
    effective = min(effective or window, window)
    limit = installed.entry.full_context_limit or effective
    return LoadedLlama(engine, effective, limit, tuned.throughput)


def _facts(installed: InstalledModel, settings: Settings) -> tuple[str, ...]:
    """Return what the speed of a chat model depends on."""
    from assistant.backends.llama.weights import build, build_features

    machine = measure()
    return (
        *(installed.name, installed.sha256, build(), " ".join(build_features())),
        *(machine.processor, str(machine.cores), str(machine.processors), settings.kv),
    )
