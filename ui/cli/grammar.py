"""Help texts and usage errors in the user's language.

Commands and options declare keys of `ui.words` instead of texts; the texts are put in when the
command line is built, since typer's own are English.
"""

import re
from typing import Any, Final

from typer import TyperException
from typer.core import TyperArgument, TyperCommand, TyperGroup

from ui.cli import terminal
from ui.cli.language import OPTION

HELP: Final = "help."
OWN: Final = ("install_completion", "show_completion")  # options that typer adds
EXTRA: Final = re.compile(r"unexpected extra argument\S* \((.+)\)")


class WordedCommand(TyperCommand):
    """A command with one example, whose headings are translated."""

    def get_help_option(self, ctx: Any) -> Any:
        return unset(super().get_help_option(ctx))

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        write_usage(self, ctx, formatter, [])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_parameters(self, ctx, formatter)


class WordedGroup(TyperGroup):
    """A group of commands, whose headings are translated."""

    def get_help_option(self, ctx: Any) -> Any:
        return unset(super().get_help_option(ctx))

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        write_usage(self, ctx, formatter, [terminal.words("help.command"), "…"])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        write_parameters(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(n, c.help or "") for n, c in self.commands.items() if not c.hidden]
        with formatter.section(terminal.words("help.commands")):
            formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            if args[0] not in self.commands and not args[0].startswith("-"):
                error.message = _unknown_command(args[0], error.message)
            raise


def unset(option: Any) -> Any:
    """Return a flag that is False by default: None would be checked by pydantic, for 0.1 s."""
    option.default = False
    return option


def write_usage(command: Any, ctx: Any, formatter: Any, more: list[str]) -> None:
    """Write the line that shows how a command is typed."""
    pieces = [f"[{terminal.words('help.options').upper()}]", *more]
    for parameter in command.get_params(ctx):
        if isinstance(parameter, TyperArgument):
            name = f"{parameter.metavar}{' …' if parameter.nargs != 1 else ''}"
            pieces.append(name if parameter.required else f"[{name}]")
    prefix = f"{terminal.words('help.usage')}: "
    formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=prefix)


def write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    """Write the arguments and the options of a command with their help texts."""
    for kind in ("argument", "option"):
        rows = parameters(command, ctx, kind)
        if rows:
            with formatter.section(terminal.words(f"help.{kind}s")):
                formatter.write_dl(rows)


def parameters(command: Any, ctx: Any, kind: str) -> list[tuple[str, str]]:
    """Return (how it is typed, what it does) for the arguments or the options of a command."""
    rows = []
    if kind == "option" and ctx.parent is None:
        rows.append((f"{OPTION} CODE", terminal.words("options.ui_lang")))
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx) if parameter.param_type_name == kind else None
        if record is not None:
            name = parameter.metavar if kind == "argument" else record[0]
            is_help = parameter.name == "help"
            rows.append((name, terminal.words("options.help") if is_help else parameter.help))
    return rows


def tell(command: Any) -> Any:
    """Put texts in the place of keys, in a command and all below it; return the command."""
    for parameter in command.params:
        if parameter.name in OWN:
            parameter.help = terminal.words(f"options.{parameter.name}")
        elif parameter.help:
            parameter.help = terminal.words(parameter.help)
    if command.help and command.help.startswith(HELP):
        command.help = terminal.words(command.help)
    if command.epilog:
        example = "\n".join(f"  {line}" for line in command.epilog.splitlines())
        command.epilog = f"\b\n{terminal.words('help.example')}:\n{example}"
    for each in getattr(command, "commands", {}).values():
        tell(each)
    return command


def usage_error(error: TyperException) -> str:
    """Return what is wrong with the usage, and which command explains it."""
    ctx = getattr(error, "ctx", None)
    sentence = _sentence(error)
    if ctx is None:
        return sentence
    return f"{sentence} {terminal.words('usage.help', command=ctx.command_path)}"


def _sentence(error: Any) -> str:
    words = terminal.words
    match type(error).__name__:
        case "MissingParameter":
            return words("usage.missing", name=_name(error.param))
        case "NoSuchOption":
            near = ", ".join(error.possibilities or ())
            unknown = words("usage.unknown_option", name=error.option_name)
            return f"{unknown} {words('usage.meant', names=near)}" if near else unknown
        case "BadOptionUsage":
            key = "no_value" if "not take" in error.message else "needs_value"
            return words(f"usage.{key}", name=error.option_name)
        case "BadParameter" if error.param is not None:
            return _bad_value(error)
    if extra := EXTRA.search(error.message):
        return words("usage.unexpected", names=extra[1])
    return words("usage.no_command") if error.message == "Missing command." else error.message


def _bad_value(error: Any) -> str:
    """Say which value an option does not take, and which it does."""
    parameter, cause = error.param, error.__cause__
    given = str(cause.errors()[0]["input"]) if cause is not None else ""
    facts = {"given": given, "name": _name(parameter)}
    choices = parameter.type_descriptor.choices
    if choices:
        return terminal.words("usage.choice", **facts, choices=", ".join(map(str, choices)))
    if parameter.min is not None and parameter.max is not None:
        limits = {"low": str(parameter.min), "high": str(parameter.max)}
        return terminal.words("usage.range", **facts, **limits)
    return terminal.words("usage.invalid", **facts)


def _name(parameter: Any) -> str:
    is_argument = isinstance(parameter, TyperArgument)
    return str(parameter.metavar) if is_argument else str(max(parameter.opts, key=len))


def _unknown_command(given: str, message: str) -> str:
    """Return that there is no such command, with the names that typer found near it."""
    near = message.partition("Did you mean ")[2].rstrip("?").replace("'", "")
    unknown = terminal.words("usage.unknown_command", name=given)
    return f"{unknown} {terminal.words('usage.meant', names=near)}" if near else unknown
