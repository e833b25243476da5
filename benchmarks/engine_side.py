"""One process of Quipu that answers the requests of `engine.py`: one JSON line each.

    python benchmarks/engine_side.py '{"home": FOLDER, "model": NAME, "tokens": N, "documents": N}'

Made-up documents of so many tokens are added when the home is new. Of a request, the first key
says what is wanted; see the functions below.
"""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np
from documents import Report, report

from assistant.backends.base import CachedPrefix
from assistant.backends.llama.cells import Cells, blank
from assistant.backends.llama.context import CachedCell, Context
from assistant.backends.llama.engine import LlamaEngine
from assistant.backends.llama.model import LlamaModel
from assistant.backends.llama.opening import kv_cache
from assistant.errors import Cancelled
from assistant.models.choosing import installed_models
from assistant.settings import Settings
from assistant.streams import Progress, Step, never
from assistant.types import Query
from assistant.wiring import open_workspace
from ingest.indexing import add_documents

LANGUAGES = ("es", "fr", "de", "en")
WRITTEN = 32


class Side:
    """A library of made-up documents, and the assistant over it."""

    def __init__(self, request: dict[str, Any]) -> None:
        home = Path(request["home"])
        self.settings = Settings(
            home=home, model=request["model"], window_tokens=request.get("window")
        )
        workspace = open_workspace(self.settings)
        self.assistant = workspace.assistant
        self.reports: list[Report] = []
        self.read: dict[tuple[int, ...], Cells] = {}
        home.mkdir(exist_ok=True)
        for number in range(request.get("documents", 1)):
            made = report(request["tokens"], lambda text: int(len(text) / 4.3), seed=1 + number)
            self.reports.append(made)
            (home / f"report{number}.md").write_text(made.text, encoding="utf-8")
        paths = sorted(home.glob("report*.md"))
        embedder = workspace.embedder
        add_documents(workspace, paths)
        _ = embedder.dimensions  # loads it
        self.assistant._model.load()

    @property
    def engine(self) -> LlamaEngine:
        """The engine below the chat model."""
        model = self.assistant._model
        assert isinstance(model, LlamaModel)
        return model.engine

    def fact(self, number: int) -> tuple[str, str]:
        facts = [fact for made in self.reports for fact in made.facts]
        fact = facts[number * 31 % len(facts)]
        return fact.questions[LANGUAGES[number % len(LANGUAGES)]], fact.answer

    # requests

    def setup(self, _: dict[str, Any]) -> dict[str, Any]:
        """What a peer needs to answer the same questions."""
        local = installed_models(self.settings)
        return {
            "text": "\n".join(made.text for made in self.reports),
            "model": self.settings.model,
            "gguf": str(local.find(self.settings.model or "").path),
            "embedder": str(local.find("multilingual-e5-small").path),
            "window": 8_192,
            "threads": self.engine._tuning.threads,
            "questions": [self.fact(number)[0] for number in range(100)],
            "answers": [self.fact(number)[1] for number in range(100)],
        }

    def question(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask one question; `prepare` reads all documents before, which counts."""
        question, wanted = self.fact(request["question"])
        start, cpu = time.perf_counter(), time.process_time()
        told = []
        if request.get("prepare"):
            for document in range(len(self.reports)):
                for stage in self.assistant.prefill(f"report{document}.md"):
                    assert isinstance(stage, Progress)
                    told.append(stage.seconds_left or 0.0)
        prepared = time.perf_counter() - start
        spent = 0.0
        stream = self.assistant.ask(Query(question))
        for event in stream:
            if isinstance(event, Progress) and event.name is Step.WRITING:
                spent = time.process_time() - cpu
        answer = stream.result
        return {
            "ttft_s": prepared + answer.timings.ttft_s,
            "prepare_s": prepared,
            "predicted_prepare_s": told[0] if told else 0.0,
            "predicted_s": answer.plan.predicted_s,
            "cpu_s": spent,
            "prompt_tokens": answer.timings.prompt_tokens,
            "cached_tokens": answer.timings.cached_tokens,
            "mode": answer.plan.mode.value,
            "reply": answer.text,
            "correct": wanted.lower() in answer.text.lower(),
        }

    prepare = question

    def bare(self, _: dict[str, Any]) -> dict[str, Any]:
        """Read and write as Quipu does, and with nothing but llama.cpp in a loop."""
        model = self.engine
        prompt = model.encoder.tokens(self.reports[0].text)[:1_500]
        list(model.stream([prompt[0] + 1], limit_tokens=1))  # so that nothing is read already
        stream = model.stream(prompt, limit_tokens=WRITTEN)
        while True:
            try:
                next(stream)
            except StopIteration as end:
                cost = end.value
                break
        mine = list(model._context._cells)
        read_s, write_s, tokens = bare_loop(model._context, model, prompt, cost.completion_tokens)
        return {
            "prefill_tokens": len(prompt),
            "prefill_s": cost.prefill_s,
            "prefill_bare_s": read_s,
            "decode_tokens": cost.completion_tokens,
            "decode_s": cost.decode_s,
            "decode_bare_s": write_s,
            "same": mine == tokens,
        }

    def decode(self, _: dict[str, Any]) -> dict[str, Any]:
        model = self.engine
        prompt = model.encoder.tokens(self.reports[0].text)[:300]
        start = 0.0
        for number, _piece in enumerate(model.stream(prompt, limit_tokens=WRITTEN + 1)):
            if not number:
                start = time.perf_counter()
        return {"decode_s": time.perf_counter() - start}

    def depth(self, request: dict[str, Any]) -> dict[str, Any]:
        """Speeds behind so many blank cells."""
        context = Context(self.engine._weights, self.engine._tuning, request["depth"] + 600)
        self.fill(context, request["depth"])
        tokens = self.engine.encoder.tokens(self.reports[0].text)[:512]
        start = time.perf_counter()
        context.decode(tokens)
        context.scores([0])
        read = time.perf_counter() - start
        start = time.perf_counter()
        for token in tokens[:16]:
            context.decode([token])
            context.scores([0])
        write = time.perf_counter() - start
        context.free()
        return {"read": len(tokens) / read, "write": 16 / write}

    def memory(self, request: dict[str, Any]) -> dict[str, Any]:
        """Fill a window, the last of it with a text, and tell the most memory that took."""
        model = self.engine
        model._open(request["memory"] + 1_000, never)
        self.fill(model._context, request["memory"])
        model._context.decode(model.encoder.tokens(self.reports[0].text)[:900])
        cells = len(model._context.names)
        local = installed_models(self.settings)
        weights = local.find("multilingual-e5-small").path.glob("*.safetensors")
        return {
            "embedder": sum(file.stat().st_size for file in weights),
            "peak": peak_bytes(),
            "weights": local.find(self.settings.model or "").path.stat().st_size,
            "kv": model._context.state_bytes / cells * model.open_tokens,
        }

    def fill(self, context: Context, count: int) -> None:
        """Put so many blank cells into the cache; they cost what others cost."""
        context.decode([100])
        if count:
            row = blank(context.cells().layout, 1).packed()
            cells = Cells(
                context.cells().layout,
                np.arange(count, dtype=np.int32),
                np.broadcast_to(row, (count, row.shape[1])),
            )
            context.place([cells], list(range(count)))

    def stored(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer from what is kept, and from the same cells as the cache had them."""
        model, asking = self.engine, self.assistant
        question, _ = self.fact(request["stored"])
        packed = asking._context.plan(*asking._checked(Query(question)))
        prefixes, after = model.encoder.prompt(packed.prompt)
        kept = [model._restored(prefix, None) for prefix in prefixes]
        exact = [self.exact(prefix.tokens).at(prefix.seen) for prefix in prefixes]
        return {
            "same": self.write(kept, after) == self.write(exact, after),
            "kept_bytes": sum(s.size_bytes for s in self.snapshots) / self.read_tokens,
            "f16_bytes": exact[0].unpacked().nbytes / len(exact[0]),
        }

    @property
    def read_tokens(self) -> int:
        """The tokens of all sections of all documents."""
        documents = self.assistant._store.documents()
        return sum(self.assistant.prefilled(document.id).tokens for document in documents)

    @property
    def snapshots(self) -> list[CachedPrefix]:
        return kv_cache(self.settings).listed()

    def exact(self, tokens: tuple[int, ...]) -> Cells:
        """Return the cells of a text as the cache holds them."""
        if tokens not in self.read:
            context = self.engine._context
            context.keep([])
            context.decode(list(tokens))
            self.read[tokens] = context.cells()
        return self.read[tokens]

    def write(self, parts: list[Cells], after: list[int]) -> list[int]:
        context = self.engine._context
        context.place(parts, [CachedCell("", n) for n in range(sum(map(len, parts)))])
        context.decode(after)
        context.begin_reply()
        for _ in range(WRITTEN):
            context.decode([context.next_token()])
        return [cell for cell in context.names[-WRITTEN:] if isinstance(cell, int)]

    def cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        """Stop a long read after so many seconds; tell how long that takes."""
        stop = threading.Event()
        threading.Timer(request["cancel"], stop.set).start()
        prompt = self.engine.encoder.tokens(self.reports[0].text)[int(request["cancel"]) :]
        start = time.perf_counter()
        with suppress(Cancelled):
            list(self.engine.stream(prompt, limit_tokens=8, cancelled=stop.is_set))
        return {"waited_s": time.perf_counter() - start - request["cancel"]}


def bare_loop(
    context: Context, model: LlamaEngine, prompt: list[int], count: int
) -> tuple[float, float, list[int]]:
    """Read and write with calls of llama.cpp alone; return both times and all tokens."""
    handle, sampler = context._handle, context._samplers[0]
    lc.llama_memory_clear(context._memory, True)
    context._cells, context._placed, context._shift = [], 0, 0
    lc.llama_sampler_reset(sampler)
    size = model._tuning.batch_tokens
    start = time.perf_counter()
    for begin in range(0, len(prompt), size):
        part = prompt[begin : begin + size]
        array = (lc.llama_token * len(part))(*part)
        assert lc.llama_decode(handle, lc.llama_batch_get_one(array, len(part))) == 0
    read = time.perf_counter()
    tokens = list(prompt)
    one = (lc.llama_token * 1)()
    for _ in range(count):
        one[0] = lc.llama_sampler_sample(sampler, handle, -1)
        tokens.append(one[0])
        assert lc.llama_decode(handle, lc.llama_batch_get_one(one, 1)) == 0
    written = time.perf_counter()
    lc.llama_memory_clear(context._memory, True)
    return read - start, written - read, tokens


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    side = Side(json.loads(sys.argv[1]))
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        wanted: Callable[[dict[str, Any]], dict[str, Any]] = getattr(side, next(iter(request)))
        print(json.dumps(wanted(request)), flush=True)


if __name__ == "__main__":
    main()
