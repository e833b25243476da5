"""Asks questions that lean on a conversation, and looks whether the search finds their passage.

    python benchmarks/follow_ups.py sample_docs benchmarks/questions/follow-ups.jsonl

A line is {"history": [question, reply, ...], "question", "alone", "answers"}: `alone` is the
question with all it takes from the conversation put in, and empty where it needs nothing. Prints
which questions were rewritten, and how often one of the first five passages holds an answer: asked
as it stands, as Quipu rewrites it, and as a person would. The library is a temporary one.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workspaces import temporary_workspace

from assistant.assistant import Assistant
from assistant.types import Message, Query, Role

FIRST = 5  # passages


@dataclass(frozen=True)
class Checked:
    """One question; the last three tell whether its passage was found."""

    leans: bool
    rewritten: bool
    as_it_stands: bool
    as_rewritten: bool
    as_a_person: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--model")
    options = parser.parse_args()
    lines = options.questions.read_text(encoding="utf-8").splitlines()
    with temporary_workspace(options.documents, options.model) as workspace:
        _print_sums([_ask(workspace.assistant, json.loads(line)) for line in lines])


def _ask(assistant: Assistant, line: dict[str, object]) -> Checked:
    question, alone = str(line["question"]), str(line["alone"])
    answers = _strings(line["answers"])
    roles = (Role.USER, Role.ASSISTANT)
    history = [Message(roles[n % 2], text) for n, text in enumerate(_strings(line["history"]))]
    rewritten = assistant.answer(Query(question, history=tuple(history))).searched_for
    print(f"{question} -> {rewritten if rewritten != question else '(as it stands)'}", flush=True)
    return Checked(
        leans=bool(alone),
        rewritten=rewritten != question,
        as_it_stands=_found(assistant, question, answers),
        as_rewritten=_found(assistant, rewritten, answers),
        as_a_person=_found(assistant, alone or question, answers),
    )


def _found(assistant: Assistant, question: str, answers: Iterable[str]) -> bool:
    texts = [" ".join(p.chunk.text.split()) for p in assistant.search(Query(question), limit=FIRST)]
    return any(answer in text for answer in answers for text in texts)


def _strings(value: object) -> list[str]:
    assert isinstance(value, list)
    return [" ".join(str(each).split()) for each in value]


def _print_sums(every: Sequence[Checked]) -> None:
    leaning = [one for one in every if one.leans]
    others = [one for one in every if not one.leans]
    print(
        f"rewritten: {sum(o.rewritten for o in leaning)} of {len(leaning)} that need it, ", end=""
    )
    print(f"{sum(o.rewritten for o in others)} of {len(others)} that do not")
    for name, group in (("that need it", leaning), ("that do not", others)):
        stands, ours, person = (
            sum(getattr(one, field) for one in group)
            for field in ("as_it_stands", "as_rewritten", "as_a_person")
        )
        print(
            f"found among the first {FIRST}, questions {name}: as they stand {stands}, "
            f"as Quipu rewrites them {ours}, as a person does {person}, of {len(group)}"
        )


if __name__ == "__main__":
    main()
