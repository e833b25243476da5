"""Figures for one question, against values computed by hand."""

import pytest

from evaluation.scoring import exact, f1, holds, mean, plain, ranking


def test_a_ranking_is_scored_by_where_the_right_one_stands() -> None:
    assert ranking(["x", "right", "y"], ["right"]) == {
        "recall@1": 0.0,
        "recall@5": 1.0,
        "recall@20": 1.0,
        "mrr": 0.5,
        "ndcg@10": pytest.approx(0.6309, abs=1e-4),  # 1 / log2(3)
    }


@pytest.mark.parametrize("found", [[], ["x", "y"]])
def test_what_is_not_found_scores_nothing(found: list[str]) -> None:
    assert set(ranking(found, ["right"]).values()) == {0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ça, c'est l'ÉTÉ!", "ca c est l ete"), ("27-30 %", "27 30"), ("Straße №5", "strasse no5")],
)
def test_text_is_folded_to_letters_and_digits(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "golds", "expected"),
    [
        ("El puente tiene catorce arcos de piedra.", ["catorce arcos"], True),
        ("Two of the three words: red green.", ["red green blue"], True),
        ("One of the three: red.", ["red green blue"], False),
        ("Anything.", [""], False),
        ("In 1461.", ["1460", "1461"], True),
    ],
)
def test_two_thirds_of_the_words_of_one_answer_are_enough(
    text: str, golds: list[str], expected: bool
) -> None:
    assert holds(text, golds) is expected


def test_squad_compares_without_articles_and_punctuation() -> None:
    assert exact("The Bridge.", ["bridge"])
    assert not exact("A long bridge", ["bridge"])
    assert f1("the long bridge", ["bridge", "road"]) == pytest.approx(2 / 3)
    assert f1("nothing", []) == 0.0


def test_a_mean_leaves_out_what_has_no_figure() -> None:
    assert mean([{"a": 1.0}, {"a": None}, {}, {"a": 0.0}], "a") == 0.5
    assert mean([{"b": 1.0}], "a") is None
