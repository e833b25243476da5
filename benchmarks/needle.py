"""Whether facts are found at every depth of a long document, in several languages.

    python benchmarks/needle.py [--tokens 4096 8192 16384 32768] [--mode whole packed]
    python benchmarks/needle.py --tokens 131072 --mode whole --model llama-3.1-8b --window full

The document is made up (`documents.py`): every chapter tells the same kinds of facts of another
town, so that each question has as many wrong answers beside it as there are chapters. `whole` lays
all of it before the model, `packed` the passages that the search finds, as they were read in their
sections. A question counts as answered when the reply holds the number or the name.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from documents import Fact, Report, report

from assistant.assistant import Assistant
from assistant.errors import ContextOverflow
from assistant.settings import Settings
from assistant.types import ContextMode, ContextOptions, Query
from assistant.wiring import chat_model, open_workspace
from ingest.indexing import add_documents

DEPTHS = 10
LANGUAGES = ("en", "es", "fr", "de")
FULL = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[4_096, 8_192, 16_384, 32_768])
    parser.add_argument("--mode", nargs="+", default=["packed", "whole"])
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    parser.add_argument("--model", default="starter")
    parser.add_argument("--window", default="")
    options = parser.parse_args()
    window = FULL if options.window == "full" else int(options.window or 0)
    print("  tokens mode    language  right, from the beginning to the end      of ten   seconds")
    for tokens in options.tokens:
        with TemporaryDirectory() as folder:
            settings = Settings(
                home=Path(folder), model=options.model, window_tokens=window or None
            )
            made, assistant = with_report(settings, tokens)
            for mode in map(ContextMode, options.mode):
                for language in options.languages:
                    print(line(assistant, made, tokens, mode, language), flush=True)


def with_report(settings: Settings, tokens: int) -> tuple[Report, Assistant]:
    made = report(tokens, chat_model(settings).count)
    path = settings.home / "report.md"
    path.write_text(made.text, encoding="utf-8")
    workspace = open_workspace(settings)
    add_documents(workspace, [path])
    return made, workspace.assistant


def line(assistant: Assistant, made: Report, tokens: int, mode: ContextMode, language: str) -> str:
    start = time.perf_counter()
    if mode is ContextMode.PACKED:
        list(assistant.prefill("report.md"))
    try:
        right = [answered(assistant, fact, mode, language) for fact in planted(made.facts)]
    except ContextOverflow as error:
        return f"{tokens:8} {mode.value:7} {language:9} {error}"
    marks = "  ".join("+" if found else "-" for found in right)
    took = time.perf_counter() - start
    return f"{tokens:8} {mode.value:7} {language:9} {marks:41} {sum(right):6} {took:9.0f}"


def planted(facts: Sequence[Fact]) -> Iterator[Fact]:
    """Yield a fact at each depth; of other kinds from one to the next."""
    for depth in range(DEPTHS):
        yield facts[round(depth * (len(facts) - 1) / (DEPTHS - 1))]


def answered(assistant: Assistant, fact: Fact, mode: ContextMode, language: str) -> bool:
    answer = assistant.answer(Query(fact.questions[language], context=ContextOptions(mode)))
    return fact.answer.lower() in answer.text.lower()


if __name__ == "__main__":
    main()
