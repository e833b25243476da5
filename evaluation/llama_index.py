"""LlamaIndex's own pipeline over the same files: the baseline. The only import of llama_index.

Its splitter, its Chroma store, its prompts and its query engine are left as they are; the models
are the files that Quipu uses, the chat model with its own template (without which it rambles), the
embedding model with its prefixes.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")

from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.llms.llama_cpp import LlamaCPP
from llama_index.vector_stores.chroma import ChromaVectorStore

from assistant.types import Message, Role
from evaluation.datasets import Question, Text
from evaluation.systems import CANDIDATES, SystemReply

REPLY_TOKENS: Final = 256  # its own default
PLACE: Final = "document"  # the metadata that says which document a node is of
COLLECTION: Final = "texts"


@dataclass(frozen=True)
class Parts:
    """What the pipeline is made of.

    Attributes:
        gguf: the chat model; None searches only.
    prompt: how a conversation is written for it.
        embedder: folder of the embedding model.
    """

    gguf: Path | None
    prompt: Callable[[Sequence[Message]], str]
    embedder: Path
    query_prefix: str
    passage_prefix: str
    window_tokens: int
    threads: int


class LlamaIndex:
    """The query engine over an index of the texts."""

    name = "llamaindex"

    def __init__(
        self,
        texts: Sequence[Text],
        ids: Mapping[tuple[str, str], str],
        parts: Parts,
        folder: Path,
        report: Callable[[int, int], None],
    ) -> None:
        """Build the index, or open the one that stands in `folder`.

        Args:
            ids: the document id of each text, by its key.
        """
        configure(parts)
        store = ChromaVectorStore.from_params(COLLECTION, persist_dir=str(folder))
        done = folder / "complete"
        if not done.exists():
            context = StorageContext.from_defaults(vector_store=store)
            index = VectorStoreIndex.from_documents([], storage_context=context)
            for number, text in enumerate(texts, start=1):
                if text.key in ids:
                    index.insert(document_of(text, ids[text.key]))
                report(number, len(texts))
            done.touch()
        self._index = VectorStoreIndex.from_vector_store(store)

    def search(self, question: Question, documents: Sequence[str]) -> list[str]:
        retriever = self._index.as_retriever(
            similarity_top_k=CANDIDATES, filters=_within(documents)
        )
        nodes = retriever.retrieve(question.question)
        return list(dict.fromkeys(str(node.metadata[PLACE]) for node in nodes))

    def answer(self, question: Question, documents: Sequence[str]) -> SystemReply:
        start = time.perf_counter()
        engine = self._index.as_query_engine(streaming=True, filters=_within(documents))
        response = engine.query(question.question)
        pieces, first = [], 0.0
        for piece in response.response_gen:
            first = first or time.perf_counter() - start
            pieces.append(piece)
        total = time.perf_counter() - start
        cited = tuple((str(node.metadata[PLACE]), 1) for node in response.source_nodes)
        speed = (len(pieces) - 1) / (total - first) if len(pieces) > 1 else 0.0
        return SystemReply(
            "".join(pieces).strip(), False, cited, None, first or total, total, speed
        )


def configure(parts: Parts) -> None:
    """Set LlamaIndex's global models, which all its parts take."""
    Settings.llm = None if parts.gguf is None else _language_model(parts)
    Settings.embed_model = HuggingFaceEmbedding(
        model_name=str(parts.embedder),
        query_instruction=parts.query_prefix,
        text_instruction=parts.passage_prefix,
    )


def document_of(text: Text, document_id: str) -> Any:
    """Return a text as LlamaIndex takes it; its id is shown to no model."""
    titled = {"title": text.title} if text.title else {}
    return Document(
        text=text.text,
        metadata={PLACE: document_id, **titled},
        excluded_embed_metadata_keys=[PLACE],
        excluded_llm_metadata_keys=[PLACE],
    )


def _language_model(parts: Parts) -> Any:
    threads = {"n_threads": parts.threads, "n_threads_batch": parts.threads}
    return LlamaCPP(
        model_path=str(parts.gguf),
        context_window=parts.window_tokens,
        max_new_tokens=REPLY_TOKENS,
        temperature=0.0,
        completion_to_prompt=lambda text: parts.prompt([Message(Role.USER, text)]),
        messages_to_prompt=lambda messages: parts.prompt(
            [Message(Role(str(m.role.value)), str(m.content)) for m in messages]
        ),
        model_kwargs=threads,
        verbose=False,
    )


def _within(documents: Sequence[str]) -> Any:
    if not documents:
        return None
    wanted = MetadataFilter(key=PLACE, operator=FilterOperator.IN, value=list(documents))
    return MetadataFilters(filters=[wanted])
