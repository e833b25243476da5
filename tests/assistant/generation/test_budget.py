"""The plan of the window: exact, complete, and nothing cut silently."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.backends.base import Prefix, Throughput
from assistant.backends.fake import ScriptedModel
from assistant.backends.llama.model import LlamaModel
from assistant.errors import ContextOverflow
from assistant.generation.budget import (
    ANSWER_TOKENS,
    LEAST_TOKENS,
    Limits,
    PackedContext,
    noted,
    pack,
)
from assistant.generation.prompts import ask_messages, passage_text
from assistant.types import ContextMode, Message, Passage, Role
from tests.assistant.passages import passage

WORDS = ScriptedModel("").count
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


def check(
    question: str,
    language: str,
    found: list[Passage],
    history: list[Message],
    window: int,
    count: Callable[[str], int],
) -> None:
    try:
        packing = pack(question, language, found, history, count=count, limits=limits(window))
    except ContextOverflow as error:
        assert error.needed_tokens > error.window_tokens == window  # said, not cut
        return
    plan = packing.plan
    assert sum(plan.ledger.values()) <= window
    assert list(plan.ledger) == ["rules", "documents", "conversation", "question", "answer"]
    every = {(p.document.id, page) for p in found for page in p.chunk.pages}
    assert set(plan.pages_read) | set(plan.pages_left_out) == every
    assert not set(plan.pages_read) & set(plan.pages_left_out)
    given_pages = {(p.document.id, page) for p in packing.passages for page in p.chunk.pages}
    assert set(plan.pages_read) == given_pages
    assert [p.number for p in packing.passages] == list(range(1, len(packing.passages) + 1))
    assert list(packing.history) == history[len(history) - len(packing.history) :]
    assert len(packing.history) % 2 == 0


@settings(deadline=None, max_examples=120)
@given(
    question=texts(),
    language=st.sampled_from(LANGUAGES),
    found=candidates(),
    said=st.lists(texts(), max_size=4),
    window=st.integers(400, 3000),
)
def test_a_plan_never_exceeds_its_window_and_names_every_page(
    count: Callable[[str], int],
    question: str,
    language: str,
    found: list[Passage],
    said: list[str],
    window: int,
) -> None:
    check(question, language, found, exchanges(*said), window, count)


@settings(deadline=None, max_examples=40)
@given(found=candidates(), said=st.lists(texts(), max_size=4), window=st.integers(600, 3000))
def test_the_prompt_of_llama_3_is_within_what_the_plan_says(
    tokenizer: LlamaModel, found: list[Passage], said: list[str], window: int
) -> None:
    history = exchanges(*said)
    try:
        packing = pack("Why?", "es", found, history, count=tokenizer.count, limits=limits(window))
    except ContextOverflow:
        return
    messages = ask_messages("Why?", packing.text, "es", packing.history)
    prompt = tokenizer.encode(messages)
    assert len(prompt) + ANSWER_TOKENS <= sum(packing.plan.ledger.values()) <= window
    exact = packing.counted(len(prompt), tokenizer.count).plan.ledger
    assert sum(exact.values()) == len(prompt) + ANSWER_TOKENS
    assert min(exact.values()) >= 0


def test_passages_are_numbered_as_the_documents_run_the_better_document_first() -> None:
    found = [
        passage("b two", name="b", ordinal=2),
        passage("a nine", name="a", ordinal=9),
        passage("b one", name="b", ordinal=1),
        passage("a three", name="a", ordinal=3),
    ]
    packing = pack("Why?", "en", found, [], count=WORDS, limits=limits(8192))
    assert [(p.number, p.chunk.text) for p in packing.passages] == [
        *((1, "b one"), (2, "b two"), (3, "a three"), (4, "a nine"))
    ]


def test_the_oldest_exchanges_are_dropped_first() -> None:
    history = exchanges("first " * 100, "second " * 100, "third " * 100)
    packing = pack("Why?", "en", [], history, count=WORDS, limits=limits(2000))
    assert list(packing.history) == history[2:]


def test_an_exchange_is_kept_whole_or_not_at_all() -> None:
    history = [*exchanges("short"), Message(Role.USER, "long " * 900), Message(Role.ASSISTANT, "x")]
    assert pack("Why?", "en", [], history, count=WORDS, limits=limits(2000)).history == ()


def test_the_conversation_never_pushes_the_last_passage_out() -> None:
    history = exchanges("talk " * 60, "talk " * 60)
    found = [passage("fact " * 200)]
    alone = pack("Why?", "en", found, [], count=WORDS, limits=limits(8192)).plan
    tight = sum(alone.ledger.values())
    packing = pack("Why?", "en", found, history, count=WORDS, limits=limits(tight))
    assert (len(packing.passages), packing.history) == (1, ())


def test_a_passage_too_many_is_left_out_and_a_smaller_one_takes_its_room() -> None:
    found = [
        passage("one " * 1000, ordinal=0, pages=((0, 1),)),
        passage("two " * 1000, ordinal=1, pages=((0, 2),)),
        passage("three " * 100, ordinal=2, pages=((0, 3),)),
    ]
    plan = pack("Why?", "en", found, [], count=WORDS, limits=limits(8192)).plan
    assert plan.pages_read == (("book", 1), ("book", 3))
    assert plan.pages_left_out == (("book", 2),)
    assert plan.ledger["documents"] <= PASSAGE_TOKENS


def test_a_question_that_fills_the_window_is_an_overflow_with_numbers() -> None:
    with pytest.raises(ContextOverflow) as caught:
        pack("why " * 3000, "en", [passage("fact")], [], count=WORDS, limits=limits(2048))
    assert caught.value.needed_tokens > 3000 + ANSWER_TOKENS
    assert caught.value.window_tokens == 2048


def test_what_need_not_be_read_is_taken_beyond_the_time_for_reading() -> None:
    found = [passage(f"{n} " * 500, ordinal=n, pages=((0, n + 1),)) for n in range(5)]
    tight = Limits(8192, passages=3000, fresh=600)
    fresh = pack("Why?", "en", found, [], count=WORDS, limits=tight)
    assert [p.chunk.ordinal for p in fresh.passages] == [0]
    kept = pack("Why?", "en", found, [], count=WORDS, limits=tight, kept=found[1:])
    assert [p.chunk.ordinal for p in kept.passages] == [0, 1, 2, 3, 4]


def test_a_slow_model_is_given_less_to_read_but_never_nothing() -> None:
    quick, slow = (Throughput(s, s / 2000, 0.1, 0.0) for s in (0.001, 0.05))
    assert Limits.of(8192, quick, 60.0) == Limits(8192, 1474, 1474)
    assert Limits.of(8192, None) == Limits(8192, 1474, 1474)
    assert LEAST_TOKENS < Limits.of(8192, slow, 60.0).fresh < 1200
    assert Limits.of(8192, slow, 1.0).fresh == LEAST_TOKENS


def test_a_time_is_predicted_from_what_is_read_and_what_is_put_back() -> None:
    speeds = Throughput(0.01, 0.0, 0.1, 0.0, restore_s=0.001)
    packing = pack("Why?", "en", [passage("word " * 400)], [], count=WORDS, limits=limits(8192))
    fresh = packing.timed(speeds, WORDS).plan.predicted_s
    kept = packing.recalled([Prefix((1,) * 500, ((0, 450),), "book")], [], WORDS)
    recalled = kept.timed(speeds, WORDS).plan.predicted_s
    assert fresh is not None
    assert recalled is not None
    assert fresh - recalled == pytest.approx(0.01 * (fresh_tokens(packing) - 48) - 0.45, abs=0.2)
    assert packing.timed(None, WORDS).plan.predicted_s is None


def fresh_tokens(packing: PackedContext) -> int:
    return packing.plan.ledger["rules"] + packing.plan.ledger["documents"]


def test_the_tokens_of_each_page_add_up_to_those_of_the_documents(
    count: Callable[[str], int],
) -> None:
    found = [
        passage("The bridge is old. It is long.", pages=((0, 3), (19, 4))),
        passage("It is of granite.", ordinal=1, pages=((0, 4),)),
    ]
    packing = pack("Why?", "en", found, [], count=count, limits=limits(8192))
    plan = packing.plan
    assert [page for _, page, _ in plan.page_tokens] == [3, 4]
    total = sum(tokens for _, _, tokens in plan.page_tokens)
    assert total == sum(count(passage_text(p)) for p in packing.passages)


def test_turns_that_do_not_fit_are_counted() -> None:
    history = exchanges("first " * 100, "second " * 100, "third " * 100)
    assert (
        pack("Why?", "en", [], history, count=WORDS, limits=limits(2000)).plan.turns_left_out == 2
    )


def test_notes_that_do_not_fit_are_left_out_and_what_stands_behind_them_is_cited() -> None:
    packing = pack("Why?", "en", [], [], count=WORDS, limits=limits(1000))
    cited = [passage("The bridge is old.", ordinal=4, pages=((0, 5),))]
    planned = replace(packing, plan=replace(packing.plan, mode=ContextMode.HIERARCHICAL))
    full = noted(planned, ["- It is old.", "- " + "long " * 2000], cited, WORDS)
    assert full.text == "- It is old."
    assert full.plan.ledger["documents"] == WORDS("- It is old.")
    assert full.plan.pages_read == (("book", 5),)
    with pytest.raises(ContextOverflow):
        noted(planned, ["long " * 2000], cited, WORDS)
