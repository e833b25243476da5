"""No language crowds out another."""

from collections.abc import Sequence

import numpy as np

from assistant.languages.registry import languages
from assistant.retrieval.centering import LanguageCentering
from assistant.types import Matrix

PLACES = {"en": 0, "es": 1}


class LanguageEmbedder:
    """Vectors that are mostly a language and a little a meaning, as real ones are."""

    name = "places"
    fingerprint = "places:1"
    dimensions = 6

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self.vector(_language(text), 5) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return self.embed_passages(texts)

    def vector(self, language: str, meaning: int) -> Matrix:
        row = np.zeros(self.dimensions, dtype=np.float32)
        row[PLACES.get(language, 2)] = 0.9
        row[meaning] += 0.43589
        return row


def _language(text: str) -> str:
    return next((each.code for each in languages() if text in each.centering), "")


def test_the_right_page_in_another_language_comes_before_a_wrong_one_in_the_same() -> None:
    embedder = LanguageEmbedder()
    query = embedder.vector("es", 3)
    right, wrong = embedder.vector("en", 3), embedder.vector("es", 4)
    assert query @ wrong > query @ right
    centring = LanguageCentering(embedder)
    far = centring.compare(query, right[None, :], "es", "en", share=0.7)[0]
    near = centring.compare(query, wrong[None, :], "es", "es", share=0.7)[0]
    assert 1.0 >= far > near >= -1.0


def test_a_language_without_sentences_is_compared_all_the_same() -> None:
    embedder = LanguageEmbedder()
    rows = np.stack([embedder.vector("ru", 3), embedder.vector("ru", 4)])
    query = embedder.vector("en", 3)
    compared = LanguageCentering(embedder).compare(query, rows, "en", "ru", share=0.7)
    assert compared[0] > compared[1]
