"""Asks questions about one document and checks what can be checked without a judge.

    python benchmarks/cited_pages.py manual.pdf benchmarks/questions/debian-policy.jsonl

A line of the questions is {"lang", "question", "answers"}: the words that the page of the answer
holds in any one of the spellings given. Prints, for each question, whether the first cited page
and any cited page hold the answer, whether the reply is in the asked language, and the time to
the first word; then the sums. The library is a temporary one.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workspaces import temporary_workspace

from assistant.languages.detection import identify
from assistant.types import Answer, Query
from assistant.workspace import Workspace


@dataclass(frozen=True)
class Checked:
    """One answer, checked."""

    answer: Answer
    first_page: bool
    any_page: bool
    in_language: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--model")
    options = parser.parse_args()
    with temporary_workspace(options.document, options.model) as workspace:
        lines = options.questions.read_text(encoding="utf-8").splitlines()
        _print_sums([_ask(workspace, json.loads(line)) for line in lines])


def _ask(workspace: Workspace, line: dict[str, object]) -> Checked:
    answer = workspace.assistant.answer(Query(str(line["question"])))
    wanted = [_plain(str(text)) for text in line["answers"]]  # type: ignore[attr-defined]
    held = [_holds(workspace, c.document_id, c.page, wanted) for c in answer.citations]
    checked = Checked(answer, held[:1] == [True], any(held), identify(answer.text) == line["lang"])
    marks = " ".join(
        name if ok else f"NOT-{name}"
        for name, ok in (("first", checked.first_page), ("any", checked.any_page))
    )
    pages = [citation.page for citation in answer.citations]
    language = line["lang"] if checked.in_language else f"NOT-{line['lang']}"
    print(f"{marks} {language} {answer.timings.ttft_s:.1f}s p{pages} {line['question']}")
    print(f"    {answer.text}", flush=True)
    return checked


def _holds(workspace: Workspace, document: str, number: int, wanted: Sequence[str]) -> bool:
    pages = workspace.library.pages(document)
    text = next(_plain(page.text) for page in pages if page.number == number)
    return any(answer in text for answer in wanted)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _print_sums(checked: Sequence[Checked]) -> None:
    print(f"first cited page holds the answer  {sum(c.first_page for c in checked)}/{len(checked)}")
    print(f"any cited page holds the answer    {sum(c.any_page for c in checked)}/{len(checked)}")
    print(
        f"reply in the asked language        {sum(c.in_language for c in checked)}/{len(checked)}"
    )
    times = statistics.median(c.answer.timings.ttft_s for c in checked)
    rates = statistics.median(c.answer.timings.prefill_tokens_per_s for c in checked)
    print(f"median time to the first word      {times:.1f} s, reading {rates:.0f} tokens a second")


if __name__ == "__main__":
    main()
