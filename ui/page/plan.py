"""What the model was given to read for an answer, as a picture of its window and in lines."""

from typing import Final

import streamlit as st

from assistant.types import Answer, ContextPlan
from ui.page.evidence import AnswerPart, bar, plain
from ui.page.words import Words
from ui.telling import by_document

COLOURS: Final = ("gray", "blue", "violet", "orange", "green")  # of the ledger's parts


def plan(words: Words, answer: Answer, titles: dict[str, str]) -> None:
    """Draw what the model was given to read, and what that took."""
    made, timings = answer.plan, answer.timings
    st.caption(f"{words(f'plan.{made.mode}')} · {words(f'plan.{made.reason}')}")
    st.markdown(bar(_parts(words, made), made.window))
    used = sum(made.ledger.values())
    lines = [words("plan.window", used=used, window=made.window)]
    if made.kept_tokens:
        lines.append(words("plan.kept", tokens=made.kept_tokens))
    for key, pages in (("plan.read", made.pages_read), ("plan.left_out", made.pages_left_out)):
        lines += [
            words(key, title=titles.get(document, "?"), pages=", ".join(map(str, numbers)))
            for document, numbers in by_document(pages).items()
        ]
    if made.turns_left_out:
        lines.append(words("plan.turns_left_out", turns=made.turns_left_out))
    if made.predicted_s is not None:
        expected, real = float(made.predicted_s), float(timings.ttft_s)
        lines.append(words("plan.time", expected=expected, real=real))
    lines.append(
        words(
            "ask.timing",
            model=answer.model,
            first=float(timings.ttft_s),
            read=timings.prompt_tokens,
            written=timings.completion_tokens,
        )
    )
    lines.append(words("ask.verified", share=round(100 * answer.verified_share)))
    for line in lines:
        st.caption(plain(line))


def _parts(words: Words, made: ContextPlan) -> list[AnswerPart]:
    return [
        AnswerPart(f"{words(f'plan.{name}')} {words.number(tokens)}", tokens, colour)
        for (name, tokens), colour in zip(made.ledger.items(), COLOURS, strict=True)
    ]
