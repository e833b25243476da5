"""From settings to an assistant that works. The only module that names a backend.

Imports backends where they are needed: the command line must answer `--help` without them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from assistant.assistant import Assistant
from assistant.backends.chroma import ChromaIndex
from assistant.backends.conversations import ConversationTable
from assistant.backends.lazy import LazyEmbedder, LazyModel, LazyReranker
from assistant.backends.library import STATES, Library
from assistant.backends.snapshots import Snapshots
from assistant.backends.works import ComparisonTable, SummaryTable
from assistant.conversing import Conversations
from assistant.errors import ModelError, ModelNotInstalled, UnknownModel, UnusableModel
from assistant.keeping import Works
from assistant.models.catalogue import Role, load_catalogue
from assistant.models.fetching import write_json
from assistant.models.hardware import Machine, can_chat, choose, is_busy, measure, window_for
from assistant.models.shelf import InstalledModel, ModelShelf
from assistant.models.tuning import Tuned, Tunings
from assistant.preparing import Preparer
from assistant.protocols import Cancelled, Embedder, LanguageModel, Reranker
from assistant.settings import Settings
from assistant.summarizing import Length
from assistant.types import (
    Comparison,
    ComparisonOrder,
    Document,
    Message,
    Piece,
    Speeds,
    Stage,
    Summary,
    SummaryOrder,
)

PREFERRED = "preferences.json"  # in the library's folder
STARTER_EMBEDDER = "multilingual-e5-small"


class BackgroundWork(Protocol):
    """Work of one kind that goes on beside."""

    def drop(self, document: str) -> None:
        """End what reads a document."""
        ...

    def stop(self) -> None:
        """Let all of it end as soon as it can."""
        ...


@dataclass(frozen=True)
class Workspace:
    """What a face works with: the library, the models, an assistant, and what goes on beside."""

    library: Library
    embedder: Embedder
    model: LanguageModel
    assistant: Assistant
    preparer: Preparer
    conversations: Conversations
    summaries: Works[SummaryOrder, Summary]
    comparisons: Works[ComparisonOrder, Comparison]

    @classmethod
    def of(
        cls,
        library: Library,
        embedder: Embedder,
        model: LanguageModel,
        reranker: Reranker | None = None,
    ) -> Self:
        """Return the parts with all that is built from them."""
        assistant = Assistant(model, embedder, library, reranker)
        return cls(
            *(library, embedder, model, assistant),
            preparer=Preparer(assistant.prepare),
            conversations=Conversations(assistant, ConversationTable(library.database)),
            summaries=Works(partial(_summarize, assistant), SummaryTable(library)),
            comparisons=Works(partial(_compare, assistant), ComparisonTable(library)),
        )

    @property
    def work(self) -> tuple[BackgroundWork, ...]:
        """What may go on beside."""
        return (self.preparer, self.conversations, self.summaries, self.comparisons)

    def remove(self, document: Document) -> None:
        """Remove a document and every trace of it, when nobody reads it beside any more."""
        for each in self.work:
            each.drop(document.id)
        self.library.remove(document)

    def stop(self) -> None:
        """Let all that goes on beside end, and the model go; what was written so far is kept."""
        for each in self.work:
            each.stop()
        if isinstance(self.model, LazyModel):
            self.model.release()


def _summarize(
    assistant: Assistant, order: SummaryOrder, cancelled: Cancelled
) -> Iterator[Stage | Piece | Summary]:
    return assistant.summarize(
        order.document,
        language=order.language,
        length=Length(order.length),
        focus=order.focus,
        cancelled=cancelled,
    )


def _compare(
    assistant: Assistant, order: ComparisonOrder, cancelled: Cancelled
) -> Iterator[Stage | Piece | Comparison]:
    yield from assistant.compare(
        order.first, order.second, language=order.language, cancelled=cancelled
    )


def model_shelf(settings: Settings) -> ModelShelf:
    """Return the models on this machine."""
    return ModelShelf(settings.models, load_catalogue())


def import_model(settings: Settings, path: Path) -> InstalledModel:
    """Register a GGUF file of the reader's.

    Raises:
        UnusableModel: it is missing, not GGUF, or no language model.
    """
    from assistant.backends.llama.weights import describe

    return model_shelf(settings).import_file(path, describe)


def engine_features() -> list[str]:
    """Return what the build of llama.cpp can use, "GPU" last when there is one."""
    from assistant.backends.llama.weights import build_features, uses_gpu

    return build_features() + (["GPU"] if uses_gpu() else [])


def keep_layout() -> None:
    """Let other users of llama-cpp-python in this process leave weights as they lie, as we do."""
    from assistant.backends.llama.weights import keep_layout

    keep_layout()


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


def open_workspace(settings: Settings) -> Workspace:
    """Return everything; models load when they are first needed.

    Raises:
        ModelError: a model is missing, or none fits this machine.
    """
    model = chat_model(settings)
    library, embedder = open_for_adding(settings)
    library.drop_strays()
    return Workspace.of(library, embedder, model, reranker=reranker(settings))


def chat_model(settings: Settings) -> LanguageModel:
    """Return the chat model, as `chosen_model` chooses it."""
    installed = chosen_model(settings, measure())
    return LazyModel(installed.name, lambda: _load_model(installed, settings))


def snapshots(settings: Settings) -> Snapshots:
    """Return what models kept of the documents they read."""
    return Snapshots(settings.home / STATES, quota_bytes=settings.quota_bytes)


def prefer(settings: Settings, name: str) -> None:
    """Let a chat model answer from now on, wherever none is named.

    Raises:
        UnknownModel, ModelNotInstalled: there is no such model here.
        UnusableModel: it cannot chat.
    """
    found = model_shelf(settings).find(name)
    if not can_chat(found.entry):
        raise UnusableModel(found.path, "it cannot chat")
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(settings.home / PREFERRED, {"chat_model": name})


def preferred(settings: Settings) -> InstalledModel | None:
    """Return the chat model that is preferred, while it is installed."""
    try:
        name = json.loads((settings.home / PREFERRED).read_text("utf-8"))["chat_model"]
        return model_shelf(settings).find(name)
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        return None


def chosen_model(settings: Settings, machine: Machine) -> InstalledModel:
    """Return the chat model of the settings, else the preferred one, else the best that fits.

    Raises:
        ModelError: it is missing, cannot chat, or none fits.
    """
    shelf = model_shelf(settings)
    if settings.model is None:
        return preferred(settings) or choose(shelf.installed(), machine)
    found = shelf.find(settings.model)
    if found.entry.role is not Role.CHAT:
        raise UnknownModel(settings.model)
    return found


def _load_model(installed: InstalledModel, settings: Settings) -> LanguageModel:
    from assistant.backends.llama.model import LlamaModel

    window = window_for(installed.entry, measure(), settings.window_tokens, settings.kv)
    effective = installed.entry.effective_window_tokens or window
    tuned = tuned_for(installed, settings)
    return LlamaModel(
        installed.path,
        name=installed.name,
        window_tokens=window,
        effective_tokens=window if settings.window_tokens else effective,
        whole_tokens=installed.entry.whole_text_tokens,
        tuning=tuned.tuning,
        speeds=tuned.speeds,
        sha256=installed.sha256,
        snapshots=snapshots(settings),
    )


def tuned_for(installed: InstalledModel, settings: Settings, *, again: bool = False) -> Tuned:
    """Return how a chat model runs best here; measured when it was not yet, or `again`.

    What was measured beside busy programs is measured once more when they are quiet.
    """
    from assistant.backends.llama.measuring import tune

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


def speeds_of(installed: InstalledModel, settings: Settings) -> Speeds | None:
    """Return how fast a chat model is here; None when that was not measured yet."""
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
    installed = model_shelf(settings).find(name)
    if installed.entry.role is not Role.EMBED:
        raise ModelNotInstalled(STARTER_EMBEDDER)
    entry = installed.entry
    fingerprint = f"{name}:{installed.sha256[:16]}:{entry.query_prefix}:{entry.passage_prefix}"
    return LazyEmbedder(name, fingerprint, lambda: _load_embedder(installed, fingerprint))


def reranker(settings: Settings) -> Reranker | None:
    """Return the chosen re-ranker, or the smallest installed one; None where there is none."""
    if settings.reranker == "none":
        return None
    shelf = model_shelf(settings)
    if settings.reranker is None:
        fitting = [model for model in shelf.installed() if model.entry.role is Role.RERANK]
        fitting.sort(key=lambda model: model.entry.parameter_count)
    else:
        fitting = [shelf.find(settings.reranker)]
    if not fitting:
        return None
    found = fitting[0]
    if found.entry.role is not Role.RERANK:
        raise UnknownModel(found.name)
    return LazyReranker(found.name, lambda: _load_reranker(found))


def _load_reranker(installed: InstalledModel) -> Reranker:
    from assistant.backends.encoders import PairScorer

    return PairScorer(
        installed.path,
        name=installed.name,
        limit_tokens=installed.entry.effective_window_tokens,
    )


def _load_embedder(installed: InstalledModel, fingerprint: str) -> Embedder:
    from assistant.backends.encoders import SentenceEncoder

    return SentenceEncoder(
        installed.path,
        name=installed.name,
        fingerprint=fingerprint,
        query_prefix=installed.entry.query_prefix,
        passage_prefix=installed.entry.passage_prefix,
    )
