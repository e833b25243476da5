"""The `quipu` command: its commands in one app, run in the user's language.

Exit codes: 0 done, 1 the user can fix it (one sentence says how), 2 wrong usage. Imports nothing
heavy: each command imports what it needs.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from assistant.errors import QuipuError
from ui.cli import language, options, terminal
from ui.cli.commands import ask, docs, evaluation, models, page
from ui.cli.grammar import tell, usage_error

DONE: Final = 0
FIXABLE: Final = 1
COMPLETION: Final = "_QUIPU_COMPLETE"  # set by the shell that asks for completions
EXAMPLE: Final = """\
quipu models pull starter multilingual-e5-small
quipu add report.pdf notes/
quipu ask "¿Qué dice sobre la memoria?\""""


def grammar(arguments: Sequence[str] = ()) -> Any:
    """Return the command line with all its texts, in the language of the terminal.

    Args:
        arguments: to be parsed. Where they begin with a command, typer's options that install
            completion are left out: checking that they are not there takes 0.1 s.
    """
    has_options = not arguments or arguments[0].startswith("-")
    found: Any = typer.main.get_command(_commands(has_options, reports=[]))
    if not arguments or arguments[0] not in found.commands:
        # The kinds of reports take a while to import, so only where they may be meant.
        from ui.cli.commands.reports import group

        found = typer.main.get_command(_commands(has_options, reports=[group()]))
    return tell(found)


def _commands(has_options: bool, *, reports: Sequence[typer.Typer]) -> typer.Typer:
    app = options.group("quipu", example=EXAMPLE, completion=has_options)
    app.add_typer(docs.top)
    for each in (ask.app, *reports, page.app):
        app.add_typer(each)
    app.add_typer(docs.app, name="docs")
    app.add_typer(models.app, name="models")
    app.add_typer(docs.cache, name="cache")
    app.add_typer(docs.cache, name="snapshots", hidden=True)  # its former name
    app.add_typer(models.top)
    app.add_typer(evaluation.app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error becomes one sentence."""
    terminal.speak(language.of(os.environ))
    if os.environ.get(COMPLETION):
        grammar().main(prog_name="quipu", complete_var=COMPLETION)
    try:
        code, rest = language.chosen(arguments)
        if code:
            terminal.speak(code)
        return _invoked(grammar(rest), rest)
    except QuipuError as error:
        terminal.complain(terminal.words.error(error))
    except KeyboardInterrupt:
        terminal.complain(terminal.words("errors.Cancelled"))
    except BrokenPipeError:  # whoever reads closed the pipe, as `| head` does
        sys.stderr.close()
    except OSError as error:
        terminal.complain(_system(error))
    return FIXABLE


def _invoked(command: Any, arguments: list[str]) -> int:
    try:
        with command.make_context("quipu", arguments) as context:
            code = command.invoke(context)
            return DONE if code is None else int(code)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        _show(error)
        return error.exit_code


def _show(error: typer.TyperException) -> None:
    """Print what is wrong with the usage; the help where only a command was missing."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return print(error.message, file=sys.stderr)
    if context is not None:
        print(context.get_usage(), file=sys.stderr)
    terminal.complain(usage_error(error))


def _system(error: OSError) -> str:
    """Return a sentence about a failure of the operating system."""
    reason = str(error.strerror or error)
    reason = f"{error.filename}: {reason}" if error.filename else reason
    return terminal.words("usage.system", reason=reason)


if __name__ == "__main__":
    main()
