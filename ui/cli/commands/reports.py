"""One command for each kind of report, made from the table of kinds."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from assistant.reports import kinds
from ui.cli import options, terminal

if TYPE_CHECKING:
    from typer import Typer

    from assistant.reports.base import ReportKind

Output = Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="options.output")]


def group() -> "Typer":
    """Return the commands of all kinds."""
    app = options.group()
    for kind in kinds().values():
        options.command(app, kind.command, kind.example)(_command(kind))
    return app


def _command(kind: "ReportKind[Any]") -> Any:
    """Return the function of a command; its parameters are those that the kind has."""

    def command(**given: Any) -> None:
        _write(kind, given)

    parameters = [*_documents(kind), *_options(kind), *_shared()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _documents(kind: "ReportKind[Any]") -> list[inspect.Parameter]:
    helps = ["options.document", *["options.other_document"] * (len(kind.document_fields) - 1)]
    return [
        _parameter(
            name, Annotated[str, Argument(metavar="DOC", help=text)], inspect.Parameter.empty
        )
        for name, text in zip(kind.document_fields, helps, strict=True)
    ]


def _options(kind: "ReportKind[Any]") -> list[inspect.Parameter]:
    found = []
    for each in kind.options:
        value: Any = Literal[each.choices] if each.choices else str
        metavar = None if each.choices else "TEXT"
        option = Option(f"--{each.name}", metavar=metavar, help=f"options.{each.name}")
        found.append(_parameter(each.name, Annotated[value, option], str(each.default)))
    return found


def _shared() -> list[inspect.Parameter]:
    return [
        _parameter("lang", options.Language, None),
        _parameter("output", Output, None),
        _parameter("model", options.Model, None),
        _parameter("window", options.Window, None),
        _parameter("kv", options.KV, "f16"),
        _parameter("json", options.Json, False),
    ]


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _write(kind: "ReportKind[Any]", given: dict[str, Any]) -> None:
    """Write a report; print it, save it as Markdown, or print its JSON."""
    from assistant.wiring import open_workspace

    settings = options.settings(given["model"], given["window"], given["kv"])
    assistant = open_workspace(settings).assistant
    documents = [given[name] for name in kind.document_fields]
    chosen = {each.name: given[each.name] for each in kind.options}
    spec = kind.spec(documents, given["lang"] or "", **chosen)
    output, json = given["output"], given["json"]
    with terminal.interruptible() as stopped:
        stream = assistant.write(spec, cancelled=stopped)
        report = terminal.follow(stream, quiet=json or output is not None or not kind.streams)
    if output is not None or not (json or kind.streams):
        _markdown(kind, report, output)
    if json:
        from ui.schemas import report_json

        terminal.print_json(report_json(kind, report))
    _coverage(kind, report)


def _markdown(kind: "ReportKind[Any]", report: Any, output: Path | None) -> None:
    from ui.exports import report_markdown

    text = report_markdown(kind, report, terminal.words)
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
        terminal.remark(terminal.words("reports.written", path=str(output)))


def _coverage(kind: "ReportKind[Any]", report: Any) -> None:
    """Say which pages were read for a report, and which were not."""
    if (plan := kind.plan(report)) is None:
        return
    words = terminal.words
    pages = sum(document.page_count for document in kind.documents(report))
    told = words("reports.coverage", read=len(plan.pages_read), pages=pages)
    terminal.remark(f"{report.model} · {told}")
    if plan.pages_left_out:
        listed = ", ".join(str(number) for _, number in plan.pages_left_out)
        terminal.remark(words("reports.lists", pages=listed))
