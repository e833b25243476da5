"""A model as a judge: what its probabilities mean, and where a yes counts."""

from collections.abc import Sequence
from typing import Any

import pytest

from assistant.backends.base import Choice, Generation, Prompt
from assistant.backends.fake import ScriptedModel
from assistant.generation import judging
from assistant.generation.judging import LEVELS, YES_NO, Criterion, Judge
from assistant.types import Message, Role

PROMPT = Prompt.of([Message(Role.USER, "Is it long?")])


class Sure(ScriptedModel):
    """Gives the probabilities it is told to give."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__("")
        self._found = probabilities
        self.options: list[Sequence[str]] = []

    def probabilities(self, prompt: Prompt, options: Sequence[str], **others: Any) -> Choice:
        self.options.append(options)
        return Choice(self._found, Generation(1, 0, 0, 0.0, 0.0))


def test_yes_comes_first() -> None:
    model = Sure(0.7, 0.3)
    assert Judge(model).yes(PROMPT).probabilities == (0.7, 0.3)
    assert model.options == [YES_NO]


def test_a_choice_is_the_most_likely_option() -> None:
    assert Judge(Sure(0.2, 0.5, 0.3)).choice(PROMPT, ["a", "b", "c"]) == 1


def test_a_score_is_the_expected_level() -> None:
    model = Sure(0.0, 0.0, 0.5, 0.25, 0.25)
    assert Judge(model).score(PROMPT) == pytest.approx(3.75)
    assert model.options == [LEVELS]


def test_a_yes_counts_from_its_threshold_on() -> None:
    criterion = Criterion("it is long", 0.4)
    assert [criterion.met(p) for p in (0.39, 0.4, 1.0)] == [False, True, True]


def test_every_criterion_has_a_threshold_between_never_and_always() -> None:
    every = [value for value in vars(judging).values() if isinstance(value, Criterion)]
    assert len(every) >= 5
    assert all(0 < criterion.threshold < 1 for criterion in every)
