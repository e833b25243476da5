"""The `quipu` command: what can be typed. What is then done stands in `ui.cli.commands`.

Imports nothing heavy, so that `--help` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

EXIT_DONE = 0
EXIT_MENDABLE = 1

DESCRIPTION = """\
Ask questions about long documents, in your language, on your machine.

  quipu models pull starter                 fetch a chat model (1.1 GB)
  quipu models pull multilingual-e5-small   fetch the embedding model
  quipu add report.pdf notes/               take documents into the library
  quipu ask "¿Qué dice sobre la memoria?"   ask, and get an answer with pages
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with 0 (done), 1 (the reader can mend it) or 2 (wrong usage)."""
    options = parser().parse_args(arguments)
    sys.exit(run(options))


def run(options: argparse.Namespace) -> int:
    """Run the chosen command and return its exit code; errors become one sentence."""
    from assistant.errors import QuipuError
    from ui.cli import commands

    try:
        code = getattr(commands, options.command)(options)
        return EXIT_DONE if code is None else int(code)
    except QuipuError as error:
        print(f"quipu: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("quipu: Stopped.", file=sys.stderr)
    except BrokenPipeError:  # the reader closed the pipe, as `| head` does
        sys.stderr.close()
    except OSError as error:
        print(f"quipu: {_os_sentence(error)}", file=sys.stderr)
    return EXIT_MENDABLE


def _os_sentence(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}: mend that and run the same command again."


def parser() -> argparse.ArgumentParser:
    """Return the grammar of the command line."""
    root = argparse.ArgumentParser(
        prog="quipu",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    _add_models(commands)
    _add_library(commands)
    _add_asking(commands)
    _add_comparing(commands)
    _add_evaluating(commands)
    page = _command(
        commands, "page", "page", "open the page in a browser", "quipu page --port 8501"
    )
    page.add_argument("--port", type=int, default=8501)
    page.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="let others reach the page at this address; it then asks for a password",
    )
    page.add_argument(
        "--name",
        action="append",
        default=[],
        help="under which they reach it, when that is not the name of this machine",
    )
    page.add_argument("--no-browser", action="store_true", help="only serve, open nothing")
    _model_options(page)
    doctor = _command(
        commands, "doctor", "doctor", "look at the machine and the models", "quipu doctor"
    )
    doctor.add_argument("--again", action="store_true", help="measure the models once more")
    return root


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(
    commands: Commands, name: str, does: str, help_: str, example: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=help_,
        description=f"{help_[0].upper()}{help_[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=does)
    return command


def _add_models(commands: Commands) -> None:
    group = commands.add_parser("models", help="list, pull, import, choose and remove models")
    inner = group.add_subparsers(required=True, metavar="ACTION")
    listing = _command(inner, "list", "models_list", "list the models", "quipu models list")
    listing.add_argument("--json", action="store_true")
    pull = _command(inner, "pull", "models_pull", "fetch a model", "quipu models pull llama-3.1-8b")
    pull.add_argument("name", nargs="+", metavar="NAME")
    bring = _command(
        inner, "import", "models_import", "add a GGUF file you have", "quipu models import my.gguf"
    )
    bring.add_argument("file", type=Path, metavar="FILE")
    use = _command(
        inner, "use", "models_use", "let a chat model answer", "quipu models use llama-3.1-8b"
    )
    use.add_argument("name", metavar="NAME")
    remove = _command(
        inner, "remove", "models_remove", "remove a model", "quipu models remove mini-starter"
    )
    remove.add_argument("name", metavar="NAME")


def _add_library(commands: Commands) -> None:
    add = _command(
        commands, "add", "add", "take documents into the library", "quipu add report.pdf notes/"
    )
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    add.add_argument("--embedder", metavar="NAME", help="embedding model of a new library")
    add.add_argument("--json", action="store_true")
    add.add_argument("--prepare", action="store_true", help="let the model read them right away")
    _model_options(add)
    prepare = _command(
        commands,
        "prepare",
        "prepare",
        "let the model read documents once for all later questions",
        "quipu prepare report.pdf",
    )
    prepare.add_argument("document", nargs="*", metavar="DOC", help="id, title or file name")
    prepare.add_argument("--all", action="store_true", help="every document of the library")
    _model_options(prepare)
    kept = commands.add_parser("snapshots", help="list and clear what models kept of documents")
    actions = kept.add_subparsers(required=True, metavar="ACTION")
    every = _command(actions, "list", "snapshots_list", "list what is kept", "quipu snapshots list")
    every.add_argument("--json", action="store_true")
    _command(
        actions, "clear", "snapshots_clear", "remove all that is kept", "quipu snapshots clear"
    )
    group = commands.add_parser("docs", help="list, show and remove documents")
    inner = group.add_subparsers(required=True, metavar="ACTION")
    listing = _command(inner, "list", "docs_list", "list the documents", "quipu docs list")
    listing.add_argument("--json", action="store_true")
    show = _command(
        inner, "show", "docs_show", "show a document or a page", "quipu docs show report.pdf -p 12"
    )
    show.add_argument("document", metavar="DOC", help="id, title or file name")
    show.add_argument("-p", "--page", type=int, help="print the text of this page")
    show.add_argument("--json", action="store_true")
    remove = _command(
        inner,
        "remove",
        "docs_remove",
        "remove documents and every trace of them",
        "quipu docs remove report.pdf",
    )
    remove.add_argument("document", nargs="+", metavar="DOC", help="id, title or file name")


def _add_asking(commands: Commands) -> None:
    ask = _command(
        commands,
        "ask",
        "ask",
        "answer a question from the documents",
        'quipu ask "¿Cuántos parámetros tiene Llama 3.1?" --lang es --doc report.pdf',
    )
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--json", action="store_true")
    plan = _command(
        commands,
        "plan",
        "plan",
        "show what would be read for a question, and how long it would take",
        'quipu plan "¿De qué trata el informe?" --doc report.pdf',
    )
    plan.add_argument("question", metavar="QUESTION")
    plan.add_argument("--json", action="store_true")
    chat = _command(commands, "chat", "chat", "talk about the documents", "quipu chat")
    for command in (ask, chat):
        command.add_argument(
            "--translate",
            action="store_true",
            help="show quotes in the answer's language, too, below the original",
        )
    for command in (ask, plan, chat):
        command.add_argument("--lang", metavar="CODE", help="language of the answer: es, fr, ...")
        command.add_argument(
            "--doc", action="append", default=[], metavar="DOC", help="only from this document"
        )
        _filter_options(command)
        command.add_argument(
            "--mode",
            choices=["auto", "whole", "packed", "hierarchical"],
            default="auto",
            help="read the whole text, passages of it, or notes on every section",
        )
        command.add_argument(
            "--time-budget",
            type=float,
            metavar="SECONDS",
            help="that the first word may take; default: 60",
        )
        _model_options(command)
        _reranker_option(command)
    summarize = _command(
        commands,
        "summarize",
        "summarize",
        "summarise a whole document",
        "quipu summarize report.pdf --lang fr --length short -o report.fr.md",
    )
    summarize.add_argument("document", metavar="DOC", help="id, title or file name")
    summarize.add_argument("--lang", metavar="CODE", help="language of the summary")
    summarize.add_argument(
        "--length", choices=["short", "medium", "long"], default="medium", help="default: medium"
    )
    summarize.add_argument(
        "--focus", metavar="TEXT", default="", help="what the summary keeps to, in any language"
    )
    summarize.add_argument("-o", "--output", type=Path, metavar="FILE", help="write Markdown here")
    summarize.add_argument("--json", action="store_true")
    _model_options(summarize)


def _add_comparing(commands: Commands) -> None:
    compare = _command(
        commands,
        "compare",
        "compare",
        "hold two documents against each other",
        "quipu compare 2024.pdf 2025.pdf --lang fr",
    )
    compare.add_argument("first", metavar="DOC", help="id, title or file name")
    compare.add_argument("second", metavar="DOC")
    compare.add_argument("--lang", metavar="CODE", help="language of the points")
    compare.add_argument("-o", "--output", type=Path, metavar="FILE", help="write Markdown here")
    compare.add_argument("--json", action="store_true")
    _model_options(compare)


def _add_evaluating(commands: Commands) -> None:
    evaluate = _command(
        commands,
        "eval",
        "evaluate",
        "measure searches and answers on data sets",
        "quipu eval sets/xquad --answers 20 --pairs es\\>en,en\\>es --json before.json\n"
        "  quipu eval --compare before.json after.json",
    )
    evaluate.add_argument("datasets", nargs="*", type=Path, metavar="DATASET_DIR")
    evaluate.add_argument(
        "--answers",
        nargs="?",
        type=int,
        const=20,
        metavar="N",
        help="answer N questions of each pair of languages too; default: 20",
    )
    evaluate.add_argument("--pairs", metavar="PAIRS", help="only these: es>en,fr>en")
    evaluate.add_argument(
        "--legs", action="store_true", help="measure vectors alone and words alone, too"
    )
    evaluate.add_argument(
        "--closed-book", action="store_true", help="answer without documents, too"
    )
    evaluate.add_argument(
        "--baseline", choices=["llamaindex"], help="ask another system the same questions"
    )
    evaluate.add_argument(
        "--from-docs",
        nargs="+",
        metavar="DOC",
        help="write the data set first, with questions about these documents of the library",
    )
    evaluate.add_argument(
        "--questions", type=int, default=20, metavar="N", help="to write; default: 20"
    )
    evaluate.add_argument(
        "--languages", default="en,es,fr", metavar="CODES", help="of them; default: en,es,fr"
    )
    evaluate.add_argument(
        "--compare", nargs=2, type=Path, metavar="FILE", help="tell two results apart"
    )
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    _model_options(evaluate)
    _reranker_option(evaluate)


def _filter_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--doc-lang", metavar="CODES", help="only from documents in these languages: en,fr"
    )
    command.add_argument(
        "--pages", metavar="FIRST-LAST", help="only from these pages, as the file counts them"
    )
    command.add_argument(
        "--since", metavar="DATE", help="only from documents added on that day or later"
    )
    command.add_argument(
        "--until", metavar="DATE", help="only from documents added on that day or before"
    )


def _reranker_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--reranker",
        metavar="NAME",
        help='model that orders what a search found; default: the installed one; "none": none',
    )


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", metavar="NAME", help="chat model; default: the best that fits")
    command.add_argument(
        "--window", metavar="TOKENS", help='context to open: a number, or "full" for all of it'
    )
    command.add_argument(
        "--kv", choices=["f16", "q8_0"], help="type of the KV cache: q8_0 takes half the memory"
    )


if __name__ == "__main__":
    main()
