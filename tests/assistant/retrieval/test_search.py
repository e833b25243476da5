"""What a search finds, within one language and across languages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assistant.backends.fake import HashEmbedder
from assistant.languages.registry import languages
from assistant.retrieval.search import RERANKED, Retriever
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Document, Filters, Matrix, Vector
from tests.assistant.storage.libraries import add

DIMENSIONS = 32
LANGUAGES = ("en", "es", "fr")  # whose places are the first dimensions


class PlacedEmbedder:
    """Vectors that are mostly a language and for the rest what a text was said to mean."""

    name = "placed"
    fingerprint = "placed:1"
    dimensions = DIMENSIONS

    def __init__(self, meanings: Mapping[str, tuple[str, float]]) -> None:
        """Args:
        meanings: start of a text -> its language, and how near it is to the question.
        """
        self._meanings = dict(meanings)

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self._vector(text) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return self.embed_passages(texts)

    def _vector(self, text: str) -> Matrix:
        row = np.zeros(DIMENSIONS, dtype=np.float32)
        for each in languages():
            if text in each.centering:
                row[LANGUAGES.index(each.code) if each.code in LANGUAGES else 3] = 1.0
                return row
        start = next(start for start in self._meanings if text.startswith(start))
        language, near = self._meanings[start]
        row[LANGUAGES.index(language)] = 0.9
        row[4] = near
        row[5 + len(start) % (DIMENSIONS - 5)] += 0.1  # what nothing else means
        unit: Matrix = row / np.linalg.norm(row)
        return unit


def library_of(
    folder: Path, texts: Mapping[str, Sequence[tuple[str, float]]], question: tuple[str, str]
) -> tuple[Retriever, list[Document]]:
    """Return a search over one document a language, of paragraphs with their nearness."""
    meanings = {text: (code, near) for code, own in texts.items() for text, near in own}
    embedder = PlacedEmbedder({**meanings, question[0]: (question[1], 0.6)})
    library = Library(folder, ExactIndex(), embedder=embedder)
    documents = [
        add(
            *(library, "\n\n".join(text for text, _ in own)),
            title=code,
            language=code,
            embedder=embedder,
        )
        for code, own in texts.items()
    ]
    return Retriever(library, embedder), documents


def crowd(code: str, near: float, count: int = 12) -> list[tuple[str, float]]:
    return [(f"{code} text {'x' * n} about much", near) for n in range(1, count + 1)]


def test_what_stands_out_in_its_language_comes_before_a_crowd_in_the_question_s(
    tmp_path: Path,
) -> None:
    texts = {"es": crowd("es", 0.35), "en": [("The right page is here", 0.5), *crowd("en", 0.2)]}
    retriever, documents = library_of(tmp_path, texts, ("Una pregunta", "es"))
    found = retriever.retrieve("Una pregunta", "es", limit=5, documents=documents)
    assert found[0].chunk.text == "The right page is here"


def test_a_small_group_gains_nothing_from_having_few_neighbours(tmp_path: Path) -> None:
    texts = {
        "es": [("La página justa está aquí", 0.6), *crowd("es", 0.2)],
        "fr": [("Une page seule", 0.3)],
    }
    retriever, documents = library_of(tmp_path, texts, ("Una pregunta", "es"))
    found = retriever.retrieve("Una pregunta", "es", limit=5, documents=documents)
    assert found[0].chunk.text == "La página justa está aquí"


def test_short_words_of_the_question_s_language_do_not_count_in_another(tmp_path: Path) -> None:
    texts = {"en": [("The page that answers", 0.5), ("La la que es un mal", 0.45)]}
    retriever, documents = library_of(tmp_path, texts, ("¿Que es la mal?", "es"))
    found = retriever.retrieve("¿Que es la mal?", "es", limit=5, documents=documents)
    assert found[0].chunk.text == "The page that answers"


def test_the_first_by_words_has_a_place_among_the_best(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    near = [f"How long is the way to the river number {n} really?" for n in range(6)]
    book = add(library, "\n\n".join([*near, "Upstart was removed."]))
    retriever = Retriever(library, HashEmbedder())
    found = retriever.retrieve("How long is the upstart?", "en", limit=4, documents=[book])
    assert found[3].chunk.text == "Upstart was removed."


def test_retrieval_takes_the_best_within_the_documents(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    bridge = add(library, "The bridge is long.\n\nThe towers are high.\n\nThe river is wide.")
    add(library, "The bridge of another book.", title="Other")
    retriever = Retriever(library, HashEmbedder())
    found = retriever.retrieve("How long is the bridge?", "en", limit=2, documents=[bridge])
    assert found[0].chunk.text == "The bridge is long."
    assert {p.document.id for p in found} == {bridge.id}
    assert found[0].score > found[1].score


def test_nothing_is_found_in_nothing(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    assert Retriever(library, HashEmbedder()).retrieve("Why?", "en", limit=2, documents=[]) == []


class ByWord:
    """A re-ranker that likes a word."""

    name = "by word"

    def __init__(self, word: str) -> None:
        self._word = word
        self.read: list[str] = []

    def scores(self, question: str, texts: Sequence[str]) -> Vector:
        self.read += texts
        return np.array([float(self._word in text) for text in texts], np.float32)


def test_a_re_ranker_orders_the_best_and_leaves_the_others(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    texts = [f"The bridge number {n} is {'wool ' * n}long." for n in range(30)]
    book = add(library, "\n\n".join(texts))
    asked = ("How long is the bridge?", "en")
    plain = Retriever(library, HashEmbedder()).retrieve(*asked, limit=30, documents=[book])
    liked = plain[RERANKED - 1]
    word = liked.chunk.text.split()[3]
    reranker = ByWord(f"number {word} is")
    retriever = Retriever(library, HashEmbedder(), reranker)
    found = retriever.retrieve(*asked, limit=30, documents=[book])
    assert found[0].chunk == liked.chunk
    assert [p.chunk for p in found[1:RERANKED]] == [p.chunk for p in plain[: RERANKED - 1]]
    assert [p.chunk for p in found[RERANKED:]] == [p.chunk for p in plain[RERANKED:]]
    assert len(reranker.read) == RERANKED
    (best,) = retriever.retrieve(*asked, limit=1, documents=[book])
    assert best.chunk == liked.chunk


def test_a_text_that_says_the_same_is_found_once(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    said = "The bridge over the river by the old mill is long and was built by two brothers"
    books = [
        add(library, f"{said} in 1820.", title="First"),
        add(library, f"{said}, in 1820.", title="Copy"),
        add(library, f"{said} in 1821.", title="Other year"),
    ]
    found = Retriever(library, HashEmbedder()).retrieve(
        "How long is the bridge?", "en", limit=5, documents=books
    )
    assert len(found) == 2
    assert any("1821" in passage.chunk.text for passage in found)


def test_only_passages_on_the_pages_are_found_however_far_behind(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    near = [f"The bridge number {n} is so and so long." for n in range(60)]
    book = add(library, "\n\n".join([*near, "Bread is baked.", "Wool is spun."]))
    found = Retriever(library, HashEmbedder()).retrieve(
        *("How long is the bridge?", "en"),
        limit=3,
        documents=[book],
        filters=Filters(pages=(61, 62)),
    )
    assert {passage.chunk.text for passage in found} == {"Bread is baked.", "Wool is spun."}
