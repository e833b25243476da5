"""`quipu eval`: search and answers measured on data sets. The work is in `ui.cli.evaluation`."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from typer import Argument, Option

from ui.cli import options, terminal
from ui.cli.grammar import WordedCommand

ANSWERS: Final = "20"  # questions of each pair that `--answers` alone asks
EXAMPLE: Final = """\
quipu eval sets/xquad --answers 20 --pairs "es>en,en>es" --json before.json
quipu eval --compare before.json after.json"""

app = options.group()


class EvaluationCommand(WordedCommand):
    """Takes `--answers` without a number, and several documents behind one `--from-docs`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))


def spread(arguments: list[str]) -> list[str]:
    """Return the arguments with one value behind each option."""
    told: list[str] = []
    option = ""
    for place, argument in enumerate(arguments):
        if argument.startswith("-"):
            option = argument
        elif option == "--from-docs" and told[-1] != option:
            told.append(option)
        told.append(argument)
        following = "".join(arguments[place + 1 : place + 2])
        if argument == "--answers" and not following.isdigit():
            told.append(ANSWERS)
    return told


@options.command(app, "eval", EXAMPLE, cls=EvaluationCommand)
def evaluate(
    datasets: Annotated[
        list[Path] | None, Argument(metavar="DATASET_DIR", help="options.datasets")
    ] = None,
    answers: Annotated[int, Option("--answers", metavar="N", help="options.answers")] = 0,
    pairs: Annotated[str, Option("--pairs", metavar="PAIRS", help="options.pairs")] = "",
    legs: Annotated[bool, Option("--legs", help="options.legs")] = False,
    closed_book: Annotated[bool, Option("--closed-book", help="options.closed_book")] = False,
    baseline: Annotated[
        Literal["llamaindex"] | None, Option("--baseline", help="options.baseline")
    ] = None,
    from_docs: Annotated[
        list[str] | None, Option("--from-docs", metavar="DOC", help="options.from_docs")
    ] = None,
    questions: Annotated[int, Option("--questions", metavar="N", help="options.questions")] = 20,
    languages: Annotated[
        str, Option("--languages", metavar="CODES", help="options.question_languages")
    ] = "en,es,fr",
    compare: Annotated[
        tuple[Path, Path] | None, Option("--compare", metavar="FILE FILE", help="options.compare")
    ] = None,
    json: Annotated[Path | None, Option("--json", metavar="FILE", help="options.results")] = None,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    reranker: options.Reranker = None,
) -> None:
    """Measure Quipu on data sets, or compare two results."""
    from ui.cli import evaluation

    if compare is not None:
        return evaluation.print_differences(*compare)
    wanted = evaluation.Measurement(
        answers=answers,
        pairs=tuple(pairs.split(",")) if pairs else (),
        legs=legs,
        closed_book=closed_book,
        baseline=baseline is not None,
    )
    settings = options.settings(model, window, kv, reranker=reranker)
    if from_docs:
        folder = evaluation.only_folder(datasets or [])
        evaluation.write(folder, from_docs, languages.split(","), questions, settings)
    evaluation.measure(datasets or [], wanted, settings, json)
    if json is not None:
        terminal.say("eval.results", path=str(json))
