"""Who gets how many tokens of the window. Pure: counts come in, a plan comes out.

Nothing is cut silently: what there is no room for is listed in the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.errors import ContextOverflow
from assistant.prompting import RULES, passage_text, passages_text, question_text
from assistant.protocols import Count
from assistant.types import ContextMode, ContextPlan, Message, Passage, Reading

ANSWER_TOKENS: Final = 320  # four sentences in the languages that need the most tokens
PASSAGE_TOKENS: Final = 1_800  # read in under 20 s at 100 tokens a second, two laptop cores
HISTORY_SHARE: Final = 0.25  # of the window, for the conversation at most
TEMPLATE_TOKENS: Final = 24  # that a chat template puts round one message; Llama 3.1: 37 for two


@dataclass(frozen=True)
class Packing:
    """The plan with what it is for: numbered passages and the turns that fit.

    Attributes:
        readings: what the model read before of the passages, as it is still seen.
        fresh: the passages it has to read now.
    """

    plan: ContextPlan
    passages: tuple[Passage, ...]
    history: tuple[Message, ...]
    fresh: tuple[Passage, ...] = ()
    readings: tuple[Reading, ...] = ()

    def recalled(
        self, readings: Sequence[Reading], fresh: Sequence[Passage], count: Count
    ) -> "Packing":
        """Return the same passages, some of them as they were read before."""
        if not readings:
            return self
        seen = sum(reading.seen_tokens for reading in readings)
        ledger = {
            **self.plan.ledger,
            "rules": 2 * TEMPLATE_TOKENS,
            "documents": seen + count(passages_text(fresh)),
        }
        plan = replace(self.plan, mode=ContextMode.KEPT, ledger=ledger)
        return replace(self, plan=plan, readings=tuple(readings), fresh=tuple(fresh))


def pack(
    question: str,
    language: str,
    candidates: Sequence[Passage],
    history: Sequence[Message],
    *,
    count: Count,
    window: int,
    whole: bool = False,
) -> Packing:
    """Return the best of the candidates that fit, in document order and numbered from 1.

    Args:
        candidates: best first.
        window: tokens of prompt and answer together.
        whole: the candidates are all there is of the documents in question.

    Raises:
        ContextOverflow: not even one of the candidates fits beside the question.
    """
    rules = count(RULES) + 2 * TEMPLATE_TOKENS
    asking = count(question_text(question, language))
    free = window - rules - asking - ANSWER_TOKENS
    costs = [_cost(passage, len(candidates), count) for passage in candidates]
    least = min(costs, default=0)
    if free < least:
        raise ContextOverflow(window - free + least, window)
    # The conversation never takes the place of the last passage.
    turns = _fitting_turns(history, min(free - least, int(window * HISTORY_SHARE)), count)
    talk = sum(count(turn.text) + TEMPLATE_TOKENS for turn in turns)
    room = max(least, min(PASSAGE_TOKENS, free - talk))
    taken, used = _fitting_passages(candidates, costs, room)
    passages = tuple(_in_reading_order(taken))
    left_out = [passage for passage in candidates if passage not in taken]
    return Packing(
        plan=ContextPlan(
            mode=ContextMode.WHOLE if whole and not left_out else ContextMode.PACKED,
            window=window,
            ledger={
                "rules": rules,
                "documents": used,
                "conversation": talk,
                "question": asking,
                "answer": ANSWER_TOKENS,
            },
            pages_read=_pages(taken),
            pages_left_out=tuple(p for p in _pages(left_out) if p not in _pages(taken)),
        ),
        passages=passages,
        history=tuple(turns),
        fresh=passages,
    )


def _fitting_turns(history: Sequence[Message], limit: int, count: Count) -> list[Message]:
    """Return the last whole exchanges of question and reply that fit."""
    exchanges = [history[i : i + 2] for i in range(0, len(history) - 1, 2)]
    kept: list[Message] = []
    for exchange in reversed(exchanges):
        cost = sum(count(turn.text) + TEMPLATE_TOKENS for turn in exchange)
        if cost > limit:
            break
        kept = [*exchange, *kept]
        limit -= cost
    return kept


def _cost(passage: Passage, most: int, count: Count) -> int:
    """Return the tokens of a passage with a number up to `most` and the space behind it."""
    return count(passage_text(replace(passage, number=most))) + 2


def _fitting_passages(
    candidates: Sequence[Passage], costs: Sequence[int], room: int
) -> tuple[list[Passage], int]:
    """Return the best candidates that fit into `room`, and their tokens."""
    taken: list[Passage] = []
    used = 0
    for passage, cost in zip(candidates, costs, strict=True):
        if used + cost > room:
            continue
        taken.append(passage)
        used += cost
    return taken, used


def _in_reading_order(passages: Sequence[Passage]) -> list[Passage]:
    """Number the passages: documents by their best passage, within one as the text runs."""
    best = {p.document.id: rank for rank, p in reversed(list(enumerate(passages)))}
    ordered = sorted(passages, key=lambda p: (best[p.document.id], p.chunk.ordinal))
    return [replace(passage, number=number) for number, passage in enumerate(ordered, start=1)]


def _pages(passages: Sequence[Passage]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted({(p.document.id, page) for p in passages for page in p.chunk.pages}))
