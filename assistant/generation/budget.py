"""Who gets how many tokens of the window, and how long it takes. Pure: counts in, a plan out.

Nothing is cut silently: what there is no room for is listed in the plan.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.backends.base import Count, Prefix, Throughput
from assistant.errors import ContextOverflow
from assistant.generation.prompts import (
    ANSWERABLE,
    RULES,
    passage_text,
    passages_text,
    question_text,
)
from assistant.types import BUDGET_S, ContextMode, ContextPlan, Message, Passage

ANSWER_TOKENS: Final = 320  # four sentences in the languages that need the most tokens
PASSAGE_SHARE: Final = 0.18  # of the window that a model reads well; four passages of 8,192
LEAST_TOKENS: Final = 400  # of passages, however slow the model is: one passage
HISTORY_SHARE: Final = 0.25  # of the window, for the conversation at most
TEMPLATE_TOKENS: Final = 24  # that a chat template puts round one message; Llama 3.1: 37 for two


@dataclass(frozen=True)
class Limits:
    """What an answer may take, in tokens.

    Attributes:
        window: of prompt and answer together.
        passages: of all passages.
        fresh: of the passages that have to be read now.
    """

    window: int
    passages: int
    fresh: int

    @classmethod
    def of(cls, window: int, speeds: Throughput | None, budget_s: float = BUDGET_S) -> "Limits":
        """Return the limits for a window that is read well, and for the time there is."""
        passages = max(LEAST_TOKENS, int(window * PASSAGE_SHARE))
        fresh = speeds.readable(budget_s) if speeds else passages
        return cls(window, passages, max(LEAST_TOKENS, min(passages, fresh)))


@dataclass(frozen=True)
class PackedContext:
    """The plan with what it is for: numbered passages and the turns that fit.

    Attributes:
        readings: what the model read before of the passages, as it is still seen.
        fresh: the passages it has to read now.
        notes: what it reads in the place of passages, which are there to be cited.
    """

    plan: ContextPlan
    passages: tuple[Passage, ...]
    history: tuple[Message, ...]
    fresh: tuple[Passage, ...] = ()
    readings: tuple[Prefix, ...] = ()
    notes: str = ""

    @property
    def text(self) -> str:
        """What the model reads now of the documents."""
        return self.notes or passages_text(self.fresh)

    def recalled(
        self, readings: Sequence[Prefix], fresh: Sequence[Passage], count: Count
    ) -> "PackedContext":
        """Return the same passages, some of them as they were read before."""
        if not readings:
            return self
        seen = sum(reading.seen_tokens for reading in readings)
        rules = count(RULES)  # which the first of the readings begins with
        ledger = {
            **self.plan.ledger,
            "rules": rules + 2 * TEMPLATE_TOKENS,
            "documents": seen - rules + count(passages_text(fresh)),
        }
        plan = replace(self.plan, ledger=ledger, kept_tokens=seen)
        return replace(self, plan=plan, readings=tuple(readings), fresh=tuple(fresh))

    def timed(self, speeds: Throughput | None, count: Count) -> "PackedContext":
        """Return the same with the seconds it takes until the first word."""
        if speeds is None:
            return self
        kept, ledger = self.plan.kept_tokens, self.plan.ledger
        new = sum(ledger.values()) - ledger["answer"] - kept + count(ANSWERABLE)
        seconds = kept * speeds.restore_s + speeds.reading(new, depth=kept) + speeds.write_s
        return replace(self, plan=replace(self.plan, predicted_s=seconds))

    def later(self, seconds: float) -> "PackedContext":
        """Return the same with so much more time until the first word."""
        if self.plan.predicted_s is None:
            return self
        return replace(self, plan=replace(self.plan, predicted_s=self.plan.predicted_s + seconds))

    def counted(self, prompt_tokens: int, count: Count) -> "PackedContext":
        """Return the same with the ledger made exact: what is nobody else's is the rules'."""
        ledger = dict(self.plan.ledger)
        ledger["conversation"] = sum(count(turn.text) for turn in self.history)
        others = ledger["documents"] + ledger["conversation"] + ledger["question"]
        ledger["rules"] = prompt_tokens - others
        return replace(self, plan=replace(self.plan, ledger=ledger))


def pack(
    question: str,
    language: str,
    candidates: Sequence[Passage],
    history: Sequence[Message],
    *,
    count: Count,
    limits: Limits,
    kept: Collection[Passage] = (),
) -> PackedContext:
    """Return the best of the candidates that fit, in document order and numbered from 1.

    Args:
        candidates: best first.
        kept: those of them that need not be read.

    Raises:
        ContextOverflow: not even one of the candidates fits beside the question.
    """
    window = limits.window
    rules = count(RULES) + 2 * TEMPLATE_TOKENS
    asking = count(question_text(question, language))
    free = window - rules - asking - ANSWER_TOKENS
    costs = [_cost(passage, len(candidates), count) for passage in candidates]
    least = min(costs, default=0)
    if free < least:
        raise ContextOverflow(needed_tokens=window - free + least, window_tokens=window)
    # The conversation never takes the place of the last passage.
    turns = _fitting_turns(history, min(free - least, int(window * HISTORY_SHARE)), count)
    talk = sum(count(turn.text) + TEMPLATE_TOKENS for turn in turns)
    room = max(least, min(limits.passages, free - talk))
    fresh = [passage not in kept for passage in candidates]
    taken, used = _fitting_passages(candidates, costs, fresh, room, max(least, limits.fresh))
    passages = tuple(_in_reading_order(taken))
    left_out = [passage for passage in candidates if passage not in taken]
    return PackedContext(
        plan=ContextPlan(
            mode=ContextMode.PACKED,
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
            page_tokens=_page_tokens(passages, count),
            turns_left_out=len(history) - len(turns),
        ),
        passages=passages,
        history=tuple(turns),
        fresh=passages,
    )


def noted(
    packing: PackedContext, notes: Sequence[str], cited: Sequence[Passage], count: Count
) -> PackedContext:
    """Return the packing of a question that is answered from notes.

    Args:
        notes: of one section each; those that do not fit are left out.
        cited: what stands behind them.

    Raises:
        ContextOverflow: not even one of the notes fits.
    """
    ledger = packing.plan.ledger
    free = packing.plan.window - sum(ledger.values()) + ledger["documents"]
    taken: list[str] = []
    for note in notes:
        if count("\n\n".join([*taken, note])) <= free:
            taken.append(note)
    if not taken:
        window = packing.plan.window
        raise ContextOverflow(needed_tokens=window - free + count(notes[0]), window_tokens=window)
    text = "\n\n".join(taken)
    passages = tuple(_in_reading_order(cited))
    plan = replace(
        packing.plan,
        ledger={**ledger, "documents": count(text)},
        pages_read=_pages(passages),
        page_tokens=(),
    )
    return replace(packing, plan=plan, passages=passages, notes=text)


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
    candidates: Sequence[Passage],
    costs: Sequence[int],
    fresh: Sequence[bool],
    room: int,
    fresh_room: int,
) -> tuple[list[Passage], int]:
    """Return the best candidates that fit into both rooms, and their tokens."""
    taken: list[Passage] = []
    used = read = 0
    for passage, cost, new in zip(candidates, costs, fresh, strict=True):
        if used + cost > room or (new and read + cost > fresh_room):
            continue
        taken.append(passage)
        used += cost
        read += cost * new
    return taken, used


def _in_reading_order(passages: Sequence[Passage]) -> list[Passage]:
    """Number the passages: documents by their best passage, within one as the text runs."""
    best = {p.document.id: rank for rank, p in reversed(list(enumerate(passages)))}
    ordered = sorted(passages, key=lambda p: (best[p.document.id], p.chunk.ordinal))
    return [replace(passage, number=number) for number, passage in enumerate(ordered, start=1)]


def _pages(passages: Sequence[Passage]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted({(p.document.id, page) for p in passages for page in p.chunk.pages}))


def _page_tokens(passages: Sequence[Passage], count: Count) -> tuple[tuple[str, int, int], ...]:
    """Return the tokens given of each page; a passage's first page has what stands round it."""
    tokens: dict[tuple[str, int], int] = {}
    for passage in passages:
        chunk, left = passage.chunk, count(passage_text(passage))
        for start, page in reversed(chunk.page_starts):
            part = count(chunk.text[start:]) if start else left
            chunk = replace(chunk, text=chunk.text[:start])
            key = (passage.document.id, page)
            tokens[key] = tokens.get(key, 0) + min(part, left)
            left -= min(part, left)
    return tuple((document, page, n) for (document, page), n in sorted(tokens.items()))
