"""Tells questions about a whole document from questions about something in it.

Decided by the cosine to examples of such questions, across languages. Knows no document.
"""

from functools import cached_property
from typing import Final

from assistant.backends.base import Embedder
from assistant.generation.citing import numbers_of
from assistant.languages.registry import languages
from assistant.types import Matrix

# Least cosine of multilingual-e5-small to the nearest example; measured in docs/architecture.md.
NEAR: Final = 0.885


class Overviews:
    """Tells questions about a whole document from others."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @cached_property
    def examples(self) -> Matrix:
        """Vectors of the examples of all languages, (n, dim)."""
        questions = [question for each in languages() for question in each.overview_questions]
        return self._embedder.embed_queries(questions)

    def load(self) -> None:
        """Embed the examples, which the first question would do otherwise."""
        _ = self.examples

    def is_overview_question(self, question: str) -> bool:
        """Tell whether the question is about the whole: near to an example, and without figures."""
        near = self.examples @ self._embedder.embed_queries([question])[0]  # (n, dim) @ (dim,)
        return float(near.max()) >= NEAR and not numbers_of(question)
