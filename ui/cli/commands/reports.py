"""`quipu summarize` and `compare`: reports about whole documents."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from ui.cli import options, terminal

if TYPE_CHECKING:
    from assistant.reports.comparison import Comparison
    from assistant.reports.summary import Summary

app = options.group()
Output = Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="options.output")]
Length = Annotated[Literal["short", "medium", "long"], Option("--length", help="options.length")]


@options.command(
    app, "summarize", "quipu summarize report.pdf --lang fr --length short -o report.fr.md"
)
def summarize(
    document: options.Document,
    lang: options.Language = None,
    length: Length = "medium",
    focus: Annotated[str, Option("--focus", metavar="TEXT", help="options.focus")] = "",
    output: Output = None,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    json: options.Json = False,
) -> None:
    """Summarise a document, each point with its page."""
    from assistant.reports import summary as reports
    from assistant.wiring import open_workspace

    assistant = open_workspace(options.settings(model, window, kv)).assistant
    with terminal.interruptible() as stopped:
        events = assistant.summarize(
            document,
            language=lang,
            length=reports.Length(length),
            focus=focus,
            cancelled=stopped,
        )
        summary: Summary = terminal.follow(events, quiet=json or output is not None)
    if output is not None:
        _write(output, reports.markdown(summary))
    if json:
        from ui.schemas import summary_json

        terminal.print_json(summary_json(summary))
    elif output is None:
        _coverage(summary)


def _coverage(summary: "Summary") -> None:
    """Say what was read for a summary, and what was not."""
    words = terminal.words
    read, left_out = summary.plan.pages_read, summary.plan.pages_left_out
    pages = words("summary.coverage", read=len(read), pages=summary.document.page_count)
    terminal.remark(f"{summary.model} · {pages}")
    if left_out:
        listed = ", ".join(str(number) for _, number in left_out)
        terminal.remark(words("summary.lists", pages=listed))


@options.command(app, "compare", "quipu compare 2024.pdf 2025.pdf --lang fr")
def compare(
    first: options.Document,
    second: Annotated[str, Argument(metavar="DOC", help="options.other_document")],
    lang: options.Language = None,
    output: Output = None,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    json: options.Json = False,
) -> None:
    """Compare two documents, each point with its page."""
    from assistant.wiring import open_workspace

    assistant = open_workspace(options.settings(model, window, kv)).assistant
    with terminal.interruptible() as stopped:
        events = assistant.compare(first, second, language=lang, cancelled=stopped)
        found: Comparison = terminal.follow(events, quiet=True)
    if json:
        from ui.schemas import comparison_json

        return terminal.print_json(comparison_json(found))
    from ui.exports import comparison_markdown

    text = comparison_markdown(found, terminal.words.comparison(found))
    if output is None:
        print(text, end="")
    else:
        _write(output, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    terminal.remark(terminal.words("reports.written", path=str(path)))
