"""The real multilingual-e5-small, when it is installed."""

import numpy as np
import pytest

from assistant.backends.sentence_transformers import SentenceTransformerEmbedder
from assistant.models.catalogue import load_catalogue
from assistant.models.installed import InstalledModels
from assistant.settings import Settings

pytestmark = pytest.mark.model
NAME = "multilingual-e5-small"


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEmbedder:
    local = InstalledModels(Settings().models, load_catalogue())
    if NAME not in {model.name for model in local.installed()}:
        pytest.skip(f"{NAME} is not installed")
    installed = local.find(NAME)
    return SentenceTransformerEmbedder(
        installed.path,
        name=NAME,
        fingerprint="test",
        query_prefix=installed.entry.query_prefix,
        passage_prefix=installed.entry.passage_prefix,
    )


def test_vectors_have_384_dimensions_and_length_one(encoder: SentenceTransformerEmbedder) -> None:
    vectors = encoder.embed_passages(["The bridge is long.", "El puente es largo."])
    assert vectors.shape == (2, encoder.dimensions) == (2, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=5e-3)


def test_nothing_embedded_is_an_empty_matrix(encoder: SentenceTransformerEmbedder) -> None:
    assert encoder.embed_passages([]).shape == (0, 384)
    assert encoder.counts([]) == []


def test_questions_and_passages_are_embedded_with_their_own_prefixes(
    encoder: SentenceTransformerEmbedder,
) -> None:
    text = ["The bridge is long."]
    assert float(encoder.embed_queries(text)[0] @ encoder.embed_passages(text)[0]) < 0.99
    plain = encoder._embed(["query: The bridge is long."])
    np.testing.assert_allclose(encoder.embed_queries(text), plain, atol=1e-5)


def test_a_question_finds_the_passage_of_the_same_meaning_in_another_language(
    encoder: SentenceTransformerEmbedder,
) -> None:
    passages = encoder.embed_passages(
        [
            "The contract can be terminated with thirty days' notice.",
            "The birds of the valley sing at dawn.",
            "The engine needs new oil every ten thousand kilometres.",
        ]
    )
    questions = encoder.embed_queries(
        [
            "¿Con cuánto aviso se puede rescindir el contrato?",
            "¿Cuándo cantan los pájaros?",
            "¿Cada cuánto hay que cambiar el aceite del motor?",
        ]
    )
    assert (questions @ passages.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_tokens_are_counted_without_prefix_and_special_tokens(
    encoder: SentenceTransformerEmbedder,
) -> None:
    one, two, none = encoder.counts(["bridge", "bridge bridge", ""])
    assert (two, none) == (2 * one, 0)
    assert encoder.counts(["word " * 900])[0] >= 900  # nothing is cut
