"""Chat templates laid out into pieces of template and content."""

import pytest

from assistant.backends.llama.templates import PromptPiece, render, render_plain
from assistant.types import Message, Role

SYSTEM, QUESTION = Message(Role.SYSTEM, "Rules."), Message(Role.USER, "Who?")
REPLY, NEXT = Message(Role.ASSISTANT, "Ana."), Message(Role.USER, "When?")

# As Meta publishes it with Llama 2 chat models.
LLAMA_2 = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ ' '  + content.strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}"
)
# As Mistral 7B Instruct v0.1 and Gemma: the first message must be the user's.
NO_SYSTEM = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}<{{ message['role'] }}>{{ message['content'] }}</{{ message['role'] }}>"
    "{% endfor %}<assistant>"
)


def text(pieces: list[PromptPiece]) -> str:
    return "".join(piece.text for piece in pieces)


def contents(pieces: list[PromptPiece]) -> list[str]:
    return [piece.text for piece in pieces if piece.is_content]


def test_llama_2_puts_the_system_text_into_the_first_turn() -> None:
    pieces = render(LLAMA_2, [SYSTEM, QUESTION], bos="<s>", eos="</s>")
    assert text(pieces) == "<s>[INST] <<SYS>>\nRules.\n<</SYS>>\n\nWho? [/INST]"
    assert contents(pieces) == ["Rules.", "Who?"]


def test_llama_2_without_system_text() -> None:
    pieces = render(LLAMA_2, [QUESTION], bos="<s>", eos="</s>")
    assert text(pieces) == "<s>[INST] Who? [/INST]"


def test_llama_2_closes_each_earlier_reply() -> None:
    pieces = render(LLAMA_2, [QUESTION, REPLY, NEXT], bos="<s>", eos="</s>")
    assert text(pieces) == "<s>[INST] Who? [/INST] Ana. </s><s>[INST] When? [/INST]"
    assert contents(pieces) == ["Who?", "Ana.", "When?"]


def test_a_template_that_refuses_the_system_role_gets_its_text_with_the_question() -> None:
    pieces = render(NO_SYSTEM, [SYSTEM, QUESTION, REPLY, NEXT])
    assert text(pieces) == (
        "<user>Rules.\n\nWho?</user><assistant>Ana.</assistant><user>When?</user><assistant>"
    )
    assert contents(pieces) == ["Rules.", "Who?", "Ana.", "When?"]


def test_a_template_that_drops_the_system_role_gets_its_text_with_the_question() -> None:
    only_users = (
        "{% for m in messages %}{% if m.role == 'user' %}U:{{ m.content }};{% endif %}{% endfor %}"
    )
    assert text(render(only_users, [SYSTEM, QUESTION])) == "U:Rules.\n\nWho?;"


def test_message_text_is_never_run_as_a_template() -> None:
    nasty = "{{ 7 * 7 }} {% for x in y %} \ue0001\ue001 <s>"
    pieces = render(NO_SYSTEM, [Message(Role.USER, nasty)])
    assert contents(pieces) == [nasty]


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    with pytest.raises(ValueError, match="template"):
        render("{{ ''.__class__.__mro__[1].__subclasses__() }}", [SYSTEM, QUESTION])


def test_templates_that_leave_a_loop_early_are_understood() -> None:
    template = "{% for m in messages %}{{ m.content }}{% break %}{% endfor %}"
    assert text(render(template, [QUESTION])) == "Who?"


def test_a_template_that_loses_a_message_is_refused() -> None:
    with pytest.raises(ValueError, match="drops a message"):
        render("{{ messages[-1].content }}", [SYSTEM, QUESTION, REPLY, NEXT])


def test_a_template_with_a_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be rendered"):
        render("{% for %}", [QUESTION])


def test_base_models_continue_a_plain_text() -> None:
    pieces = render_plain([SYSTEM, QUESTION, REPLY, NEXT])
    assert text(pieces) == "Rules.\n\nQuestion: Who?\n\nAnswer: Ana.\n\nQuestion: When?\n\nAnswer:"
    assert all(piece.is_content for piece in pieces)
