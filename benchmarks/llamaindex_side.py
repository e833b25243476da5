"""LlamaIndex's own pipeline on one document: a peer of `engine_side.py`.

    python benchmarks/llamaindex_side.py '{"text", "gguf", "embedder", "engine", "window", ...}'

`engine` is "query" or "chat". Splitter, store, prompts and engines are LlamaIndex's defaults; the
same GGUF and the same embedding model are used, the latter with its prefixes.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.vector_stores.chroma import ChromaVectorStore

from assistant.backends.llama.opening import disable_repacking, prompt_writer
from assistant.models.choosing import installed_models
from assistant.settings import Settings
from evaluation.llama_index import Parts, configure


def main(request: dict[str, Any]) -> None:
    disable_repacking()
    configure(
        Parts(
            gguf=Path(request["gguf"]),
            prompt=prompt_writer(installed_models(Settings()).find(request["model"])),
            embedder=Path(request["embedder"]),
            query_prefix="query: ",
            passage_prefix="passage: ",
            window_tokens=request["window"],
            threads=request["threads"],
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        ask = asker(build(request["text"], folder), request["engine"])
        print("{}", flush=True)
        for line in sys.stdin:
            number = json.loads(line)["question"]
            asked = timed(ask, request["questions"][number])
            correct = request["answers"][number].lower() in asked["reply"].lower()
            print(json.dumps({**asked, "correct": correct}), flush=True)


def build(text: str, folder: str) -> VectorStoreIndex:
    store = ChromaVectorStore.from_params("documents", persist_dir=folder)
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex.from_documents([Document(text=text)], storage_context=context)


def asker(index: VectorStoreIndex, engine: str) -> Any:
    """Return question -> iterator over the pieces of the reply."""
    if engine == "query":
        querying = index.as_query_engine(streaming=True)
        return lambda question: querying.query(question).response_gen
    chatting = index.as_chat_engine()
    return lambda question: chatting.stream_chat(question).response_gen


def timed(ask: Any, question: str) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    pieces = iter(ask(question))
    text = next(pieces, "")
    first = time.perf_counter() - start
    text += "".join(pieces)
    return {
        "question": question,
        "ttft_s": first,
        "total_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - cpu,
        "reply": text.strip(),
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
