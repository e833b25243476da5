"""Prompts and prefixes as token ids of one GGUF file. Knows no context and no cache.

Template pieces are tokenised with control tokens allowed, contents without: no text of a document,
question or conversation can become a control token.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

from assistant.backends.base import Prefix, Prompt
from assistant.backends.llama.templates import PromptPiece, render, render_plain
from assistant.backends.llama.weights import Tokens, Weights
from assistant.errors import Reason, UnusableModel
from assistant.types import Message, Role

Span: TypeAlias = tuple[int, int]  # [start, end)

BLANK_LINE: Final = re.compile(r"(?<=\n\n)(?=\S)")  # no token crosses it
PREFIXES_KEPT: Final = 2_048  # tokenised sections in memory; a 500-page book has about 100


@dataclass(frozen=True)
class TokenPrefix:
    """A prefix as token ids.

    Attributes:
        tokens: all blocks, with what the template puts before the first.
        seen: spans of the tokens that a prompt attends to, ascending.
        document_id, note: see `Prefix`.
    """

    tokens: tuple[int, ...]
    seen: tuple[Span, ...]
    document_id: str
    note: str = ""

    @property
    def seen_tokens(self) -> int:
        """Return how many of its tokens a prompt attends to."""
        return sum(end - start for start, end in self.seen)


class Encoder:
    """Texts to tokens by one model file's tokenizer and chat template."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._blocks = lru_cache(PREFIXES_KEPT)(self._encode_blocks)

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of a text as content."""
        return self._tokens([PromptPiece(text, is_content=True)])

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self.tokens(text))

    def prompt(self, prompt: Prompt) -> tuple[list[TokenPrefix], Tokens]:
        """Return the prefixes of a prompt, and the tokens that follow them.

        Raises:
            UnusableModel: the chat template cannot be rendered.
        """
        before, after = self.split(prompt.messages, reply_start=prompt.reply_start)
        if not prompt.prefixes:
            return [], before + after
        prefixes = [self.prefix(each) for each in prompt.prefixes]
        return prefixes, self.tokens(prompt.messages[0].text) + after

    def encode(self, messages: Sequence[Message], *, reply_start: str = "") -> Tokens:
        """Return the prompt of a list of messages."""
        before, after = self.split(messages, reply_start=reply_start)
        return before + after

    def split(self, messages: Sequence[Message], *, reply_start: str = "") -> tuple[Tokens, Tokens]:
        """Return the prompt, split where the text of the first message ends."""
        pieces = self._pieces(messages)
        if reply_start:
            pieces.append(PromptPiece(reply_start, is_content=True))
        first = next(i for i, piece in enumerate(pieces) if piece.is_content) + 1
        return self._with_bos(self._tokens(pieces[:first])), self._tokens(pieces[first:])

    def prefix(self, prefix: Prefix) -> TokenPrefix:
        """Return a prefix as tokens, with the spans of its visible blocks."""
        tokens, spans = self._blocks(prefix.blocks)
        seen = _merged([spans[index] for index in prefix.visible])
        return TokenPrefix(tokens, seen, prefix.document_id, prefix.note)

    def _encode_blocks(self, blocks: tuple[str, ...]) -> tuple[tuple[int, ...], list[Span]]:
        """Return the tokens of all blocks, and the span of each; the template is in the first."""
        messages = [Message(Role.SYSTEM, "".join(blocks)), Message(Role.USER, "")]
        tokens, _ = self.split(messages)
        costs = [self.count(block) for block in blocks[1:]]
        ends = accumulate(costs, initial=len(tokens) - sum(costs))
        return tuple(tokens), list(pairwise([0, *ends]))

    def _pieces(self, messages: Sequence[Message]) -> list[PromptPiece]:
        weights = self._weights
        if not weights.template:
            return render_plain(messages)
        bos, eos = weights.text_of(weights.bos), weights.text_of(weights.eos)
        try:
            return render(weights.template, messages, bos=bos, eos=eos)
        except ValueError as error:
            raise UnusableModel(name=weights.path.name, reason=Reason.BAD_TEMPLATE) from error

    def _with_bos(self, tokens: Tokens) -> Tokens:
        bos = self._weights.bos
        wanted = self._weights.begins_with_bos and tokens[:1] != [bos]
        return [bos, *tokens] if wanted else tokens

    def _tokens(self, pieces: Sequence[PromptPiece]) -> Tokens:
        """Return the tokens of the pieces; none crosses a blank line of a content."""
        return [
            token
            for piece in pieces
            for text in (BLANK_LINE.split(piece.text) if piece.is_content else [piece.text])
            for token in self._weights.tokenize(text, special=not piece.is_content)
        ]


def _merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return ascending spans with adjacent ones joined."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)
