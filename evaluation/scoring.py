"""Scores one question: the rank of the right passage, and how right the reply is. Pure.

The only import of ir_measures.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import ir_measures
from ir_measures import RR, R, nDCG

MEASURES: Final = {
    "recall@1": R @ 1,
    "recall@5": R @ 5,
    "recall@20": R @ 20,
    "mrr": RR @ 20,
    "ndcg@10": nDCG @ 10,
}
CORRECT_SHARE: Final = 2 / 3  # of the words of a right answer that the reply must hold
ARTICLES: Final = re.compile(r"\b(a|an|the)\b")


def ranking(found: Sequence[str], right: Iterable[str]) -> dict[str, float]:
    """Return recall, MRR and nDCG of one search.

    Args:
        found: ids, best first, each once.
        right: the ids that should be found.
    """
    run = {"q": {name: float(len(found) - place) for place, name in enumerate(found)}}
    qrels = {"q": dict.fromkeys(right, 1)}
    values = ir_measures.calc_aggregate(list(MEASURES.values()), qrels, run)
    return {name: float(values[measure]) for name, measure in MEASURES.items()}


def plain(text: str) -> str:
    """Return the letters and digits of a text, folded, its words parted by single spaces."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(c for c in folded if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in kept).split())


def holds(text: str, golds: Iterable[str]) -> bool:
    """Tell whether the text holds two thirds of the words of a right answer."""
    said = set(plain(text).split())
    for gold in golds:
        words = plain(gold).split()
        if words and sum(word in said for word in words) >= CORRECT_SHARE * len(words):
            return True
    return False


def f1(reply: str, golds: Iterable[str]) -> float:
    """Return the best F1 of words shared with a right answer (SQuAD; Rajpurkar et al. 2016)."""
    return max((_f1(_squad_words(reply), _squad_words(gold)) for gold in golds), default=0.0)


def exact(reply: str, golds: Iterable[str]) -> bool:
    """Tell whether the reply is a right answer and nothing else, as SQuAD compares them."""
    return any(_squad_words(reply) == _squad_words(gold) for gold in golds)


def mean(rows: Iterable[Mapping[str, float | None]], name: str) -> float | None:
    """Return the mean of a figure over the rows that have it; None when none has."""
    values = [float(value) for row in rows if (value := row.get(name)) is not None]
    return sum(values) / len(values) if values else None


def _f1(reply: list[str], gold: list[str]) -> float:
    shared = sum((Counter(reply) & Counter(gold)).values())
    return 2 * shared / (len(reply) + len(gold)) if shared else 0.0


def _squad_words(text: str) -> list[str]:
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return ARTICLES.sub(" ", bare).split()
