"""Compares two runs over the same questions: what changed, and how sure that is. Pure.

The only import of scipy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import bootstrap

RESAMPLES: Final = 5_000
CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean of B minus mean of A over the questions that both have, with its interval."""

    group: str
    figure: str
    n: int
    before: float
    after: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return the differences of two reports, over all questions and by kind of pair."""
    a = {row["id"]: row for row in before["rows"]}
    b = {row["id"]: row for row in after["rows"]}
    shared = [name for name in a if name in b]
    groups = {
        "overall": shared,
        "same language": [name for name in shared if a[name]["lang"] == a[name]["doc_lang"]],
        "cross language": [name for name in shared if a[name]["lang"] != a[name]["doc_lang"]],
    }
    figures = dict.fromkeys(name for row in b.values() for name in row["figures"])
    return [
        found
        for group, ids in groups.items()
        for figure in figures
        if (found := _difference(group, figure, ((a[i], b[i]) for i in ids)))
    ]


def _difference(
    group: str, figure: str, pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> Difference | None:
    """Return the difference by a paired bootstrap (Efron and Tibshirani 1993)."""
    both = [
        (one["figures"][figure], other["figures"][figure])
        for one, other in pairs
        if one["figures"].get(figure) is not None and other["figures"].get(figure) is not None
    ]
    if len(both) < 2:
        return None
    before, after = np.array(both, float).T  # (n, 2) -> two of (n,)
    low = high = float((after - before).mean())
    if np.ptp(after - before) > 0:
        interval = bootstrap(
            (after - before,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return Difference(group, figure, len(both), before.mean(), after.mean(), low, high)
