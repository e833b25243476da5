"""Runs an evaluation: adds the data set to a library of its own, asks, sums up and prints."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.backends.llama.opening import (
    disable_repacking,
    engine_features,
    prompt_writer,
    tuned_for,
)
from assistant.errors import (
    MissingPackage,
    NoFigures,
    NoQuestionWritten,
    NoSuchPairs,
    NothingToEvaluate,
    OneDataSetWanted,
)
from assistant.languages import detection
from assistant.models.choosing import installed_models
from assistant.settings import Settings
from assistant.wiring import open_workspace
from assistant.workspace import Workspace
from evaluation.corpus import add_texts
from evaluation.datasets import DataSet, Question, load, some
from evaluation.differences import compare
from evaluation.provenance import sources_hash, surroundings
from evaluation.runs import IndexedLibrary, Row, evaluate, report
from evaluation.synthetic import write_set
from evaluation.systems import BM25, ClosedBook, Dense, Quipu, System
from ui.cli import bars, tables, terminal

FOLDER = "evaluations"  # in the home: libraries made of data sets
BASELINE_WINDOW = 8_192
BASELINE_INSTALL = "pip install 'quipu[baseline]'"


@dataclass(frozen=True)
class Measurement:
    """What is measured.

    Attributes:
        answers: how many questions of each pair of languages are answered; 0 for searches alone.
        pairs: such as "es>en"; none means all.
        legs: whether vectors alone and words alone are measured too.
        closed_book: whether the model is asked without documents too.
        baseline: whether LlamaIndex is asked the same questions.
    """

    answers: int
    pairs: tuple[str, ...]
    legs: bool
    closed_book: bool
    baseline: bool


@dataclass(frozen=True)
class EvaluationRun:
    """One data set in a library of its own, and what is asked of it.

    Attributes:
        answers: ids of the questions that are answered, and not only searched for.
    """

    wanted: Measurement
    data: DataSet
    questions: tuple[Question, ...]
    answers: frozenset[str]
    folder: Path
    workspace: Workspace
    library: IndexedLibrary


def measure(
    folders: Sequence[Path], wanted: Measurement, settings: Settings, results: Path | None
) -> None:
    """Evaluate every data set that is named; print the figures, and write them as JSON.

    Raises:
        NothingToEvaluate, UnusableDataSet, NoSuchPairs, ModelError.
    """
    if not folders:
        raise NothingToEvaluate
    found = [_result_of(_prepared(load(folder), wanted, settings), settings) for folder in folders]
    if results:
        written = json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False, indent=1)
        results.write_text(f"{written}\n", encoding="utf-8")


def print_differences(before: Path, after: Path) -> None:
    """Print what changed between two results.

    Raises:
        NoFigures: a file holds no results.
    """
    tables.differences(compare(_read(before), _read(after)))


def only_folder(folders: Sequence[Path]) -> Path:
    """Return the one folder that is named.

    Raises:
        OneDataSetWanted: there are several, or none.
    """
    if len(folders) != 1:
        raise OneDataSetWanted
    return folders[0]


def write(
    folder: Path, references: Sequence[str], codes: Sequence[str], count: int, settings: Settings
) -> None:
    """Write a data set about documents of the library, unless its folder has one.

    Raises:
        UnknownDocument, AmbiguousDocument, UnknownLanguage, ModelError.
        NoQuestionWritten: the model wrote nothing usable.
    """
    if (folder / "questions.jsonl").exists():
        return terminal.say("eval.exists", folder=str(folder))
    workspace = open_workspace(settings)
    with bars.counting(terminal.words("eval.writing")) as show:
        written = write_set(
            folder,
            [workspace.library.document(reference) for reference in references],
            store=workspace.library,
            model=workspace.model,
            languages=[detection.check(code) for code in codes],
            count=count,
            report=show,
        )
    if not written:
        raise NoQuestionWritten
    terminal.say("eval.written", count=written, folder=str(folder))


def _read(path: Path) -> dict[str, Any]:
    """Return what an earlier run wrote."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or "rows" not in found:
        raise NoFigures(path=str(path))
    return found


def _prepared(data: DataSet, wanted: Measurement, settings: Settings) -> EvaluationRun:
    """Add the texts of a data set to a library, unless an earlier run did."""
    questions = tuple(q for q in data.questions if not wanted.pairs or q.pair in wanted.pairs)
    if not questions:
        known = ", ".join(sorted({question.pair for question in data.questions}))
        raise NoSuchPairs(name=data.name, given=", ".join(wanted.pairs), known=known)
    answered = some(questions, wanted.answers) if wanted.answers else []
    folder = settings.home / FOLDER / f"{data.name}-{data.fingerprint[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    workspace = open_workspace(settings.model_copy(update={"home": folder}))
    with bars.counting(data.name) as show:
        ids = add_texts(
            data,
            folder / "texts",
            library=workspace.library,
            embedder=workspace.embedder,
            report=show,
        )

    @cache
    def pages(document_id: str) -> dict[int, str]:
        return {page.number: page.text for page in workspace.library.pages(document_id)}

    library = IndexedLibrary(ids, lambda document_id, page: pages(document_id)[page])
    asked = frozenset(question.id for question in answered)
    return EvaluationRun(wanted, data, questions, asked, folder, workspace, library)


def _result_of(run: EvaluationRun, settings: Settings) -> dict[str, Any]:
    """Return the figures of Quipu, and those of the other systems that were asked."""
    asked = (_figures(run, system) for system in _systems(run, settings))
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
    tables.evaluation(f"{run.data.name}, {system.name}", summed)
    return {"system": system.name, **summed, "rows": [asdict(row) for row in rows]}


def _systems(run: EvaluationRun, settings: Settings) -> Iterator[System]:
    workspace, wanted = run.workspace, run.wanted
    yield Quipu(workspace.assistant)
    if wanted.legs:
        yield Dense(workspace.library, workspace.embedder)
        yield BM25(workspace.library)
    if wanted.closed_book and run.answers:
        yield ClosedBook(workspace.model)
    if wanted.baseline:
        yield _llamaindex(run, settings)


def _llamaindex(run: EvaluationRun, settings: Settings) -> System:
    try:
        from evaluation.llama_index import LlamaIndex, Parts
    except ImportError as error:
        raise MissingPackage(name="LlamaIndex", command=BASELINE_INSTALL) from error
    disable_repacking()
    models = installed_models(settings)
    chat, embedder = (models.find(m.name) for m in (run.workspace.model, run.workspace.embedder))
    parts = Parts(
        gguf=chat.path if run.answers else None,
        prompt=prompt_writer(chat),
        embedder=embedder.path,
        query_prefix=embedder.entry.query_prefix,
        passage_prefix=embedder.entry.passage_prefix,
        window_tokens=BASELINE_WINDOW,
        threads=tuned_for(chat, settings).tuning.threads,
    )
    with bars.counting("LlamaIndex") as show:
        return LlamaIndex(run.data.texts, run.library.ids, parts, run.folder / "llamaindex", show)


def _asked(run: EvaluationRun, system: System) -> list[Row]:
    """Ask all questions; what an interrupted run found is kept until all are asked."""
    facts = (system.name, run.workspace.model.name, str(len(run.answers)), sources_hash())
    kept = run.folder / f"{'-'.join(facts)}.jsonl".replace(" ", "-")
    rows = []
    every = len(run.answers) if isinstance(system, ClosedBook) else len(run.questions)
    with bars.counting(f"{run.data.name}, {system.name}") as show:
        for row in evaluate(
            run.data, run.questions, system, run.library, answers=run.answers, kept=kept
        ):
            rows.append(row)
            show(len(rows), every)
    kept.unlink(missing_ok=True)
    return rows
