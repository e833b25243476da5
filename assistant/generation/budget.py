"""How the tokens of the context window are divided, and how long an answer takes. Pure.

Nothing is cut silently: what does not fit is listed in the plan, whose ledger is counted once,
from the prompt as it will be.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.backends.base import PrefixCache, Prompt, Throughput, TokenCounter
from assistant.errors import ContextOverflow
from assistant.generation.prompts import (
    ANSWERABLE,
    RULES,
    ask_prompt,
    passage_text,
    question_text,
)
from assistant.types import BUDGET_S, ContextMode, ContextPlan, Message, Passage, Query

ANSWER_TOKENS: Final = 320  # four sentences in the languages that need the most tokens
PASSAGE_SHARE: Final = 0.18  # of the effective window; four passages of 8,192 tokens
LEAST_TOKENS: Final = 400  # of passages, however slow the model is: one passage
HISTORY_SHARE: Final = 0.25  # of the window, for the conversation at most
SEPARATOR_TOKENS: Final = 2  # between two passages, at most


@dataclass(frozen=True)
class Limits:
    """What an answer may take, in tokens.

    Attributes:
        window: of prompt and answer together.
        passages: of all passages.
        fresh: of the passages that have to be prefilled now.
    """

    window: int
    passages: int
    fresh: int

    @classmethod
    def of(cls, window: int, throughput: Throughput | None, budget_s: float = BUDGET_S) -> "Limits":
        """Return the limits for an effective window and the seconds until the first token."""
        passages = max(LEAST_TOKENS, int(window * PASSAGE_SHARE))
        fresh = throughput.prefill_tokens(budget_s) if throughput else passages
        return cls(window, passages, max(LEAST_TOKENS, min(passages, fresh)))


@dataclass(frozen=True)
class Selection:
    """What fits of passages and conversation.

    Attributes:
        passages: numbered from 1, in document order.
        history: the last turns, whole exchanges.
        left_out: passages for which there was no room.
    """

    passages: tuple[Passage, ...]
    history: tuple[Message, ...]
    left_out: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class PackedContext:
    """A plan with the prompt that carries it out.

    Attributes:
        prompt: asks for the answer.
        passages: what the answer may cite, numbered.
    """

    plan: ContextPlan
    prompt: Prompt
    passages: tuple[Passage, ...] = ()


def select(
    query: Query,
    candidates: Sequence[Passage],
    *,
    counter: TokenCounter,
    limits: Limits,
    cached: Collection[Passage] = (),
) -> Selection:
    """Return the best of the candidates that fit beside the question.

    Args:
        candidates: best first.
        cached: those of them that need no prefill.

    Raises:
        ContextOverflow: not even one of the candidates fits.
    """
    window = limits.window
    empty = counter.count_prompt(ask_prompt(query, ""))
    free = window - empty - ANSWER_TOKENS
    costs = [_cost(passage, len(candidates), counter) for passage in candidates]
    least = min(costs, default=0)
    if free < least:
        raise ContextOverflow(needed_tokens=window - free + least, window_tokens=window)
    # The conversation never takes the room of the last passage.
    talk = min(free - least, int(window * HISTORY_SHARE))
    turns, used = _fitting_turns(query, talk, empty, counter)
    room = max(least, min(limits.passages, free - used))
    fresh = [passage not in cached for passage in candidates]
    taken = _fitting_passages(candidates, costs, fresh, room, max(least, limits.fresh))
    return Selection(
        passages=numbered(taken),
        history=tuple(turns),
        left_out=tuple(passage for passage in candidates if passage not in taken),
    )


def plan(
    query: Query,
    prompt: Prompt,
    selection: Selection,
    *,
    counter: TokenCounter,
    cache: PrefixCache | None,
    throughput: Throughput | None,
    window: int,
    text: str,
) -> ContextPlan:
    """Return the plan of a prompt, with its exact ledger; mode and reason are the defaults.

    Args:
        text: what of the documents has to be prefilled.
    """
    cached = sum(map(cache.visible_tokens, prompt.prefixes)) if cache else 0
    total = counter.count_prompt(prompt)
    documents = counter.count(text) + (cached - counter.count(RULES) if cached else 0)
    conversation = sum(counter.count(turn.text) for turn in selection.history)
    question = counter.count(question_text(query.question, query.language))
    pages = _pages(selection.passages)
    return ContextPlan(
        mode=ContextMode.PACKED,
        window=window,
        ledger={
            "rules": total - documents - conversation - question,
            "documents": documents,
            "conversation": conversation,
            "question": question,
            "answer": ANSWER_TOKENS,
        },
        pages_read=pages,
        pages_left_out=tuple(page for page in _pages(selection.left_out) if page not in pages),
        page_tokens=_page_tokens(selection.passages, counter),
        kept_tokens=cached,
        turns_left_out=len(query.history) - len(selection.history),
        predicted_s=_predicted(total - cached + counter.count(ANSWERABLE), cached, throughput),
    )


def estimate(
    empty: ContextPlan, tokens: int, later_s: float, throughput: Throughput | None
) -> ContextPlan:
    """Return the plan of notes that are not written yet, from the plan without any.

    Args:
        tokens: of all notes.
        later_s: seconds that writing them takes.
    """
    predicted = empty.predicted_s
    if predicted is not None and throughput is not None:
        predicted += throughput.prefill_time(tokens) + later_s
    return replace(
        empty,
        mode=ContextMode.HIERARCHICAL,
        ledger={**empty.ledger, "documents": tokens},
        predicted_s=predicted,
    )


def fitting_notes(plan: ContextPlan, notes: Sequence[str], counter: TokenCounter) -> str:
    """Return the notes that fit, as one text.

    Args:
        plan: of the question without notes.
        notes: of one section each.

    Raises:
        ContextOverflow: not even one of the notes fits.
    """
    free = plan.window - sum(plan.ledger.values()) + plan.ledger["documents"]
    taken: list[str] = []
    for note in notes:
        if counter.count("\n\n".join([*taken, note])) <= free:
            taken.append(note)
    if not taken:
        raise ContextOverflow(
            needed_tokens=plan.window - free + counter.count(notes[0]), window_tokens=plan.window
        )
    return "\n\n".join(taken)


def numbered(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Return the passages numbered: documents by their best passage, each in reading order."""
    best = {p.document.id: rank for rank, p in reversed(list(enumerate(passages)))}
    ordered = sorted(passages, key=lambda p: (best[p.document.id], p.chunk.ordinal))
    return tuple(replace(passage, number=number) for number, passage in enumerate(ordered, 1))


def _predicted(fresh: int, cached: int, throughput: Throughput | None) -> float | None:
    """Return the seconds until the first token of an answer."""
    if throughput is None:
        return None
    prefill = throughput.prefill_time(fresh, depth=cached)
    return cached * throughput.restore_s + prefill + throughput.decode_s


def _fitting_turns(
    query: Query, limit: int, empty: int, counter: TokenCounter
) -> tuple[list[Message], int]:
    """Return the last whole exchanges of question and reply that fit, and their tokens.

    Args:
        empty: tokens of the prompt without any.
    """
    history = query.history
    exchanges = [history[i : i + 2] for i in range(0, len(history) - 1, 2)]
    kept: list[Message] = []
    used = 0
    for exchange in reversed(exchanges):
        cost = counter.count_prompt(ask_prompt(query, "", exchange)) - empty
        if used + cost > limit:
            break
        kept = [*exchange, *kept]
        used += cost
    return kept, used


def _cost(passage: Passage, most: int, counter: TokenCounter) -> int:
    """Return the tokens of a passage with a number up to `most`."""
    return counter.count(passage_text(replace(passage, number=most))) + SEPARATOR_TOKENS


def _fitting_passages(
    candidates: Sequence[Passage],
    costs: Sequence[int],
    fresh: Sequence[bool],
    room: int,
    fresh_room: int,
) -> list[Passage]:
    """Return the best candidates that fit into both rooms."""
    taken: list[Passage] = []
    used = prefilled = 0
    for passage, cost, new in zip(candidates, costs, fresh, strict=True):
        if used + cost > room or (new and prefilled + cost > fresh_room):
            continue
        taken.append(passage)
        used += cost
        prefilled += cost * new
    return taken


def _pages(passages: Sequence[Passage]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted({(p.document.id, page) for p in passages for page in p.chunk.pages}))


def _page_tokens(
    passages: Sequence[Passage], counter: TokenCounter
) -> tuple[tuple[str, int, int], ...]:
    """Return the tokens given of each page; a passage's first page has its head, too."""
    tokens: dict[tuple[str, int], int] = {}
    for passage in passages:
        chunk, left = passage.chunk, counter.count(passage_text(passage))
        for start, page in reversed(chunk.page_starts):
            part = counter.count(chunk.text[start:]) if start else left
            chunk = replace(chunk, text=chunk.text[:start])
            key = (passage.document.id, page)
            tokens[key] = tokens.get(key, 0) + min(part, left)
            left -= min(part, left)
    return tuple((document, page, n) for (document, page), n in sorted(tokens.items()))
