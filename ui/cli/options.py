"""Options that several commands share, each declared once, and the values they give."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from typer import Argument, Option, Typer

from ui.cli.grammar import HELP, WordedCommand, WordedGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from assistant.settings import Settings
    from assistant.types import ContextOptions, Filters, Query

FULL_WINDOW: Final = 1 << 30  # more than any model has: cut to what it was trained for
SMALLEST_WINDOW: Final = 1024

Document: TypeAlias = Annotated[str, Argument(metavar="DOC", help="options.document")]
Documents: TypeAlias = Annotated[list[str], Argument(metavar="DOC", help="options.document")]
Question: TypeAlias = Annotated[str, Argument(metavar="QUESTION", help="options.question")]
ModelNames: TypeAlias = Annotated[list[str], Argument(metavar="NAME", help="options.model_name")]
ModelName: TypeAlias = Annotated[str, Argument(metavar="NAME", help="options.model_name")]

Json: TypeAlias = Annotated[bool, Option("--json", help="options.json")]
Language: TypeAlias = Annotated[
    str | None, Option("--lang", metavar="CODE", help="options.language")
]
Only: TypeAlias = Annotated[list[str] | None, Option("--doc", metavar="DOC", help="options.only")]
DocumentLanguages: TypeAlias = Annotated[
    str, Option("--doc-lang", metavar="CODES", help="options.document_languages")
]
Pages: TypeAlias = Annotated[str, Option("--pages", metavar="FIRST-LAST", help="options.pages")]
Since: TypeAlias = Annotated[str, Option("--since", metavar="DATE", help="options.since")]
Until: TypeAlias = Annotated[str, Option("--until", metavar="DATE", help="options.until")]
Mode: TypeAlias = Annotated[
    Literal["auto", "whole", "packed", "hierarchical"], Option("--mode", help="options.mode")
]
TimeBudget: TypeAlias = Annotated[
    float | None, Option("--time-budget", metavar="SECONDS", help="options.time_budget")
]
Translate: TypeAlias = Annotated[bool, Option("--translate", help="options.translate")]

Model: TypeAlias = Annotated[str | None, Option("--model", metavar="NAME", help="options.model")]
Window: TypeAlias = Annotated[
    str | None, Option("--window", metavar="TOKENS", help="options.window")
]
KV: TypeAlias = Annotated[Literal["f16", "q8_0"], Option("--kv", help="options.kv")]
Reranker: TypeAlias = Annotated[
    str | None, Option("--reranker", metavar="NAME", help="options.reranker")
]
Embedder: TypeAlias = Annotated[
    str | None, Option("--embedder", metavar="NAME", help="options.embedder")
]


def group(
    name: str | None = None, *, example: str | None = None, completion: bool = False
) -> Typer:
    """Return an empty group of commands; its help text has the key `help.NAME`.

    Args:
        completion: whether it has the options that install shell completion.
    """
    return Typer(
        cls=WordedGroup,
        help=f"{HELP}{name}" if name else None,
        epilog=example,
        add_completion=completion,
        no_args_is_help=True,
        rich_markup_mode=None,
    )


def command(
    app: Typer, key: str, example: str, *, cls: type[WordedCommand] = WordedCommand
) -> "Callable[[Any], Any]":
    """Return a decorator that adds a command; its help text has the key `help.KEY`.

    Args:
        key: ends with the name of the command, as in "docs_list".
        example: one or more lines to type.
    """
    name = key.rpartition("_")[2]
    return app.command(name, cls=cls, help=f"{HELP}{key}", epilog=example)


def settings(
    model: str | None = None,
    window: str | None = None,
    kv: Literal["f16", "q8_0"] = "f16",
    *,
    reranker: str | None = None,
    embedder: str | None = None,
) -> "Settings":
    """Return the settings of the environment with those of the command line.

    Raises:
        InvalidWindow: `window` is neither "full" nor a number that is large enough.
    """
    from assistant.settings import Settings

    tokens = _tokens(window) if window is not None else None
    return Settings(model=model, embedder=embedder, reranker=reranker, window_tokens=tokens, kv=kv)


def _tokens(window: str) -> int:
    from assistant.errors import InvalidWindow

    if window == "full":
        return FULL_WINDOW
    if not window.isdigit() or int(window) < SMALLEST_WINDOW:
        raise InvalidWindow(given=window)
    return int(window)


def filters(languages: str, pages: str, since: str, until: str) -> "Filters":
    """Return which documents and pages are searched.

    Args:
        languages: codes, separated by commas; "" for all.

    Raises:
        UnknownLanguage, InvalidPages, InvalidDate.
    """
    from assistant.languages.detection import check
    from assistant.types import Filters

    codes = languages.split(",") if languages else []
    return Filters(
        languages=tuple(check(code.strip()) for code in codes),
        added_from=_day(since),
        added_until=_day(until),
        pages=_pages(pages),
    )


def _pages(given: str) -> tuple[int, int] | None:
    from assistant.errors import InvalidPages
    from ui.page_numbers import pages_from

    found = pages_from(given) if given else None
    if given and found is None:
        raise InvalidPages(given=given)
    return found


def _day(given: str) -> str:
    from datetime import date

    from assistant.errors import InvalidDate

    try:
        return date.fromisoformat(given).isoformat() if given else ""
    except ValueError as error:
        raise InvalidDate(given=given) from error


def query(
    question: str,
    lang: str | None = None,
    doc: list[str] | None = None,
    filters: "Filters | None" = None,
    context: "ContextOptions | None" = None,
) -> "Query":
    """Return a question with its options."""
    from assistant.types import DEFAULT_CONTEXT, NO_FILTERS, Query

    return Query(
        question,
        language=lang or "",
        documents=tuple(doc or ()),
        filters=filters or NO_FILTERS,
        context=context or DEFAULT_CONTEXT,
    )


def context(mode: str, time_budget: float | None) -> "ContextOptions":
    """Return how the documents shall reach the model."""
    from assistant.types import BUDGET_S, ContextMode, ContextOptions

    budget = BUDGET_S if time_budget is None else time_budget
    return ContextOptions(None if mode == "auto" else ContextMode(mode), budget)
