"""Asks a system the questions of a data set, and sums up by pairs of languages."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from assistant.languages import detection
from evaluation.datasets import DataSet, Key, Question, QuestionScope
from evaluation.scoring import MEASURES, exact, f1, holds, mean, ranking
from evaluation.systems import System, SystemReply

PageText: TypeAlias = Callable[[str, int], str]  # document id and page number -> its text
ANSWER_FIGURES: Final = ("correct", "exact", "f1", "in_language", "citation_precision", "verified")


@dataclass(frozen=True)
class Row:
    """What came of one question.

    Attributes:
        figures: by the names of the table; None where a figure makes no sense for the question.
        seconds: `search`, and of an answer `ttft`, `total`.
    """

    id: str
    lang: str
    doc_lang: str
    question: str
    answerable: bool
    figures: Mapping[str, float | None]
    seconds: Mapping[str, float]
    reply: str = ""
    refused: bool = False
    tokens_per_s: float = 0.0

    @property
    def pair(self) -> str:
        """Return `question language>text language`."""
        return f"{self.lang}>{self.doc_lang}"


@dataclass(frozen=True)
class IndexedLibrary:
    """Where the texts of a data set went.

    Attributes:
        ids: the document of each text.
        page: text of a page.
    """

    ids: Mapping[Key, str]
    page: PageText
    _within: dict[str, list[str]] = field(default_factory=dict)

    def searched(self, data: DataSet, question: Question) -> list[str]:
        """Return the ids of the documents to search in; none means all."""
        if data.scope is QuestionScope.ALL:
            return []
        if data.scope is QuestionScope.DOCUMENT:
            return [self.ids[question.key]]
        language = question.key[1]
        if language not in self._within:
            keys = data.searched(question)
            found = [self.ids[key] for key in keys if key in self.ids]
            self._within[language] = list(dict.fromkeys(found))
        return self._within[language]


def evaluate(
    data: DataSet,
    questions: Sequence[Question],
    system: System,
    library: IndexedLibrary,
    *,
    answers: frozenset[str] = frozenset(),
    kept: Path,
) -> Iterator[Row]:
    """Yield what came of each question; what an earlier run found is not asked again.

    Args:
        answers: ids of the questions that are also answered.
        kept: file of one JSON line a row, which is written on.
    """
    known = {row.id: row for row in _rows(kept)}
    for question in questions:
        if question.key not in library.ids:
            continue
        row = known.get(question.id)
        if row is None:
            row = _row(data, question, system, library, answer=question.id in answers)
            if row is None:
                continue
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
        yield row


def _row(
    data: DataSet, question: Question, system: System, library: IndexedLibrary, *, answer: bool
) -> Row | None:
    """Return what came of a question; None when the system neither searches nor answers it."""
    within = library.searched(data, question)
    start = time.perf_counter()
    found = system.search(question, within)
    seconds = {"search": time.perf_counter() - start}
    figures: dict[str, float | None] = {}
    if found is not None:
        figures |= ranking(found, [library.ids[question.key]])
    reply = system.answer(question, within) if answer else None
    if reply is None:
        return _row_of(question, figures, seconds) if found is not None else None
    if question.answerable:
        figures |= answer_figures(reply, question, library.page)
    seconds |= {"ttft": reply.ttft_s, "total": reply.total_s}
    return _row_of(question, figures, seconds, reply)


def _row_of(
    question: Question,
    figures: Mapping[str, float | None],
    seconds: Mapping[str, float],
    reply: SystemReply | None = None,
) -> Row:
    return Row(
        id=question.id,
        lang=question.lang,
        doc_lang=question.key[1],
        question=question.question,
        answerable=question.answerable,
        figures=figures,
        seconds=seconds,
        reply=reply.text if reply else "",
        refused=bool(reply and reply.refused),
        tokens_per_s=reply.tokens_per_s if reply else 0.0,
    )


def answer_figures(
    reply: SystemReply, question: Question, page: PageText
) -> dict[str, float | None]:
    """Return how good a reply is, each figure from 0 to 1."""
    written = detection.written_in(reply.text)
    right = [float(holds(page(*cited), question.golds)) for cited in reply.cited]
    return {
        "correct": float(holds(reply.text, question.golds) and not reply.refused),
        "exact": float(exact(reply.text, question.golds)),
        "f1": f1(reply.text, question.golds),
        "in_language": float(written == question.lang) if written else None,
        "citation_precision": sum(right) / len(right) if right else None,
        "verified": reply.verified_share,
    }


def report(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows summed up: by pair, by same and other language, and overall."""
    pairs = sorted({row.pair for row in rows})
    answered = [row for row in rows if "ttft" in row.seconds]
    return {
        "pairs": {pair: summed([row for row in rows if row.pair == pair]) for pair in pairs},
        "same_language": summed([row for row in rows if row.lang == row.doc_lang]),
        "cross_language": summed([row for row in rows if row.lang != row.doc_lang]),
        "overall": summed(rows),
        "refusal": refusal(answered),
        "timings": timings(rows, answered),
    }


def summed(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """Return the means over the questions that have a figure, and how many questions there are."""
    names = [*MEASURES, *ANSWER_FIGURES]
    means = {name: mean((row.figures for row in rows), name) for name in names}
    answered = sum("correct" in row.figures for row in rows)
    found = {name: value for name, value in means.items() if value is not None}
    return {"n": len(rows), **({"answered": answered} if answered else {}), **found}


def refusal(answered: Sequence[Row]) -> dict[str, float | int | None]:
    """Return how often saying "not in the documents" was right, and how often it was missed."""
    refused = [row for row in answered if row.refused]
    unanswerable = [row for row in answered if not row.answerable]
    right = sum(not row.answerable for row in refused)
    return {
        "n": len(unanswerable),
        "precision": right / len(refused) if refused else None,
        "recall": right / len(unanswerable) if unanswerable else None,
    }


def timings(rows: Sequence[Row], answered: Sequence[Row]) -> dict[str, float]:
    """Return medians, in seconds and tokens a second."""
    found = {"search_s": statistics.median([row.seconds["search"] for row in rows] or [0.0])}
    if answered:
        found["ttft_s"] = statistics.median(row.seconds["ttft"] for row in answered)
        found["total_s"] = statistics.median(row.seconds["total"] for row in answered)
        written = [row.tokens_per_s for row in answered if row.tokens_per_s]
        found["decode_tokens_per_s"] = statistics.median(written or [0.0])
    return found


def _rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file; a last line that was cut off is none."""
    if not path.exists():
        return
    for line in path.read_text("utf-8").split("\n"):
        try:
            yield Row(**json.loads(line))
        except (ValueError, TypeError):
            continue
