"""Text to keyword terms, and what words weigh."""

import math

import pytest

from assistant.storage.keywords import fold, match_expression, query_terms, rarity


def test_words_are_folded_and_stemmed_for_every_language_of_the_library() -> None:
    asked = query_terms("Las casas", ["es", "fr"])
    assert asked == [("las",), ("cas", "casas")]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("¿Quién es el rey de la Nubia?", {"quien", "nubia", "nubi"}),
        ("Was ist Q4_0 um 1204?", {"q4_0", "1204"}),
        ("长城有多少公里？", set()),
    ],
)
def test_only_long_words_and_figures_are_shared_between_languages(
    question: str, expected: set[str]
) -> None:
    found = {term for each in query_terms(question, ["es"], shared=True) for term in each}
    assert found == expected


def test_a_word_asked_twice_is_one() -> None:
    assert query_terms("bridge bridge", []) == [("bridge",)]


def test_a_query_asks_for_any_term_and_for_nothing_when_there_is_none() -> None:
    assert match_expression([("b",), ("a", "b")]) == '"a" OR "b"'
    assert match_expression([]) == '""'


def test_the_rarity_of_words_adds_up_by_the_commonest_form_of_each() -> None:
    words = [("the",), ("bridges", "bridg"), ("unheard",)]
    counts = {"the": 100, "bridges": 1, "bridg": 4}
    expected = [math.log(1 + (100 - n + 0.5) / (n + 0.5)) for n in (100, 4, 0)]
    assert rarity(words, counts, 100) == pytest.approx(sum(expected))


def test_rows_hold_words_as_they_are_and_as_stems() -> None:
    assert fold("Bridges", "en") == "bridg bridges"
