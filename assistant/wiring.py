"""Builds a working assistant from settings. The only module that names a backend.

Imports backends and the workspace where they are needed: commands that only look at the library
must answer at once.
"""

from typing import TYPE_CHECKING

from assistant.backends.base import ChatModel, Embedder, Reranker
from assistant.backends.lazy import LazyEmbedder, LazyReranker
from assistant.settings import Settings
from assistant.storage.chroma import ChromaIndex
from assistant.storage.library import Library

if TYPE_CHECKING:
    from assistant.models.installed import InstalledModel
    from assistant.workspace import Workspace


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


def chat_model(settings: Settings) -> ChatModel:
    """Return the chat model, as `chosen_model` chooses it; it loads when it is first used.

    Raises:
        ModelError: it is missing, or none fits this machine.
    """
    from assistant.backends.llama.opening import open_model
    from assistant.models.choosing import chosen_model
    from assistant.models.hardware import measure

    return open_model(chosen_model(settings, measure()), settings)


def open_workspace(settings: Settings) -> "Workspace":
    """Open the library and choose the models, which load when they are first needed.

    Call `Workspace.stop` at the end, or use the workspace in a `with` statement.

    Args:
        settings: `Settings()` takes those of the `quipu` command: environment variables, the
            settings file and defaults.

    Raises:
        ModelError: a model is not installed, or none fits this machine.
    """
    from assistant.workspace import Workspace

    model = chat_model(settings)
    library, embedder = open_for_adding(settings)
    library.drop_strays()
    return Workspace.of(library, embedder, model, reranker=reranker(settings))


def _embedder(settings: Settings, library: Library) -> Embedder:
    from assistant.models.choosing import chosen_embedder

    installed = chosen_embedder(settings, library.database.fact("embedder"))
    name, entry = installed.name, installed.entry
    fingerprint = f"{name}:{installed.sha256[:16]}:{entry.query_prefix}:{entry.passage_prefix}"
    return LazyEmbedder(name, fingerprint, lambda: _load_embedder(installed, fingerprint))


def reranker(settings: Settings) -> Reranker | None:
    """Return the chosen re-ranker; None where there is none."""
    from assistant.models.choosing import chosen_reranker

    found = chosen_reranker(settings)
    return LazyReranker(found.name, lambda: _load_reranker(found)) if found else None


def _load_reranker(installed: "InstalledModel") -> Reranker:
    from assistant.backends.sentence_transformers import CrossEncoderReranker

    return CrossEncoderReranker(
        installed.path,
        name=installed.name,
        limit_tokens=installed.entry.effective_window_tokens,
    )


def _load_embedder(installed: "InstalledModel", fingerprint: str) -> Embedder:
    from assistant.backends.sentence_transformers import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(
        installed.path,
        name=installed.name,
        fingerprint=fingerprint,
        query_prefix=installed.entry.query_prefix,
        passage_prefix=installed.entry.passage_prefix,
    )
