"""Removes the same-language bias of a multilingual embedding model.

The vectors of such a model depend on the language of a text as well as on its meaning: for a
Spanish question, a Spanish page about something else can score higher than the English page that
answers it. The mean vector of the same sentences in each language estimates the language's offset;
subtracting most of it from questions and passages leaves the meaning. Knows no store.
"""

from assistant.backends.base import Embedder
from assistant.languages.registry import language, languages
from assistant.types import Matrix, Vector


class LanguageCentering:
    """Compares questions and passages as if they were in one language."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._centres: dict[str, tuple[Vector, Vector]] = {}

    def compare(
        self, query: Vector, passages: Matrix, asked_in: str, written_in: str, *, share: float
    ) -> Vector:
        """Return the cosines of the passages after the languages' offsets are subtracted, (n,).

        Args:
            query: (dim,).
            passages: (n, dim).
            share: of the offsets that is subtracted, from 0 to 1.
        """
        asked, written = self._centre(asked_in)[0], self._centre(written_in)[1]
        left = _unit((query - share * asked)[None, :])[0]
        cosines: Vector = _unit(passages - share * written) @ left  # (n, dim) @ (dim,) -> (n,)
        return cosines

    def _centre(self, code: str) -> tuple[Vector, Vector]:
        """Return the mean of a language's sentences as questions and as passages.

        A language without sentences has the mean of all languages.
        """
        if code not in self._centres:
            every = [text for each in languages() for text in each.centering]
            sentences = language(code).centering or every
            asked = self._embedder.embed_queries(list(sentences)).mean(axis=0)
            written = self._embedder.embed_passages(list(sentences)).mean(axis=0)
            self._centres[code] = asked, written
        return self._centres[code]


def _unit(rows: Matrix) -> Matrix:
    import numpy as np  # here, as `quipu --help` imports all kinds of reports

    lengths: Matrix = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Matrix = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return units
