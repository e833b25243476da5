"""Writes docs/cli.md from the commands themselves; a test holds the file to them.

python -m scripts.write_cli_docs
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from ui.cli import terminal
from ui.cli.app import grammar
from ui.cli.grammar import parameters

FILE: Final = Path(__file__).parents[1] / "docs" / "cli.md"
INTRODUCTION: Final = """\
# The command line

Written by `scripts/write_cli_docs.py`; `quipu COMMAND --help` shows the same.

- Exit codes: 0 done; 1 the user can fix it, one sentence on stderr says how; 2 wrong usage.
- Results go to stdout, progress and remarks to stderr. `--json` prints what `ui/schemas.py`
  describes; fields are added, never renamed, and nothing in them is translated.
- The language is that of `--ui-lang`, else of `QUIPU_LANG`, else of the locale, else English.
- `QUIPU_HOME` is the folder of the library, `QUIPU_MODELS` that of the models, `QUIPU_QUOTA_GB` the
  size of the KV cache on disk (20), `QUIPU_PASSWORD` the password of a page that others can reach.
"""


def document() -> str:
    """Return the text of docs/cli.md."""
    terminal.speak("en")
    root = grammar()
    context = typer.Context(root, info_name="quipu")
    return "\n".join([INTRODUCTION, *_sections(root, context)])


def _sections(command: Any, context: Any) -> Iterator[str]:
    """Yield a section for a command that can be run, or for all commands of a group."""
    if command.hidden:
        return
    if context.parent is None:
        yield _table(command, context, "option")
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from _sections(each, typer.Context(each, info_name=name, parent=context))
        return
    usage = context.get_usage().partition(": ")[2]
    example = command.epilog.partition("\n")[2].partition("\n")[2]
    code = "\n".join(f"    {line.strip()}" for line in example.splitlines())
    yield f"## {context.command_path}\n\n{command.help}\n\n    {' '.join(usage.split())}\n"
    yield from (_table(command, context, kind) for kind in ("argument", "option"))
    yield f"Example:\n\n{code}\n"


def _table(command: Any, context: Any, kind: str) -> str:
    rows = [row for row in parameters(command, context, kind) if "--help" not in row[0]]
    if not rows:
        return ""
    told = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in rows]
    return "\n".join([f"| {kind} | |", "|---|---|", *told, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
