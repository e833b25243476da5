"""Renders a model's chat template into pieces, each marked as template or as content.

The template never sees a message's text: it is rendered with marks in the places of the texts and
cut at the marks. So the caller can turn template pieces into tokens with control tokens allowed
and contents without. The only import of jinja2. Knows nothing of tokenizers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assistant.types import Message, Role

MARK = re.compile("\ue000([0-9]+)\ue001")  # private use: no template holds these


@dataclass(frozen=True)
class PromptPiece:
    """Attributes:
    is_content: True for a message's own text, which must not become control tokens.
    """

    text: str
    is_content: bool


def render(
    template: str, messages: Sequence[Message], *, bos: str = "", eos: str = ""
) -> list[PromptPiece]:
    """Return the prompt in order, up to the place where the assistant's reply begins.

    A template that knows no system role gets that text at the head of the first user message.

    Raises:
        ValueError: the template cannot be rendered, or loses a message.
    """
    parts = [(message.role, [index]) for index, message in enumerate(messages)]
    try:
        rendered = _render(template, parts, bos, eos)
    except TemplateError:
        rendered = _render_again(template, parts, bos, eos)
    pieces = _cut(rendered, messages)
    if sum(piece.is_content for piece in pieces) != len(messages):
        rendered = _render_again(template, parts, bos, eos)
        pieces = _cut(rendered, messages)
    if sum(piece.is_content for piece in pieces) != len(messages):
        raise ValueError("the chat template drops a message")
    return pieces


def render_plain(messages: Sequence[Message]) -> list[PromptPiece]:
    """Return a completion prompt for a base model, which knows no roles."""
    pieces: list[PromptPiece] = []
    for message in messages:
        label = {Role.USER: "Question: ", Role.ASSISTANT: "Answer: "}.get(message.role, "")
        pieces.append(PromptPiece(f"{label}{message.text}\n\n", is_content=True))
    return [*pieces, PromptPiece("Answer:", is_content=True)]


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _raise
    return environment.from_string(template)


def _render(template: str, parts: list[tuple[Role, list[int]]], bos: str, eos: str) -> str:
    marked = [{"role": role.value, "content": _marks(indexes)} for role, indexes in parts]
    return _compiled(template).render(
        messages=marked, add_generation_prompt=True, bos_token=bos, eos_token=eos, tools=None
    )


def _render_again(template: str, parts: list[tuple[Role, list[int]]], bos: str, eos: str) -> str:
    """Render with the system text moved into the first user message."""
    if len(parts) < 2 or parts[0][0] is not Role.SYSTEM:
        raise ValueError("the chat template cannot be rendered")
    merged = [(parts[1][0], parts[0][1] + parts[1][1]), *parts[2:]]
    try:
        return _render(template, merged, bos, eos)
    except TemplateError as error:
        raise ValueError(f"the chat template cannot be rendered: {error}") from error


def _marks(indexes: list[int]) -> str:
    return "\n\n".join(f"\ue000{index}\ue001" for index in indexes)


def _raise(message: str) -> None:
    raise TemplateError(message)


def _cut(rendered: str, messages: Sequence[Message]) -> list[PromptPiece]:
    pieces, end = [], 0
    for mark in MARK.finditer(rendered):
        pieces.append(PromptPiece(rendered[end : mark.start()], is_content=False))
        pieces.append(PromptPiece(messages[int(mark[1])].text, is_content=True))
        end = mark.end()
    pieces.append(PromptPiece(rendered[end:], is_content=False))
    return [piece for piece in pieces if piece.text or piece.is_content]
