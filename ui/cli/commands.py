"""What each command does: ask the library or the assistant, and print. No logic of its own."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from assistant.errors import QuipuError, UsageError
from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.settings import Settings
from assistant.streams import Progress, TextDelta
from assistant.types import (
    Answer,
    ContextMode,
    ContextOptions,
    ContextPlan,
    Document,
    Filters,
    Message,
)
from ui.cli import terminal
from ui.telling import by_document, duration, pages_from

if TYPE_CHECKING:
    from assistant.assistant import Assistant

NICE = 10
FULL_WINDOW = 1 << 30  # more than any model has: cut to what it was trained for


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings with what was said on the command line."""
    return replace(
        Settings(),
        model=getattr(options, "model", None),
        embedder=getattr(options, "embedder", None),
        reranker=getattr(options, "reranker", None),
        window_tokens=_window(getattr(options, "window", None)),
        kv=getattr(options, "kv", None) or "f16",
    )


def _window(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "full":
        return FULL_WINDOW
    if not text.isdigit() or int(text) < 1024:
        raise UsageError(f'--window takes a number from 1024 up, or "full", and not {text!r}.')
    return int(text)


# models


def models_list(options: argparse.Namespace) -> None:
    from assistant.wiring import installed_models

    shelf = installed_models(settings_from(options))
    installed = {model.name: model for model in shelf.installed()}
    entries = {**shelf.catalogue, **{name: model.entry for name, model in installed.items()}}
    if options.json:
        rows = [
            {**_plain(asdict(entry)), "installed": name in installed}
            for name, entry in entries.items()
        ]
        return _print_json(rows)
    terminal.model_table(entries, installed)


def models_pull(options: argparse.Namespace) -> None:
    from assistant.wiring import installed_models

    shelf = installed_models(settings_from(options))
    for name in options.name:
        with terminal.pulling(name) as report:
            model = shelf.pull(name, report)
        print(f"{model.name} is installed ({model.path}).")


def models_import(options: argparse.Namespace) -> None:
    from assistant.wiring import import_model

    model = import_model(settings_from(options), options.file)
    print(f"{model.name} is added: window {model.entry.trained_window_tokens:,} tokens.")
    if not model.entry.has_chat_template:
        print("It has no chat template: a base model, which continues text instead of answering.")


def models_use(options: argparse.Namespace) -> None:
    from assistant.wiring import prefer

    prefer(settings_from(options), options.name)
    print(f"{options.name} answers from now on, where --model names no other.")


def models_remove(options: argparse.Namespace) -> None:
    from assistant.wiring import installed_models

    installed_models(settings_from(options)).remove(options.name)
    print(f"{options.name} is removed.")


def doctor(options: argparse.Namespace) -> None:
    from assistant.models.hardware import measure
    from assistant.wiring import engine_features, installed_models, open_library, snapshots

    settings = settings_from(options)
    shelf = installed_models(settings)
    library = open_library(settings)
    terminal.doctor(settings, measure(), engine_features())
    _models(settings, again=options.again)
    problems = library.check()
    terminal.kept(snapshots(settings).listed(), settings.quota_bytes)
    print(f"library    {len(library.documents())} documents in {settings.home}")
    for problem in problems:
        print(f"           {problem}")
    print(f"next       {terminal.next_step(shelf.installed(), library.documents(), problems)}")


def _models(settings: Settings, *, again: bool) -> None:
    """Print what each model can do here; one that was never measured is measured now."""
    from assistant.models.catalogue import ModelRole
    from assistant.models.hardware import largest_window, measure
    from assistant.wiring import installed_models, tuned_for

    machine = measure()
    installed = installed_models(settings).installed()
    for model in installed:
        runs = model.entry.role is ModelRole.CHAT and largest_window(model.entry, machine) > 0
        with terminal.measuring(model.name):
            tuned = tuned_for(model, settings, again=again) if runs else None
        terminal.model(model, machine, tuned)
    if not installed:
        print("           none")


# library


def add(options: argparse.Namespace) -> int:
    from assistant.languages.detection import identify_document
    from assistant.wiring import open_for_adding
    from ingest.indexing import Outcome, Status
    from ingest.indexing import add as add_files

    library, embedder = open_for_adding(settings_from(options))
    outcomes: list[Outcome] = []
    with terminal.adding() as report, interruptible() as stopped:
        for outcome in add_files(
            options.paths,
            shelf=library,
            embedder=embedder,
            language_of=identify_document,
            report=report,
            cancelled=stopped,
        ):
            outcomes.append(outcome)
            if not options.json:
                terminal.outcome(outcome)
    if not outcomes and not options.json:
        print("quipu: There is no file in there that can be read.", file=sys.stderr)
    if options.json:
        _print_json([_outcome_json(outcome) for outcome in outcomes])
    if options.prepare:
        _prepare(settings_from(options), [o.document.id for o in outcomes if o.document])
    failed = any(outcome.status is Status.FAILED for outcome in outcomes)
    return 1 if failed or not outcomes else 0


def prepare(options: argparse.Namespace) -> None:
    from assistant.wiring import open_library

    settings = settings_from(options)
    documents = [document.id for document in open_library(settings).documents()]
    if not options.all and not options.document:
        raise UsageError("Name the documents to prepare, or say --all.")
    _prepare(settings, documents if options.all else options.document)


def _prepare(settings: Settings, documents: Sequence[str]) -> None:
    """Let the model read the documents, and say how long that took."""
    from assistant.wiring import open_workspace

    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)  # whatever else the machine does goes first
    workspace = open_workspace(settings)
    for reference in documents:
        document = workspace.library.document(reference)
        start = time.monotonic()
        with terminal.reading(document.title) as show, interruptible() as stopped:
            for stage in workspace.assistant.prepare(document.id, cancelled=stopped):
                show(stage)
        print(f"prepared   {document.title} in {duration(time.monotonic() - start)}")


def snapshots_list(options: argparse.Namespace) -> None:
    from assistant.wiring import snapshots

    kept = snapshots(settings_from(options)).listed()
    if options.json:
        return _print_json([asdict(snapshot) for snapshot in kept])
    terminal.snapshot_table(kept)


def snapshots_clear(options: argparse.Namespace) -> None:
    from assistant.wiring import snapshots

    freed = snapshots(settings_from(options)).clear()
    print(f"{terminal.size(freed)} freed." if freed else "Nothing was kept.")


def docs_list(options: argparse.Namespace) -> None:
    from assistant.wiring import open_library

    documents = open_library(settings_from(options)).documents()
    if options.json:
        return _print_json([_described(document) for document in documents])
    terminal.document_table(documents)


def docs_show(options: argparse.Namespace) -> None:
    from assistant.wiring import open_library

    library = open_library(settings_from(options))
    document = library.document(options.document)
    pages = library.pages(document.id)
    if options.page is not None:
        texts = [page.text for page in pages if page.number == options.page]
        if not texts:
            raise UsageError(f"{document.title} has pages 1 to {len(pages)}: choose one of them.")
        print(texts[0])
    elif options.json:
        _print_json({**_described(document), "pages": [asdict(page) for page in pages]})
    else:
        terminal.document(document, library.document_text(document.id))


def docs_remove(options: argparse.Namespace) -> None:
    from assistant.wiring import open_library

    library = open_library(settings_from(options))
    for document in [library.document(reference) for reference in options.document]:
        library.remove(document)
        print(f"{document.title} is removed.")


# asking


def ask(options: argparse.Namespace) -> None:
    from assistant.wiring import open_workspace

    if not options.question.strip():
        from assistant.errors import EmptyQuestion

        raise EmptyQuestion
    filters = _filters(options)
    assistant = open_workspace(settings_from(options)).assistant
    with interruptible() as stopped:
        events = assistant.ask(
            options.question,
            language=options.lang,
            documents=options.doc,
            filters=filters,
            wish=_wish(options),
            cancelled=stopped,
        )
        answer = _follow(events, quiet=options.json)
        assert isinstance(answer, Answer)
        translations = _translations(assistant, answer, options, stopped)
    if options.json:
        _print_json(answer_json(answer, translations))
    else:
        terminal.sources(answer, translations)


def plan(options: argparse.Namespace) -> None:
    from assistant.wiring import open_workspace

    filters = _filters(options)
    workspace = open_workspace(settings_from(options))
    found = workspace.assistant.plan(
        options.question,
        language=options.lang,
        documents=options.doc,
        filters=filters,
        wish=_wish(options),
    )
    if options.json:
        return _print_json(_plan_json(found))
    titles = {document.id: document.title for document in workspace.library.documents()}
    terminal.plan(found, titles)


def _wish(options: argparse.Namespace) -> ContextOptions:

    budget = options.time_budget
    mode = None if options.mode == "auto" else ContextMode(options.mode)
    return ContextOptions(mode) if budget is None else ContextOptions(mode, budget)


def _filters(options: argparse.Namespace) -> Filters:
    """Return what the options leave to be searched."""
    from assistant.languages.detection import check

    codes = options.doc_lang.split(",") if options.doc_lang else []
    return Filters(
        languages=tuple(check(code.strip()) for code in codes),
        added_from=_day(options.since),
        added_until=_day(options.until),
        pages=_pages(options.pages),
    )


def _pages(given: str | None) -> tuple[int, int] | None:
    if not given:
        return None
    if found := pages_from(given):
        return found
    raise UsageError(f"--pages takes a page or two, as 10-20, and not {given!r}.")


def _day(given: str | None) -> str:
    try:
        return date.fromisoformat(given).isoformat() if given else ""
    except ValueError as error:
        raise UsageError(f"A date is written as 2026-01-31, and not as {given!r}.") from error


def chat(options: argparse.Namespace) -> None:
    from assistant.assistant import turns
    from assistant.wiring import open_workspace

    filters = _filters(options)
    assistant = open_workspace(settings_from(options)).assistant
    history: list[Message] = []
    print("Ask about your documents; an empty line ends the conversation.")
    while question := _typed():
        try:
            with interruptible() as stopped:
                events = assistant.ask(
                    question,
                    language=options.lang,
                    documents=options.doc,
                    history=history,
                    filters=filters,
                    wish=_wish(options),
                    cancelled=stopped,
                )
                answer = _follow(events, quiet=False)
                assert isinstance(answer, Answer)
                translations = _translations(assistant, answer, options, stopped)
        except QuipuError as error:
            print(error, file=sys.stderr)
            continue
        terminal.sources(answer, translations)
        history += turns(answer)


def _translations(
    assistant: "Assistant",
    answer: Answer,
    options: argparse.Namespace,
    cancelled: Callable[[], bool],
) -> tuple[str, ...]:
    """Return each quote in the answer's language; nothing when that was not asked for."""
    if not options.translate:
        return ()
    translated = []
    for citation in answer.citations:
        *_, text = assistant.translate(citation, answer.language, cancelled=cancelled)
        translated.append(str(text))
    return tuple(translated)


def summarize(options: argparse.Namespace) -> None:
    from assistant.reports.summary import Length, markdown
    from assistant.wiring import open_workspace

    assistant = open_workspace(settings_from(options)).assistant
    with interruptible() as stopped:
        events = assistant.summarize(
            options.document,
            language=options.lang,
            length=Length(options.length),
            focus=options.focus,
            cancelled=stopped,
        )
        summary = _follow(events, quiet=options.json or options.output is not None)
    assert isinstance(summary, Summary)
    if options.output is not None:
        options.output.write_text(markdown(summary), encoding="utf-8")
        print(f"The summary is in {options.output}.", file=sys.stderr)
    if options.json:
        _print_json(summary_json(summary))
    elif options.output is None:
        terminal.coverage(summary)


def compare(options: argparse.Namespace) -> None:
    from assistant.wiring import open_workspace
    from ui.exports import comparison_markdown

    assistant = open_workspace(settings_from(options)).assistant
    with interruptible() as stopped:
        events = assistant.compare(
            options.first, options.second, language=options.lang, cancelled=stopped
        )
        found = _follow(events, quiet=True)
    assert isinstance(found, Comparison)
    if options.json:
        described = {"first": _described(found.first), "second": _described(found.second)}
        return _print_json(_plain(asdict(found)) | described)
    text = comparison_markdown(found, terminal.comparison_heads(found))
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
        print(f"The comparison is in {options.output}.", file=sys.stderr)


def evaluate(options: argparse.Namespace) -> None:
    from ui.cli import evaluation

    evaluation.run(options, settings_from(options))


def page(options: argparse.Namespace) -> int:
    from ui.page import serve

    return serve.serve(options, settings_from(options))


# shared


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a flag that long work looks at; a second Ctrl-C ends at once."""
    stop = threading.Event()

    def note(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _follow(events: Iterator[Any], *, quiet: bool) -> Answer | Summary | Comparison:
    """Print what is streamed and return the result that comes last."""
    result: Answer | Summary | Comparison | None = None
    with terminal.following() as live:
        for event in events:
            match event:
                case Progress():
                    live.progress(event)
                case TextDelta() if not quiet:
                    live.text(event)
                case Answer() | Summary() | Comparison():
                    result = event
    assert result is not None
    return result


def answer_json(answer: Answer, translations: Sequence[str] = ()) -> dict[str, Any]:
    """Return an answer as the object that scripts read.

    Args:
        translations: of the quotes, in the order of the citations; none when not asked for.
    """
    value: dict[str, Any] = _plain(asdict(answer))
    for citation, translation in zip(value["citations"], translations, strict=False):
        citation["translation"] = translation
    value["plan"] = _plan_json(answer.plan)
    return value


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as the object that scripts read."""
    value: dict[str, Any] = _plain(asdict(summary)) | {"document": _described(summary.document)}
    value["plan"] = _plan_json(summary.plan)
    return value


def _plan_json(plan: ContextPlan) -> dict[str, Any]:
    value: dict[str, Any] = _plain(asdict(plan))
    value["pages_read"] = by_document(plan.pages_read)
    value["pages_left_out"] = by_document(plan.pages_left_out)
    return value


def _outcome_json(outcome: Any) -> dict[str, Any]:
    document = outcome.document
    return {
        "path": outcome.path,
        "document_id": document.id if document else None,
        "status": outcome.status.value,
        "pages": document.page_count if document else None,
        "language": document.language if document else None,
        "error": outcome.error or None,
        "notes": _described(document)["notes"] if document else [],
    }


def _described(document: Document) -> dict[str, Any]:
    return {**asdict(document), "notes": [note.text for note in document.notes]}


def _typed() -> str:
    try:
        return input("\n> ").strip()
    except EOFError:
        return ""


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False, default=str))


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))
