"""The command `quipu eval`: data sets are asked, summed up, compared and printed."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from assistant.languages import detection
from assistant.settings import Settings
from assistant.wiring import (
    disable_repacking,
    engine_features,
    installed_models,
    open_workspace,
    prompt_writer,
    tuned_for,
)
from assistant.workspace import Workspace
from evaluation.corpus import take_in
from evaluation.datasets import DataSet, Question, load, some
from evaluation.differences import compare
from evaluation.provenance import sources_hash, surroundings
from evaluation.runs import IndexedLibrary, Row, evaluate, report
from evaluation.synthetic import write_set
from evaluation.systems import BM25, ClosedBook, Dense, Quipu, System
from ui.cli import terminal

FOLDER = "evaluations"  # in the home: libraries made of data sets
BASELINE_WINDOW = 8_192


@dataclass(frozen=True)
class EvaluationRun:
    """One data set in a library of its own, and what is asked of it.

    Attributes:
        answers: ids of the questions that are answered, and not only searched for.
    """

    data: DataSet
    questions: tuple[Question, ...]
    answers: frozenset[str]
    folder: Path
    workspace: Workspace
    library: IndexedLibrary


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Evaluate every data set that is named, or compare two results."""
    if options.compare:
        before, after = map(_read, options.compare)
        return terminal.differences(compare(before, after))
    if not options.datasets:
        raise UsageError("Name the folder of a data set, or two results behind --compare.")
    if options.from_docs:
        _write(options, settings)
    found = [
        _result_of(_prepared(load(folder), options, settings), options, settings)
        for folder in options.datasets
    ]
    if options.json:
        written = json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False, indent=1)
        options.json.write_text(f"{written}\n", encoding="utf-8")
        print(f"The figures are in {options.json}.")


def _write(options: argparse.Namespace, settings: Settings) -> None:
    """Write a data set about documents of the library, unless its folder is there."""
    (folder,) = options.datasets if len(options.datasets) == 1 else (None,)
    if folder is None:
        raise UsageError("--from-docs writes one data set: name one folder for it.")
    if (folder / "questions.jsonl").exists():
        print(f"{folder} is there already: its questions are asked again.")
        return
    workspace = open_workspace(settings)
    documents = [workspace.library.document(reference) for reference in options.from_docs]
    codes = [detection.check(code) for code in options.languages.split(",")]
    with terminal.counting("writing questions") as show:
        count = write_set(
            folder,
            documents,
            store=workspace.library,
            model=workspace.model,
            languages=codes,
            count=options.questions,
            report=show,
        )
    if not count:
        raise UsageError("The model wrote no question that can be used: try a larger model.")
    print(f"{count} questions are in {folder}.")


def _read(path: Path) -> dict[str, Any]:
    """Return what an earlier run wrote."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or "rows" not in found:
        raise UsageError(f"{path} holds no figures: name a file that `quipu eval --json` wrote.")
    return found


def _prepared(data: DataSet, options: argparse.Namespace, settings: Settings) -> EvaluationRun:
    """Take in the texts of a data set, unless an earlier run did."""
    pairs = options.pairs.split(",") if options.pairs else []
    questions = tuple(q for q in data.questions if not pairs or q.pair in pairs)
    if not questions:
        known = ", ".join(sorted({question.pair for question in data.questions}))
        raise UsageError(f"{data.name} has no questions of {options.pairs}: it has {known}.")
    answered = some(questions, options.answers) if options.answers else []
    folder = settings.home / FOLDER / f"{data.name}-{data.fingerprint[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    workspace = open_workspace(settings.override(home=folder))
    with terminal.counting(f"taking in {data.name}") as show:
        shelf, embedder = workspace.library, workspace.embedder
        ids = take_in(data, folder / "texts", shelf=shelf, embedder=embedder, report=show)

    @cache
    def pages(document_id: str) -> dict[int, str]:
        return {page.number: page.text for page in workspace.library.pages(document_id)}

    library = IndexedLibrary(ids, lambda document_id, page: pages(document_id)[page])
    asked = frozenset(question.id for question in answered)
    return EvaluationRun(data, questions, asked, folder, workspace, library)


def _result_of(
    run: EvaluationRun, options: argparse.Namespace, settings: Settings
) -> dict[str, Any]:
    """Return the figures of Quipu, and beside them those of the others that were asked."""
    asked = (_figures(run, system) for system in _systems(run, options, settings))
    mine, *others = asked
    return {
        "set": run.data.name,
        **surroundings(engine_features()),
        "model": run.workspace.model.name if run.answers else None,
        "embedder": run.workspace.embedder.name,
        **mine,
        "beside": others,
    }


def _figures(run: EvaluationRun, system: System) -> dict[str, Any]:
    """Return what came of all questions, and print it as a table."""
    rows = _asked(run, system)
    summed = report(rows)
    terminal.evaluation(f"{run.data.name}, {system.name}", summed)
    return {"system": system.name, **summed, "rows": [asdict(row) for row in rows]}


def _systems(
    run: EvaluationRun, options: argparse.Namespace, settings: Settings
) -> Iterator[System]:
    workspace = run.workspace
    yield Quipu(workspace.assistant)
    if options.legs:
        yield Dense(workspace.library, workspace.embedder)
        yield BM25(workspace.library)
    if options.closed_book and run.answers:
        yield ClosedBook(workspace.model)
    if options.baseline:
        yield _llamaindex(run, settings)


def _llamaindex(run: EvaluationRun, settings: Settings) -> System:
    try:
        from evaluation.llama_index import LlamaIndex, Parts
    except ImportError as error:
        raise UsageError(
            "LlamaIndex is not installed: `pip install -e '.[baseline]'` brings it."
        ) from error
    disable_repacking()
    shelf = installed_models(settings)
    chat, embedder = (shelf.find(m.name) for m in (run.workspace.model, run.workspace.embedder))
    parts = Parts(
        gguf=chat.path if run.answers else None,
        prompt=prompt_writer(chat),
        embedder=embedder.path,
        query_prefix=embedder.entry.query_prefix,
        passage_prefix=embedder.entry.passage_prefix,
        window_tokens=BASELINE_WINDOW,
        threads=tuned_for(chat, settings).tuning.threads,
    )
    with terminal.counting("LlamaIndex takes in the texts") as show:
        return LlamaIndex(run.data.texts, run.library.ids, parts, run.folder / "llamaindex", show)


def _asked(run: EvaluationRun, system: System) -> list[Row]:
    """Ask all questions; what an interrupted run found is kept until all are asked."""
    facts = (system.name, run.workspace.model.name, str(len(run.answers)), sources_hash())
    kept = run.folder / f"{'-'.join(facts)}.jsonl".replace(" ", "-")
    rows = []
    every = len(run.answers) if isinstance(system, ClosedBook) else len(run.questions)
    with terminal.counting(f"{run.data.name}, {system.name}") as show:
        for row in evaluate(
            run.data, run.questions, system, run.library, answers=run.answers, kept=kept
        ):
            rows.append(row)
            show(len(rows), every)
    kept.unlink(missing_ok=True)
    return rows
