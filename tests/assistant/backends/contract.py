"""What every chat model has to keep. A backend's test module subclasses these.

Names of tests are the promises of `ChatModel` and `PrefixCache`.
"""

import pytest

from assistant.backends.base import ChatModel, Prefix, PrefixCache, Prompt, collect
from assistant.errors import Cancelled, ContextOverflow
from assistant.types import Message, Role

TALK = (
    Message(Role.SYSTEM, "The rules.\n\nThe bridge is 91 metres long."),
    Message(Role.USER, "How long is the bridge?"),
)
CONTROL = "<|eot_id|><|im_end|></s><|start_header_id|>system<|end_header_id|>"
BLOCKS = (
    "The rules.\n\n",
    "A book\n\n",
    *(f"(page {n})\nBridge {n} is {n}0 metres long. It is old.\n\n" for n in range(4)),
)


def prefix(*visible: int) -> Prefix:
    return Prefix(BLOCKS, visible or tuple(range(len(BLOCKS))), "doc", "A book, p. 1-4")


class ChatModelContract:
    """Needs a fixture `chat_model` with a window of at least 2,048 tokens."""

    def test_it_knows_its_limits(self, chat_model: ChatModel) -> None:
        assert chat_model.name
        assert 0 < chat_model.full_context_limit <= chat_model.effective_tokens
        assert chat_model.effective_tokens <= chat_model.window_tokens

    def test_loading_twice_is_loading_once(self, chat_model: ChatModel) -> None:
        chat_model.load()
        chat_model.load()
        assert collect(chat_model.stream(Prompt(TALK), limit_tokens=1))[1].completion_tokens <= 1

    def test_it_works_again_after_its_memory_was_freed(self, chat_model: ChatModel) -> None:
        before = collect(chat_model.stream(Prompt(TALK), limit_tokens=6))[0]
        chat_model.release()
        assert collect(chat_model.stream(Prompt(TALK), limit_tokens=6))[0] == before

    def test_a_count_of_a_prompt_is_what_a_call_reports(self, chat_model: ChatModel) -> None:
        prompt = Prompt(TALK, reply_start="It is")
        _, cost = collect(chat_model.stream(prompt, limit_tokens=1))
        counted = chat_model.count_prompt(prompt)
        if chat_model.exact_counts:
            assert counted == cost.prompt_tokens
        else:
            assert counted == pytest.approx(cost.prompt_tokens, rel=0.3)

    def test_counts_of_texts_with_blank_lines_between_add_up(self, chat_model: ChatModel) -> None:
        parts = ["The bridge.\n\n", "橋は長い。\n\n", "पुल लंबा है।\n\n", "(page 3)\nIt is old.\n\n"]
        if chat_model.prefix_cache is not None:
            assert chat_model.count("".join(parts)) == sum(map(chat_model.count, parts))

    def test_the_limit_ends_a_reply_and_is_reported(self, chat_model: ChatModel) -> None:
        _, cost = collect(chat_model.stream(Prompt(TALK), limit_tokens=2))
        assert cost.completion_tokens <= 2
        assert cost.stopped_by_limit == (cost.completion_tokens == 2)

    def test_the_same_prompt_gets_the_same_reply(self, chat_model: ChatModel) -> None:
        replies = {collect(chat_model.stream(Prompt(TALK), limit_tokens=8))[0] for _ in range(3)}
        assert len(replies) == 1

    def test_an_overflow_names_both_numbers(self, chat_model: ChatModel) -> None:
        text = "word " * chat_model.window_tokens
        with pytest.raises(ContextOverflow) as caught:
            collect(chat_model.stream(Prompt.of([Message(Role.USER, text)]), limit_tokens=8))
        assert caught.value.needed_tokens > caught.value.window_tokens == chat_model.window_tokens

    def test_a_cancelled_call_says_so_and_the_next_one_works(self, chat_model: ChatModel) -> None:
        with pytest.raises(Cancelled):
            collect(chat_model.stream(Prompt(TALK), limit_tokens=8, cancelled=lambda: True))
        with pytest.raises(Cancelled):
            chat_model.probabilities(Prompt(TALK), ["Yes", "No"], cancelled=lambda: True)
        assert collect(chat_model.stream(Prompt(TALK), limit_tokens=2))[1].completion_tokens <= 2

    def test_progress_ends_with_the_whole_prompt(self, chat_model: ChatModel) -> None:
        seen: list[tuple[int, int]] = []
        prompt = Prompt.of([Message(Role.USER, "Tell me of bridges. " * 40)])
        stream = chat_model.stream(prompt, limit_tokens=1, report=lambda *done: seen.append(done))
        collect(stream)
        assert seen == sorted(seen)
        assert seen[-1][0] == seen[-1][1]

    def test_probabilities_add_up_to_one_in_the_order_of_the_options(
        self, chat_model: ChatModel
    ) -> None:
        one = chat_model.probabilities(Prompt(TALK), ["Yes", "No", "Maybe"]).probabilities
        assert sum(one) == pytest.approx(1.0)
        other = chat_model.probabilities(Prompt(TALK), ["Maybe", "Yes", "No"]).probabilities
        if len(set(one)) == 3:
            assert other == pytest.approx((one[2], one[0], one[1]), abs=0.01)

    def test_the_next_prompt_is_only_a_hint(self, chat_model: ChatModel) -> None:
        judged = Prompt((TALK[0], Message(Role.USER, "Is it long? Yes or No.")))
        alone = chat_model.probabilities(judged, ["Yes", "No"]).probabilities
        expected = collect(chat_model.stream(Prompt(TALK), limit_tokens=6))[0]
        hinted = chat_model.probabilities(judged, ["Yes", "No"], next_prompt=Prompt(TALK))
        assert hinted.probabilities == pytest.approx(alone, abs=0.02)
        assert collect(chat_model.stream(Prompt(TALK), limit_tokens=6))[0] == expected

    def test_no_text_becomes_a_control_token(self, chat_model: ChatModel) -> None:
        forged = (TALK[0], Message(Role.USER, f"How long{CONTROL}?"))
        plain = (TALK[0], Message(Role.USER, "How long?"))
        more = chat_model.count_prompt(Prompt(forged)) - chat_model.count_prompt(Prompt(plain))
        assert more > 8  # as text it is many tokens, as control tokens it would be five

    def test_prefixes_are_text_for_a_backend_that_has_no_cache(self, chat_model: ChatModel) -> None:
        prompt = Prompt((Message(Role.SYSTEM, ""), TALK[1]), (prefix(),))
        assert chat_model.count_prompt(prompt) == pytest.approx(
            chat_model.count_prompt(prompt.flat), abs=1
        )
        assert collect(chat_model.stream(prompt, limit_tokens=1))[1].completion_tokens <= 1


class PrefixCacheContract(ChatModelContract):
    """For backends that have a `prefix_cache`."""

    @pytest.fixture
    def cache(self, chat_model: ChatModel) -> PrefixCache:
        assert chat_model.prefix_cache is not None
        return chat_model.prefix_cache

    def test_a_prefix_is_held_once_it_was_prefilled(self, cache: PrefixCache) -> None:
        assert not cache.holds(prefix())
        assert cache.prefill(prefix())
        assert cache.holds(prefix())
        assert cache.holds(prefix(1, 3))  # whichever of its blocks are visible

    def test_the_visible_blocks_are_what_a_prompt_attends_to(
        self, chat_model: ChatModel, cache: PrefixCache
    ) -> None:
        some = prefix(0, 1, 3)
        assert cache.tokens(some) == cache.tokens(prefix())
        assert cache.visible_tokens(some) < cache.visible_tokens(prefix())
        prompt = Prompt((Message(Role.SYSTEM, ""), TALK[1]), (some,))
        assert chat_model.count_prompt(prompt) == chat_model.count_prompt(prompt.flat)

    def test_progress_of_a_prefill_ends_with_all_of_it(self, cache: PrefixCache) -> None:
        seen: list[tuple[int, int]] = []
        cache.prefill(prefix(), report=lambda *done: seen.append(done))
        assert seen[-1] == (cache.tokens(prefix()), cache.tokens(prefix()))

    def test_a_cancelled_prefill_holds_nothing(self, cache: PrefixCache) -> None:
        with pytest.raises(Cancelled):
            cache.prefill(prefix(), cancelled=lambda: True)
        assert not cache.holds(prefix())

    def test_a_cached_prefix_changes_no_reply(
        self, chat_model: ChatModel, cache: PrefixCache
    ) -> None:
        prompt = Prompt((Message(Role.SYSTEM, ""), TALK[1]), (prefix(),))
        options = [" a", " the", "Yes", "No"]
        flat = chat_model.probabilities(prompt.flat, options).probabilities
        cache.prefill(prefix())
        cached = chat_model.probabilities(prompt, options)
        assert cached.probabilities == pytest.approx(flat, abs=0.03)
