"""`quipu add`, `docs`, `prepare` and `cache`: documents and what models keep of them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from typer import Argument, Option

from ui.cli import options, terminal

if TYPE_CHECKING:
    from assistant.settings import Settings
    from ingest.indexing import Outcome

NICE: Final = 10
Paths = Annotated[list[Path], Argument(metavar="PATH", help="options.paths")]

app = options.group("docs")
cache = options.group("cache")
top = options.group()


@options.command(top, "add", "quipu add report.pdf notes/")
def add(
    paths: Paths,
    prepare: Annotated[bool, Option("--prepare", help="options.prepare")] = False,
    embedder: options.Embedder = None,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    json: options.Json = False,
) -> int:
    """Add files and folders; return 1 when one of them failed or there was none."""
    settings = options.settings(model, window, kv, embedder=embedder)
    outcomes = _add(paths, settings, quiet=json)
    if json:
        from ui.schemas import outcome_json

        terminal.print_json([outcome_json(outcome) for outcome in outcomes])
    elif not outcomes:
        terminal.complain(terminal.words("library.no_file"))
    if prepare:
        _prepare(settings, [o.document.id for o in outcomes if o.document])
    failed = any(outcome.failure for outcome in outcomes)
    return 1 if failed or not outcomes else 0


def _add(paths: Sequence[Path], settings: "Settings", *, quiet: bool) -> "list[Outcome]":
    from assistant.wiring import open_for_adding
    from ingest.indexing import add as add_files
    from ui.cli import bars

    library, embedder = open_for_adding(settings)
    outcomes: list[Outcome] = []
    with bars.adding() as report, terminal.interruptible() as stopped:
        for outcome in add_files(
            paths,
            writer=library,
            embedder=embedder,
            report=report,
            cancelled=stopped,
        ):
            outcomes.append(outcome)
            if not quiet:
                _tell(outcome)
    return outcomes


def _tell(outcome: "Outcome") -> None:
    """Print what became of a file."""
    if outcome.failure:
        return terminal.complain(terminal.words.message(outcome.failure))
    print(terminal.words.added(outcome))
    for note in outcome.document.notes if outcome.document else ():
        terminal.say("library.note", note=terminal.words.message(note))


@options.command(top, "prepare", "quipu prepare report.pdf")
def prepare(
    documents: Annotated[list[str] | None, Argument(metavar="DOC", help="options.document")] = None,
    every: Annotated[bool, Option("--all", help="options.every")] = False,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
) -> None:
    """Let the model pre-read documents, so that answers come faster."""
    from assistant.errors import NoDocumentNamed
    from assistant.wiring import open_library

    settings = options.settings(model, window, kv)
    if not every and not documents:
        raise NoDocumentNamed
    known = [document.id for document in open_library(settings).documents()]
    _prepare(settings, known if every else documents or [])


def _prepare(settings: "Settings", documents: Sequence[str]) -> None:
    """Pre-read documents, and say how long that took."""
    from assistant.streams import Progress
    from assistant.wiring import open_workspace
    from ui.cli import bars

    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)  # whatever else the machine does goes first
    workspace = open_workspace(settings)
    for reference in documents:
        document = workspace.library.document(reference)
        start = time.monotonic()
        with bars.reading(document.title) as show, terminal.interruptible() as stopped:
            for event in workspace.assistant.prefill(document.id, cancelled=stopped):
                if isinstance(event, Progress):
                    show(event)
        took = terminal.words.duration(time.monotonic() - start)
        terminal.say("library.prepared", title=document.title, time=took)


@options.command(app, "docs_list", "quipu docs list")
def list_(json: options.Json = False) -> None:
    """Print the documents of the library."""
    from assistant.wiring import open_library

    documents = open_library(options.settings()).documents()
    if json:
        from ui.schemas import document_json

        return terminal.print_json([document_json(document) for document in documents])
    if not documents:
        return terminal.say("errors.EmptyLibrary")
    from ui.cli import tables

    tables.documents(documents)


@options.command(app, "docs_show", "quipu docs show report.pdf --page 12")
def show(
    reference: options.Document,
    page: Annotated[
        int | None, Option("-p", "--page", metavar="NUMBER", help="options.page")
    ] = None,
    json: options.Json = False,
) -> None:
    """Print a document's facts and headings, or the text of one page."""
    from assistant.errors import NoSuchPage
    from assistant.wiring import open_library

    library = open_library(options.settings())
    document = library.document(reference)
    pages = library.pages(document.id)
    if page is not None:
        texts = [each.text for each in pages if each.number == page]
        if not texts:
            raise NoSuchPage(title=document.title, count=len(pages))
        print(texts[0])
    elif json:
        from ui.schemas import document_json

        terminal.print_json(document_json(document, pages))
    else:
        from ui.cli import tables

        tables.document(document, library.document_text(document.id))


@options.command(app, "docs_remove", "quipu docs remove report.pdf")
def remove(references: options.Documents) -> None:
    """Remove documents and every trace of them."""
    from assistant.wiring import open_library

    library = open_library(options.settings())
    for document in [library.document(reference) for reference in references]:
        library.remove(document)
        terminal.say("library.removed", title=document.title)


@options.command(cache, "cache_list", "quipu cache list")
def cache_list(json: options.Json = False) -> None:
    """Print the texts in the KV cache on disk."""
    from assistant.backends.llama.opening import kv_cache

    cached = kv_cache(options.settings()).listed()
    if json:
        from ui.schemas import cached_json

        return terminal.print_json([cached_json(each) for each in cached])
    if not cached:
        return terminal.say("cache.empty")
    from ui.cli import tables

    tables.cache(cached)


@options.command(cache, "cache_clear", "quipu cache clear")
def cache_clear() -> None:
    """Empty the KV cache on disk."""
    from assistant.backends.llama.opening import kv_cache

    freed = kv_cache(options.settings()).clear()
    if not freed:
        return terminal.say("cache.empty")
    terminal.say("cache.freed", size=terminal.words.size(freed))
