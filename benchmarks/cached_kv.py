"""How well questions are answered from what was read before, in every way of putting it together.

    python benchmarks/cached_kv.py DATA HOME OUT.jsonl --vary fresh kept/gaps ... --questions 240

DATA is a folder with `slices/squadart.dev.docs.en.jsonl` (whole English articles) and question
sets about them in several languages; HOME keeps the library and what the model read, so that a
second run reads nothing again. One line of OUT is one answer; a line that is there already is not
answered again. `--table` prints what OUT holds.

A way is written `SOURCE/POSITIONS,key=value,...`, for example `kept/gaps,passages=6,section=3600`:

    fresh          the passages are read for each question
    kept/gaps      cells of the passages at the places they were read at, also from several sections
    kept/closed    the places of one section closed up
    kept/row       the cells of every further section moved behind those before
    kept/rowclosed both
    whole          all cells of the sections that hold a passage, at their places

    passages  taken from the search (6)        section   tokens read at once (3600)
    beside    chunks kept on each side (0)     head      1 keeps the heads of sections (1)
    again     first tokens of every further section that are read again (0)
    scope     document or library: where is searched (document)
"""

import argparse
import json
import statistics
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np

from assistant.backends.llama.cells import Cells, build, head_of
from assistant.backends.llama.context import READING, SPARE, CachedCell, Context
from assistant.backends.llama.encoding import TokenPrefix
from assistant.backends.llama.engine import LlamaEngine
from assistant.backends.llama.model import LlamaModel, LoadedLlama
from assistant.backends.llama.opening import kv_cache, tuned_for
from assistant.backends.llama.weights import Tokens
from assistant.generation.prefix import FIRST_CHUNK, HEAD_BLOCK, Prefixes
from assistant.generation.prompts import answerable_prompt, ask_prompt, passages_text
from assistant.languages.detection import identify
from assistant.models.choosing import installed_models
from assistant.models.hardware import measure
from assistant.retrieval.search import Retriever
from assistant.settings import Settings
from assistant.streams import never
from assistant.types import Document, Passage, Query
from assistant.wiring import open_workspace
from assistant.workspace import Workspace
from ingest.indexing import add_documents

SETS = {"es": "xquad", "fr": "squadfr", "it": "squadit", "de": "xquad", "en": "xquad"}
WINDOW = 20_480
REPLY_TOKENS = 48


@dataclass(frozen=True)
class Way:
    """One way of bringing passages before the model."""

    name: str
    source: str = "fresh"
    positions: str = "gaps"
    passages: int = 6
    section: int = 3600
    beside: int = 0
    head: int = 1
    again: int = 0
    scope: str = "document"

    @classmethod
    def of(cls, text: str) -> "Way":
        first, *rest = text.split(",")
        source, _, positions = first.partition("/")
        pairs = [item.split("=") for item in rest]
        values: dict[str, Any] = {k: v if k == "scope" else int(v) for k, v in pairs}
        return cls(text, source, positions or "gaps", **values)


@dataclass(frozen=True)
class Question:
    id: str
    lang: str
    text: str
    golds: tuple[str, ...]
    article: str


@dataclass
class Lab:
    """The library of articles, and a model that can put cells together in many ways."""

    workspace: Workspace
    model: LlamaModel
    context: Context
    documents: dict[str, Document]
    retriever: Retriever
    found: dict[tuple[str, int, str], list[Passage]] = field(default_factory=dict)
    readers: dict[int, Prefixes] = field(default_factory=dict)

    @property
    def engine(self) -> LlamaEngine:
        return self.model.engine

    def reader(self, section: int) -> Prefixes:
        if section not in self.readers:
            library = self.workspace.library
            self.readers[section] = Prefixes(self.model, library, section_tokens=section)
        return self.readers[section]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--vary", nargs="*", default=[])
    parser.add_argument("--questions", type=int, default=240)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if not options.table:
        run(options)
    print_table(options.out)


def run(options: argparse.Namespace) -> None:
    lab = open_lab(options)
    questions = read_questions(options.data, options.questions)
    done = {(row["way"], row["id"]) for row in rows(options.out)}
    for way in map(Way.of, options.vary):
        for question in questions:
            if (way.name, question.id) not in done:
                row = answer(lab, way, question)
                with options.out.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")


def open_lab(options: argparse.Namespace) -> Lab:
    settings = Settings(home=options.home, model=options.model, quota_gb=60)
    workspace = open_workspace(settings)
    documents = add_articles(workspace, options.data, options.home)
    installed = installed_models(settings).find(options.model)
    tuned = tuned_for(installed, settings)
    engine = LlamaEngine(
        installed.path,
        window_tokens=WINDOW,
        tuning=tuned.tuning,
        sha256=installed.sha256,
        kv_cache=kv_cache(settings),
    )
    context = Context(engine._weights, tuned.tuning, WINDOW)
    engine._context.free()
    engine._context = context
    model = LlamaModel(installed.name, lambda: LoadedLlama(engine, WINDOW, WINDOW))
    return Lab(
        workspace, model, context, documents, Retriever(workspace.library, workspace.embedder)
    )


def add_articles(workspace: Workspace, data: Path, home: Path) -> dict[str, Document]:
    """Return title -> document of every article, adding those that are new."""
    folder = home / "articles"
    folder.mkdir(parents=True, exist_ok=True)
    titles = {}
    for line in (data / "slices/squadart.dev.docs.en.jsonl").read_text("utf-8").splitlines():
        article = json.loads(line)
        path = folder / f"{article['doc_id'].split('/')[1]}.txt"
        if not path.exists():
            path.write_text(article["text"], encoding="utf-8")
        titles[path.name] = article["title"]
    add_documents(workspace, sorted(folder.glob("*.txt")))
    every = workspace.library.documents()
    return {titles[Path(document.path).name]: document for document in every}


def read_questions(data: Path, total: int) -> list[Question]:
    """Return as many questions of each language, spread over the articles."""
    found: list[Question] = []
    for lang, name in SETS.items():
        lines = (data / f"sets/{name}/questions.jsonl").read_text("utf-8").splitlines()
        mine = [
            question
            for line in map(json.loads, lines)
            if (line["lang"], line["doc_lang"]) == (lang, "en")
            for question in [
                Question(
                    f"{lang}:{line['id']}",
                    lang,
                    line["question"],
                    (*line["answers"], *line["answers_doc_lang"]),
                    line["doc_id"].split("/")[1].split("#")[0],
                )
            ]
        ]
        each = total // len(SETS)
        found += mine[:: max(1, len(mine) // each)][:each]
    return found


def answer(lab: Lab, way: Way, question: Question) -> dict[str, Any]:
    passages = find(lab, way, question)
    start, cpu = time.perf_counter(), time.process_time()
    ask = ask_prompt(Query(question.text, question.lang), passages_text(passages))
    before, after = lab.engine.encoder.split(ask.messages)
    if way.source == "fresh":
        lab.context.keep([])
        lab.context.decode(before)
        seen = len(before)
    else:
        seen = bring(lab, way, passages)
    ready = time.perf_counter()
    lab.context.decode(after)
    lab.context.begin_reply()
    token = lab.context.next_token()
    first = time.perf_counter()
    reply = write(lab, token)
    share = yes_share(lab, way, question, passages) if way.positions == "gaps" else None
    return {
        "way": way.name,
        **asdict(replace(way, name="")),
        "id": question.id,
        "lang": question.lang,
        "question": question.text,
        "reply": reply,
        "correct": correct(reply, question.golds),
        "in_language": identify(reply) == question.lang,
        "held": any(
            plain(gold) in plain(p.chunk.text) for gold in question.golds for p in passages
        ),
        "documents": len({p.document.id for p in passages}),
        "seen": seen,
        "ready_s": ready - start,
        "ttft_s": first - start,
        "cpu_s": time.process_time() - cpu,
        "yes": share,
    }


def find(lab: Lab, way: Way, question: Question) -> list[Passage]:
    """Return the passages in reading order, documents by their best one."""
    key = (question.id, way.passages, way.scope)
    if key not in lab.found:
        every = list(lab.documents.values())
        titled = {title.replace(" ", "_"): d for title, d in lab.documents.items()}
        own = titled[question.article]
        found = lab.retriever.retrieve(
            question.text,
            question.lang,
            limit=way.passages,
            documents=[own] if way.scope == "document" else every,
        )
        best = {p.document.id: n for n, p in reversed(list(enumerate(found)))}
        found.sort(key=lambda p: (best[p.document.id], p.chunk.ordinal))
        lab.found[key] = [replace(p, number=n) for n, p in enumerate(found, start=1)]
    return widened(lab, lab.found[key], way.beside)


def widened(lab: Lab, passages: Sequence[Passage], beside: int) -> list[Passage]:
    """Return the passages with their neighbours."""
    if not beside:
        return list(passages)
    wide: list[Passage] = []
    for passage in passages:
        chunks = lab.workspace.library.chunks(passage.document.id)
        place = passage.chunk.ordinal
        for chunk in chunks[max(0, place - beside) : place + beside + 1]:
            if all(p.chunk != chunk for p in wide):
                wide.append(replace(passage, chunk=chunk))
    return wide


def bring(lab: Lab, way: Way, passages: Sequence[Passage]) -> int:
    """Bring cells of the passages into the cache; return how many."""
    prefixes = lab.reader(way.section).showing(passages)
    for number, prefix in enumerate(prefixes):
        if way.source == "whole":
            every = range(0 if number == 0 else HEAD_BLOCK, len(prefix.blocks))
            prefixes[number] = replace(prefix, visible=tuple(every))
        elif not way.head and number:
            chunks = tuple(block for block in prefix.visible if block >= FIRST_CHUNK)
            prefixes[number] = replace(prefix, visible=chunks)
    readings = [lab.engine.encoder.prefix(prefix) for prefix in prefixes]
    lab.engine._context.cancelled = never
    parts = [lab.engine._restored(reading, None) for reading in readings]
    if way.positions == "gaps":
        lab.context.place(parts, [CachedCell("", n) for n in range(sum(map(len, parts)))])
    else:
        place_moved(lab, way, readings, parts)
    return sum(map(len, parts))


def place_moved(
    lab: Lab, way: Way, readings: Sequence[TokenPrefix], parts: Sequence[Cells]
) -> None:
    """Put the parts into the cache one behind the other, each moved to where it shall stand."""
    context, memory = lab.context, lab.context._memory
    context._cut(0)
    head = head_of(context._state())
    end = 0
    for number, (reading, part) in enumerate(zip(readings, parts, strict=True), start=1):
        spans = list(reading.seen)
        again = way.again if number > 1 else 0
        if again:
            tokens = list(reading.tokens[spans[0][0] : spans[0][0] + again])
            decode_at(context, tokens, end)
            part = part.at([(again, len(part))])
            spans[0] = (spans[0][0] + again, spans[0][1])
            end += again
        state = build(part, head)
        size = len(state)
        pointer = state.ctypes.data_as(lc.ctypes.POINTER(lc.ctypes.c_uint8))
        assert lc.llama_state_seq_set_data(context._handle, pointer, size, SPARE)
        in_row = way.positions.startswith("row")
        start = end if in_row else (spans[0][0] if number > 1 else 0)
        moves, base = [], spans[0][0]
        for first, last in spans:
            target = start if way.positions.endswith("closed") else start + first - base
            moves.append((first, last, target - first))
            start = target + last - first
        ordered = sorted(moves, reverse=moves[0][2] > 0)
        for first, last, delta in ordered:
            if delta:
                lc.llama_memory_seq_add(memory, SPARE, first, last, delta)
        lc.llama_memory_seq_cp(memory, SPARE, READING, -1, -1)
        lc.llama_memory_seq_rm(memory, SPARE, -1, -1)
        end = int(lc.llama_memory_seq_pos_max(memory, READING)) + 1
    total = sum(map(len, parts))
    context._cells = [CachedCell("", n) for n in range(total)]
    context._placed = total
    context._shift = end - total


def decode_at(context: Context, tokens: Tokens, position: int) -> None:
    batch = lc.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for n, token in enumerate(tokens):
        batch.token[n], batch.pos[n], batch.n_seq_id[n] = token, position + n, 1
        batch.seq_id[n][0], batch.logits[n] = 0, n == len(tokens) - 1
    assert lc.llama_decode(context._handle, batch) == 0
    lc.llama_batch_free(batch)


def write(lab: Lab, token: int) -> str:
    out = b""
    for _ in range(REPLY_TOKENS):
        if lab.engine._weights.ends_reply(token):
            break
        out += lab.engine._weights.bytes_of(token)
        if out.strip() and out.endswith(b"\n"):
            break
        lab.context.decode([token])
        token = lab.context.next_token()
    return out.decode("utf-8", "replace").strip()


def yes_share(lab: Lab, way: Way, question: Question, passages: Sequence[Passage]) -> float:
    """Return how likely the model says that the passages hold the answer."""
    query = Query(question.text, question.lang)
    prompt = answerable_prompt(ask_prompt(query, passages_text(passages)), query)
    before, after = lab.engine.encoder.split(prompt.messages)
    held = len(before) if way.source == "fresh" else lab.context._placed
    lab.context._cut(held)
    lab.context.decode(after)
    yes, no = (lab.engine._weights.tokenize(word, special=False)[0] for word in ("Yes", "No"))
    scores = lab.context.scores([yes, no])
    return float(1 / (1 + np.exp(scores[1] - scores[0])))


def plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    return " ".join(
        "".join(c if c.isalnum() else " " for c in folded if not unicodedata.combining(c)).split()
    )


def correct(reply: str, golds: Sequence[str]) -> bool:
    """Tell whether the reply holds two thirds of the words of a gold answer."""
    said = set(plain(reply).split())
    for gold in golds:
        words = plain(gold).split()
        if words and sum(word in said for word in words) >= len(words) * 2 / 3:
            return True
    return False


def rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text("utf-8").splitlines())


def print_table(path: Path) -> None:
    by_way: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows(path):
        by_way.setdefault(row["way"], {})[row["id"]] = row
    for name, answers in by_way.items():
        all_ = list(answers.values())
        langs = sorted({row["lang"] for row in all_})
        each = " ".join(
            f"{lang} {mean(r['correct'] for r in all_ if r['lang'] == lang):.2f}" for lang in langs
        )
        print(
            f"{name:44} n={len(all_):3} correct {mean(r['correct'] for r in all_):.3f} ({each}) "
            f"language {mean(r['in_language'] for r in all_):.2f} held "
            f"{mean(r['held'] for r in all_):.2f} seen "
            f"{statistics.median(r['seen'] for r in all_):.0f} documents "
            f"{mean(r['documents'] for r in all_):.1f} ready "
            f"{statistics.median(r['ready_s'] for r in all_):.2f} s ttft "
            f"{statistics.median(r['ttft_s'] for r in all_):.2f} s{paired(answers, by_way)}"
        )


def paired(answers: dict[str, dict[str, Any]], by_way: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the difference to fresh reading of the same passages, with a bootstrap interval."""
    one = next(iter(answers.values()))
    against = next(
        (
            other
            for other in by_way.values()
            if (row := next(iter(other.values())))["source"] == "fresh"
            and (row["passages"], row["scope"], row["beside"])
            == (one["passages"], one["scope"], one["beside"])
        ),
        None,
    )
    if against is None or against is answers:
        return ""
    ids = sorted(set(answers) & set(against))
    gaps = np.array([answers[i]["correct"] - against[i]["correct"] for i in ids], float)
    draws = np.random.default_rng(0).choice(gaps, (2000, len(gaps))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"  against fresh {gaps.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def mean(values: Iterator[Any]) -> float:
    return statistics.fmean(values)


if __name__ == "__main__":
    print(measure().processor)
    main()
