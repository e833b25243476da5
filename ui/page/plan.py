"""The view of an answer's plan: what the model was given to read, as a chart and in lines."""

from typing import Final

import streamlit as st

from assistant.types import Answer, ContextPlan
from ui.page.evidence import AnswerPart, bar, plain
from ui.words import Words

COLOURS: Final = ("gray", "blue", "violet", "orange", "green")  # of the ledger's parts


def plan(words: Words, answer: Answer, titles: dict[str, str]) -> None:
    """Draw what the model was given to read, and what that took."""
    made = answer.plan
    st.caption(f"{words(f'plan.{made.mode}')} · {words(f'plan.{made.reason}')}")
    st.markdown(bar(_parts(words, made), made.window))
    lines = words.plan(made, titles)
    if made.predicted_s is not None:
        expected, real = words.duration(made.predicted_s), words.took(answer.timings.ttft_s)
        lines.append(words("plan.took", expected=expected, real=real))
    lines.append(words.timing(answer))
    lines.append(words("ask.verified", share=words.percent(answer.verified_share)))
    for line in lines:
        st.caption(plain(line))


def _parts(words: Words, made: ContextPlan) -> list[AnswerPart]:
    return [
        AnswerPart(f"{words(f'plan.{name}')} {words.number(tokens)}", tokens, colour)
        for (name, tokens), colour in zip(made.ledger.items(), COLOURS, strict=True)
    ]
