"""The plan of the window: exact, complete, and nothing cut silently."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.backends.base import Prefix, Prompt, Throughput, TokenCounter
from assistant.backends.fake import ScriptedModel
from assistant.backends.llama.model import LlamaModel
from assistant.errors import ContextOverflow
from assistant.generation.budget import (
    ANSWER_TOKENS,
    LEAST_TOKENS,
    SEPARATOR_TOKENS,
    Limits,
    Selection,
    estimate,
    fitting_notes,
    plan,
    select,
)
from assistant.generation.prompts import RULES, ask_prompt, passage_text, passages_text
from assistant.types import ContextMode, ContextPlan, Message, Passage, Query, Role
from tests.assistant.passages import passage

WORDS = ScriptedModel("")
PASSAGE_TOKENS = 1800
LANGUAGES = ("en", "hi", "th", "zh")
ALPHABETS = st.sampled_from(["abc deñ. ", "橋は長い。", "الجسر طويل ", "पुल लंबा है। ", "สะพานยาว"])


@st.composite
def texts(draw: st.DrawFn, most: int = 400) -> str:
    alphabet = draw(ALPHABETS)
    return draw(st.text(alphabet, min_size=1, max_size=20)) * draw(st.integers(1, most // 20))


@st.composite
def candidates(draw: st.DrawFn) -> list[Passage]:
    found = draw(
        st.lists(
            st.tuples(texts(), st.sampled_from("ab"), st.integers(0, 30)),
            max_size=8,
            unique_by=lambda row: row[1:],
        )
    )
    return [
        passage(text, name=name, ordinal=ordinal, pages=((0, ordinal + 1), (5, ordinal + 2)))
        for text, name, ordinal in found
    ]


def limits(window: int) -> Limits:
    return Limits(window, passages=PASSAGE_TOKENS, fresh=PASSAGE_TOKENS)


def exchanges(*said: str) -> list[Message]:
    return [
        Message(role, f"{text} {role.value}")
        for text in said
        for role in (Role.USER, Role.ASSISTANT)
    ]


def chosen(
    question: str,
    found: list[Passage],
    history: list[Message],
    limits_: Limits,
    *,
    language: str = "en",
    counter: TokenCounter = WORDS,
    cached: list[Passage] | None = None,
) -> Selection:
    query = Query(question, language, history=tuple(history))
    return select(query, found, counter=counter, limits=limits_, cached=cached or ())


def planned(
    question: str,
    found: list[Passage],
    history: list[Message],
    window: int,
    *,
    language: str = "en",
    counter: TokenCounter = WORDS,
) -> tuple[Selection, ContextPlan, Prompt]:
    """Return what fits, its plan and its prompt, as `ContextBuilder` puts them together."""
    query = Query(question, language, history=tuple(history))
    selection = select(query, found, counter=counter, limits=limits(window))
    text = passages_text(selection.passages)
    prompt = ask_prompt(query, text, selection.history)
    made = plan(
        query,
        prompt,
        selection,
        counter=counter,
        cache=None,
        throughput=None,
        window=window,
        text=text,
    )
    return selection, made, prompt


@settings(deadline=None, max_examples=120)
@given(
    question=texts(),
    language=st.sampled_from(LANGUAGES),
    found=candidates(),
    said=st.lists(texts(), max_size=4),
    window=st.integers(400, 3000),
)
def test_a_plan_is_exact_never_exceeds_its_window_and_names_every_page(
    tokenizer: LlamaModel,
    question: str,
    language: str,
    found: list[Passage],
    said: list[str],
    window: int,
) -> None:
    history = exchanges(*said)
    try:
        selection, made, prompt = planned(
            question, found, history, window, language=language, counter=tokenizer
        )
    except ContextOverflow as error:
        assert error.needed_tokens > error.window_tokens == window  # said, not cut
        return
    assert list(made.ledger) == ["rules", "documents", "conversation", "question", "answer"]
    tokens = len(tokenizer.engine.encoder.prompt(prompt)[1])
    assert sum(made.ledger.values()) == tokens + ANSWER_TOKENS <= window
    assert min(made.ledger.values()) >= 0
    every = {(p.document.id, page) for p in found for page in p.chunk.pages}
    assert set(made.pages_read) | set(made.pages_left_out) == every
    assert not set(made.pages_read) & set(made.pages_left_out)
    given_pages = {(p.document.id, page) for p in selection.passages for page in p.chunk.pages}
    assert set(made.pages_read) == given_pages
    numbers = [p.number for p in selection.passages]
    assert numbers == list(range(1, len(selection.passages) + 1))
    assert list(selection.history) == history[len(history) - len(selection.history) :]
    assert len(selection.history) % 2 == 0


def test_passages_are_numbered_as_the_documents_run_the_better_document_first() -> None:
    found = [
        passage("b two", name="b", ordinal=2),
        passage("a nine", name="a", ordinal=9),
        passage("b one", name="b", ordinal=1),
        passage("a three", name="a", ordinal=3),
    ]
    packing = chosen("Why?", found, [], limits(8192))
    assert [(p.number, p.chunk.text) for p in packing.passages] == [
        *((1, "b one"), (2, "b two"), (3, "a three"), (4, "a nine"))
    ]


def test_the_oldest_exchanges_are_dropped_first() -> None:
    history = exchanges("first " * 100, "second " * 100, "third " * 100)
    packing = chosen("Why?", [], history, limits(2000))
    assert list(packing.history) == history[2:]


def test_an_exchange_is_kept_whole_or_not_at_all() -> None:
    history = [*exchanges("short"), Message(Role.USER, "long " * 900), Message(Role.ASSISTANT, "x")]
    assert chosen("Why?", [], history, limits(2000)).history == ()


def test_the_conversation_never_pushes_the_last_passage_out() -> None:
    history = exchanges("talk " * 60, "talk " * 60)
    found = [passage("fact " * 200)]
    _, alone, _ = planned("Why?", found, [], 8192)
    tight = sum(alone.ledger.values()) + SEPARATOR_TOKENS
    packing = chosen("Why?", found, history, limits(tight))
    assert (len(packing.passages), packing.history) == (1, ())


def test_a_passage_too_many_is_left_out_and_a_smaller_one_takes_its_room() -> None:
    found = [
        passage("one " * 1000, ordinal=0, pages=((0, 1),)),
        passage("two " * 1000, ordinal=1, pages=((0, 2),)),
        passage("three " * 100, ordinal=2, pages=((0, 3),)),
    ]
    _, plan, _ = planned("Why?", found, [], 8192)
    assert plan.pages_read == (("book", 1), ("book", 3))
    assert plan.pages_left_out == (("book", 2),)
    assert plan.ledger["documents"] <= PASSAGE_TOKENS


def test_a_question_that_fills_the_window_is_an_overflow_with_numbers() -> None:
    with pytest.raises(ContextOverflow) as caught:
        chosen("why " * 3000, [passage("fact")], [], limits(2048))
    assert caught.value.needed_tokens > 3000 + ANSWER_TOKENS
    assert caught.value.window_tokens == 2048


def test_what_need_not_be_read_is_taken_beyond_the_time_for_reading() -> None:
    found = [passage(f"{n} " * 500, ordinal=n, pages=((0, n + 1),)) for n in range(5)]
    tight = Limits(8192, passages=3000, fresh=600)
    fresh = chosen("Why?", found, [], tight)
    assert [p.chunk.ordinal for p in fresh.passages] == [0]
    kept = chosen("Why?", found, [], tight, cached=found[1:])
    assert [p.chunk.ordinal for p in kept.passages] == [0, 1, 2, 3, 4]


def test_a_slow_model_is_given_less_to_read_but_never_nothing() -> None:
    quick, slow = (Throughput(s, s / 2000, 0.1, 0.0) for s in (0.001, 0.05))
    assert Limits.of(8192, quick, 60.0) == Limits(8192, 1474, 1474)
    assert Limits.of(8192, None) == Limits(8192, 1474, 1474)
    assert LEAST_TOKENS < Limits.of(8192, slow, 60.0).fresh < 1200
    assert Limits.of(8192, slow, 1.0).fresh == LEAST_TOKENS


def test_a_time_is_predicted_from_what_is_prefilled_and_what_is_restored() -> None:
    throughput = Throughput(0.01, 0.0, 0.1, 0.0, restore_s=0.001)
    model = ScriptedModel("")
    query = Query("Why?", "en")
    selection = select(query, [passage("word " * 400)], counter=model, limits=limits(8192))
    text = passages_text(selection.passages)
    prefix = Prefix((f"{RULES}\n\n", text), (0, 1), "book")

    def predicted(prompt: Prompt, fresh: str, speed: Throughput | None) -> float | None:
        return plan(
            query,
            prompt,
            selection,
            counter=model,
            cache=model.prefix_cache,
            throughput=speed,
            window=8192,
            text=fresh,
        ).predicted_s

    fresh = predicted(ask_prompt(query, text), text, throughput)
    cached = predicted(ask_prompt(query, "", (), [prefix]), "", throughput)
    assert fresh is not None
    assert cached is not None
    tokens = model.visible_tokens(prefix)
    assert fresh - cached == pytest.approx(tokens * (0.01 - 0.001))
    assert predicted(ask_prompt(query, text), text, None) is None


def test_the_tokens_of_each_page_add_up_to_those_of_the_documents(
    tokenizer: LlamaModel,
) -> None:
    found = [
        passage("The bridge is old. It is long.", pages=((0, 3), (19, 4))),
        passage("It is of granite.", ordinal=1, pages=((0, 4),)),
    ]
    selection, made, _ = planned("Why?", found, [], 8192, counter=tokenizer)
    assert [page for _, page, _ in made.page_tokens] == [3, 4]
    total = sum(tokens for _, _, tokens in made.page_tokens)
    assert total == sum(tokenizer.count(passage_text(p)) for p in selection.passages)


def test_turns_that_do_not_fit_are_counted() -> None:
    history = exchanges("first " * 100, "second " * 100, "third " * 100)
    assert planned("Why?", [], history, 2000)[1].turns_left_out == 2


def test_notes_that_do_not_fit_are_left_out() -> None:
    _, empty, _ = planned("Why?", [], [], 1000)
    assert fitting_notes(empty, ["- It is old.", "- " + "long " * 2000], WORDS) == "- It is old."
    with pytest.raises(ContextOverflow):
        fitting_notes(empty, ["long " * 2000], WORDS)


def test_a_plan_of_notes_that_are_not_written_yet_is_an_estimate() -> None:
    _, empty, _ = planned("Why?", [], [], 1000)
    throughput = Throughput(0.01, 0.0, 0.1, 0.0)
    later = estimate(replace(empty, predicted_s=1.0), 300, 20.0, throughput)
    assert (later.mode, later.ledger["documents"]) == (ContextMode.HIERARCHICAL, 300)
    assert later.predicted_s == pytest.approx(1.0 + 3.0 + 20.0)
    assert estimate(empty, 300, 0.0, None).predicted_s is None
