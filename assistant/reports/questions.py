"""Questions that a document answers, for readers who do not know yet what to ask.

The model writes each about a passage of its own, far from the others'. Knows no screen.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from assistant.backends.base import ChatModel
from assistant.generation.prompts import question_messages
from assistant.storage.base import Store
from assistant.streams import IsCancelled, Progress, Step
from assistant.types import Chunk, Document

QUESTIONS: Final = 3
QUESTION_TOKENS: Final = 120
LEAST_WORDS: Final = 60  # of a passage that says enough to be asked about
VERSION: Final = "1"  # of the prompt: kept questions of another version are not used
LINES: Final = re.compile(r"\s*(?:\w+\s*:)?\s*(.+\?)\s*\n+\s*(?:[^\n:]{1,20}:)?\s*(.+)")


class Suggester:
    """Suggests questions, and keeps them with their document."""

    def __init__(self, model: ChatModel, store: Store) -> None:
        self._model = model
        self._store = store

    def kept(self, document: Document, language: str) -> tuple[str, ...] | None:
        """Return the questions that were suggested before; None when nobody asked yet."""
        kept = self._store.kept(document.id, self._key(language))
        return None if kept is None else tuple(json.loads(kept))

    def suggest(
        self, document: Document, language: str, cancelled: IsCancelled
    ) -> Iterator[Progress | tuple[str, ...]]:
        """Yield a stage before each question, and last all of them; none when the model fails.

        Raises:
            ModelError, Cancelled.
        """
        questions: list[str] = []
        chunks = _apart(self._store.chunks(document.id))
        for number, chunk in enumerate(chunks):
            yield Progress(Step.SUMMARISING, number, len(chunks))
            prompt = self._model.encode(question_messages(chunk.text, language))
            stream = self._model.stream(prompt, limit_tokens=QUESTION_TOKENS, cancelled=cancelled)
            if (found := read_question("".join(stream))) and found[0] not in questions:
                questions.append(found[0])
        self._store.keep(
            document.id, self._key(language), json.dumps(questions, ensure_ascii=False)
        )
        yield tuple(questions)

    def _key(self, language: str) -> str:
        return f"questions:{VERSION}:{self._model.name}:{language}"


def read_question(reply: str) -> tuple[str, str] | None:
    """Return the question and the answer of a model's reply; None when they are not there."""
    match = LINES.match(reply)
    return (match[1].strip(), match[2].strip(' "“”«».')) if match else None


def _apart(chunks: list[Chunk]) -> list[Chunk]:
    """Return a few chunks that say enough, as far from each other and from the ends as may be."""
    telling = [chunk for chunk in chunks if len(chunk.text.split()) >= LEAST_WORDS] or chunks
    count = min(QUESTIONS, len(telling))
    return [telling[(2 * n + 1) * len(telling) // (2 * count)] for n in range(count)]
