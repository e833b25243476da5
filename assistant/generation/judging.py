"""A model as a judge: yes or no, a choice or a score, from the probabilities of its first token.

Also the thresholds, each calibrated for one question. Knows no documents and no prompts' words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from assistant.backends.base import ChatModel, Choice, PrefillReport, Prompt
from assistant.streams import IsCancelled, never

YES_NO: Final = ("Yes", "No")
LEVELS: Final = ("1", "2", "3", "4", "5")


@dataclass(frozen=True)
class Criterion:
    """A yes/no question to a model, and the probability from which its yes counts.

    Attributes:
        threshold: of yes against no, 0 to 1.
    """

    name: str
    threshold: float

    def met(self, probability: float) -> bool:
        """Tell whether so likely a yes counts as yes."""
        return probability >= self.threshold


# Where each threshold comes from stands in docs/quality.md.
ANSWERABLE: Final = Criterion("the passages state the answer", 0.4)
ANSWERABLE_ALONE: Final = Criterion("a single page states the answer", 0.5)
TEXT_ON_TOPIC: Final = Criterion("a text is about a topic", 0.3)
POINT_ON_TOPIC: Final = Criterion("a statement is about a topic", 0.5)
SAME_STATEMENT: Final = Criterion("two statements say the same", 0.5)


class Judge:
    """Asks a chat model questions with few possible answers."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def yes(
        self,
        prompt: Prompt,
        *,
        next_prompt: Prompt | None = None,
        cancelled: IsCancelled = never,
        report: PrefillReport | None = None,
    ) -> Choice:
        """Return the probabilities of yes and no, in this order.

        Raises: as `ChatModel.stream`.
        """
        return self._model.probabilities(
            prompt, YES_NO, next_prompt=next_prompt, cancelled=cancelled, report=report
        )

    def choice(
        self, prompt: Prompt, options: Sequence[str], *, cancelled: IsCancelled = never
    ) -> int:
        """Return the index of the most likely option.

        Raises: as `ChatModel.stream`.
        """
        found = self._model.probabilities(prompt, options, cancelled=cancelled).probabilities
        return max(range(len(options)), key=found.__getitem__)

    def score(self, prompt: Prompt, *, cancelled: IsCancelled = never) -> float:
        """Return the expected grade from 1 to 5: levels weighted by their probabilities.

        Raises: as `ChatModel.stream`.
        """
        found = self._model.probabilities(prompt, LEVELS, cancelled=cancelled).probabilities
        return sum(int(level) * share for level, share in zip(LEVELS, found, strict=True))
