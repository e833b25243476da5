"""Two results over the same questions."""

from collections.abc import Sequence
from typing import Any

import pytest

from evaluation.differences import compare


def result(values: Sequence[float | None], *, cross: int = 0) -> dict[str, Any]:
    """Return a result of which the first questions cross languages."""
    return {
        "rows": [
            {
                "id": f"q{n}",
                "lang": "es" if n < cross else "en",
                "doc_lang": "en",
                "figures": {"recall@5": value},
            }
            for n, value in enumerate(values)
        ]
    }


def test_a_clear_difference_is_certain_and_a_chance_one_is_not() -> None:
    before = result([0.0] * 40 + [1.0] * 20)
    (clear, *_), (chance, *_) = (
        compare(before, result(after))
        for after in ([1.0] * 60, [1.0, *[0.0] * 39, 0.0, *[1.0] * 19])
    )
    assert clear.after - clear.before == pytest.approx(2 / 3)
    assert clear.low < 2 / 3 < clear.high
    assert clear.is_certain
    assert chance.before == chance.after == pytest.approx(1 / 3)
    assert not chance.is_certain


def test_the_same_results_differ_by_nothing() -> None:
    (found, *_) = compare(result([1.0, 0.0, 1.0]), result([1.0, 0.0, 1.0]))
    assert (found.low, found.high, found.is_certain) == (0.0, 0.0, False)


def test_only_questions_that_both_have_are_compared_by_group() -> None:
    before, after = result([0.0] * 6, cross=4), result([1.0, 1.0, None, 1.0, 1.0], cross=4)
    groups = {d.group: d.n for d in compare(before, after)}
    assert groups == {"overall": 4, "cross language": 3}
