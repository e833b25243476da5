"""Who gets how many tokens of the window. Pure: counts come in, a plan comes out.

Nothing is cut silently: what there is no room for is listed in the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.prompting import RULES, passage_text, question_text
from assistant.protocols import Count
from assistant.types import ContextMode, ContextPlan, Message, Passage

ANSWER_TOKENS: Final = 320  # four sentences in the languages that need the most tokens
PASSAGE_TOKENS: Final = 1_800  # read in under 20 s at 100 tokens a second, two laptop cores
HISTORY_SHARE: Final = 0.25  # of the window, for the conversation at most
TEMPLATE_TOKENS: Final = 16  # that a chat template puts round one message, at most


@dataclass(frozen=True)
class Packing:
    """The plan with what it is for: numbered passages and the turns that fit."""

    plan: ContextPlan
    passages: tuple[Passage, ...]
    history: tuple[Message, ...]


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
    """
    rules = count(RULES) + 2 * TEMPLATE_TOKENS
    asking = count(question_text(question, language))
    turns = _fitting_turns(history, int(window * HISTORY_SHARE), count)
    talk = sum(count(turn.text) + TEMPLATE_TOKENS for turn in turns)
    room = min(PASSAGE_TOKENS, window - rules - asking - talk - ANSWER_TOKENS)
    taken, used = _fitting_passages(candidates, room, count)
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
        passages=tuple(_in_reading_order(taken)),
        history=tuple(turns),
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


def _fitting_passages(
    candidates: Sequence[Passage], room: int, count: Count
) -> tuple[list[Passage], int]:
    """Return the leading candidates that fit into `room`, and their tokens."""
    taken: list[Passage] = []
    used = 0
    for passage in candidates:
        cost = count(passage_text(replace(passage, number=len(candidates)))) + 2
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
