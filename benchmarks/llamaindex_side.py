"""LlamaIndex's own pipeline on one document: a peer of `engine_side.py`.

    python benchmarks/llamaindex_side.py '{"text", "gguf", "embedder", "engine", "window", ...}'

`engine` is "query" or "chat". Splitter, store, prompts and engines are LlamaIndex's defaults; the
same GGUF and the same embedding model are used, the latter with its prefixes.
"""

import json
import sys
import tempfile
import time
from typing import Any

import chromadb
import llama_cpp
from chromadb.config import Settings as ChromaSettings
from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.llms.llama_cpp import LlamaCPP
from llama_index.vector_stores.chroma import ChromaVectorStore

from assistant.backends.llama.weights import may_lay_out

REPLY_TOKENS = 64


def main(request: dict[str, Any]) -> None:
    avoid_broken_amx()
    configure(request)
    with tempfile.TemporaryDirectory() as folder:
        ask = asker(build(request["text"], folder), request["engine"])
        print("{}", flush=True)
        for line in sys.stdin:
            number = json.loads(line)["question"]
            asked = timed(ask, request["questions"][number])
            correct = request["answers"][number].lower() in asked["reply"].lower()
            print(json.dumps({**asked, "correct": correct}), flush=True)


def avoid_broken_amx() -> None:
    """Leave the weights as Quipu does where the compiler's AMX would crash."""
    if may_lay_out():
        return
    defaults = llama_cpp.llama_model_default_params

    def careful() -> Any:
        params = defaults()
        params.use_extra_bufts = False
        return params

    llama_cpp.llama_cpp.llama_model_default_params = careful


def configure(request: dict[str, Any]) -> None:
    threads = request["threads"]
    Settings.llm = LlamaCPP(
        model_path=request["gguf"],
        context_window=request["window"],
        max_new_tokens=REPLY_TOKENS,
        temperature=0.0,
        model_kwargs={"n_threads": threads, "n_threads_batch": threads},
        verbose=False,
    )
    Settings.embed_model = HuggingFaceEmbedding(
        model_name=request["embedder"], query_instruction="query: ", text_instruction="passage: "
    )


def build(text: str, folder: str) -> VectorStoreIndex:
    client = chromadb.PersistentClient(folder, settings=ChromaSettings(anonymized_telemetry=False))
    store = ChromaVectorStore(chroma_collection=client.create_collection("documents"))
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
