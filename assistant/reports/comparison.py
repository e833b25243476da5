"""Two documents compared: points in common, differences, and what only one of them says.

Key points of both are paired by meaning; figures are compared here, and whether two points say the
same is asked of the model. Knows no screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from assistant.backends.base import Prompt
from assistant.generation.citing import numbers_of
from assistant.generation.judging import SAME_STATEMENT, Judge
from assistant.generation.prompts import same_messages
from assistant.generation.sections import page_range
from assistant.reports.base import Part, ReportKind, ReportSpec, Tools
from assistant.retrieval.centering import LanguageCentering
from assistant.streams import Events, Progress, Step
from assistant.types import Document, Matrix, Point

POINTS_A_SECTION: Final = 6  # those of a long summary
NEAR: Final = 0.55  # between the sample documents, points about different things reach 0.43
FIGURE_BONUS: Final = 0.15  # for a figure that both have: 131,072 is rarely about two things
FIGURE_DIGITS: Final = 3
CENTRED_SHARE: Final = 0.7


@dataclass(frozen=True)
class Comparison:
    """Two documents compared point by point.

    Attributes:
        language: of the points, as an ISO 639-1 code.
        agree: pairs of points, one of each document, that say the same.
        differ: pairs that are about the same and do not say the same.
        only_first, only_second: points that have no counterpart.
    """

    first: Document
    second: Document
    language: str
    agree: tuple[tuple[Point, Point], ...]
    differ: tuple[tuple[Point, Point], ...]
    only_first: tuple[Point, ...]
    only_second: tuple[Point, ...]
    model: str


def write(tools: Tools, documents: tuple[Document, ...], spec: ReportSpec) -> Events[Comparison]:
    """Yield progress, and return the comparison; others who wait go between two sections."""
    first, second = documents
    found = yield from _supported_points(tools, documents)
    yield from tools.ticket.turn()
    yield Progress(Step.WRITING)
    ours, theirs = (_Side(document, found[document.id]) for document in documents)
    pairs = _pairs(tools, ours, theirs)
    same = [_say_the_same(tools, ours.points[i], theirs.points[j]) for i, j in pairs]
    yield Progress(Step.TRANSLATING)
    told = [side.in_language(spec.language, tools) for side in (ours, theirs)]
    matched = [(told[0][i], told[1][j]) for i, j in pairs]
    return Comparison(
        first=first,
        second=second,
        language=spec.language,
        agree=tuple(pair for pair, yes in zip(matched, same, strict=True) if yes),
        differ=tuple(pair for pair, yes in zip(matched, same, strict=True) if not yes),
        only_first=_without(told[0], {i for i, _ in pairs}),
        only_second=_without(told[1], {j for _, j in pairs}),
        model=tools.model.name,
    )


def outline(found: Comparison) -> tuple[Part, ...]:
    """Return what is common, what differs, and what only the first and the second say."""
    alone = [(found.first, found.only_first), (found.second, found.only_second)]
    return (
        Part(word="comparison.agree", items=found.agree),
        Part(word="comparison.differ", items=found.differ),
        *(
            Part(
                word="comparison.only",
                facts={"title": document.title},
                items=tuple((point,) for point in points),
            )
            for document, points in alone
        ),
    )


KIND: Final = ReportKind(
    name="comparison",
    command="compare",
    document_fields=("first", "second"),
    result=Comparison,
    write=write,
    outline=outline,
    example="quipu compare 2024.pdf 2025.pdf --lang fr",
    position=2,
)


@dataclass(frozen=True)
class _Side:
    """One of the two documents, with its supported points."""

    document: Document
    points: tuple[Point, ...]

    def in_language(self, language: str, tools: Tools) -> tuple[Point, ...]:
        """Return the points translated where the document is in another language."""
        if self.document.language == language:
            return self.points
        return tuple(
            Point(
                tools.key_points.translated(self.document, point.text, language, tools.cancelled),
                point.citation,
            )
            for point in self.points
        )


def _supported_points(
    tools: Tools, documents: Sequence[Document]
) -> Events[dict[str, tuple[Point, ...]]]:
    """Yield progress while points are written; return those of each document by its id."""
    sections = [(d, s) for d in documents for s in tools.prefixes.sections(d)]
    found: dict[str, list[Point]] = {document.id: [] for document in documents}
    for number, (document, section) in enumerate(sections):
        yield from tools.ticket.turn()
        yield Progress(Step.SUMMARISING, number, len(sections), page_range(section.pages))
        points = tools.key_points.of_section(document, section, POINTS_A_SECTION, tools.cancelled)
        found[document.id] += [p for p in points if p.citation and p.citation.supported]
        tools.ticket.pass_on()
    return {document_id: tuple(points) for document_id, points in found.items()}


def _pairs(tools: Tools, ours: _Side, theirs: _Side) -> list[tuple[int, int]]:
    """Return which points are about the same: each is the nearest to the other, and near."""
    if not ours.points or not theirs.points:
        return []
    near = _nearness(tools, ours, theirs)  # (n, m)
    best = near.argmax(axis=1)
    return [
        (i, int(j)) for i, j in enumerate(best) if near[:, j].argmax() == i and near[i, j] >= NEAR
    ]


def _nearness(tools: Tools, ours: _Side, theirs: _Side) -> Matrix:
    """Return how near all pairs are, (n, m): cosines without most of the language bias."""
    import numpy as np  # here, as `quipu --help` imports all kinds of reports

    queries = tools.embedder.embed_queries([point.text for point in ours.points])
    passages = tools.embedder.embed_passages([point.text for point in theirs.points])
    languages = (ours.document.language, theirs.document.language)
    centering = LanguageCentering(tools.embedder)
    cosines = [
        centering.compare(query, passages, *languages, share=CENTRED_SHARE) for query in queries
    ]
    bonus = [
        [FIGURE_BONUS * _share_a_figure(one, other) for other in theirs.points]
        for one in ours.points
    ]
    return np.stack(cosines) + np.array(bonus, np.float32)


def _say_the_same(tools: Tools, one: Point, other: Point) -> bool:
    """Tell whether two points agree: neither has a figure that contradicts the other's."""
    ours, theirs = numbers_of(one.text), numbers_of(other.text)
    if ours and theirs and not ours & theirs:
        return False
    prompt = Prompt.of(same_messages(one.text, other.text))
    choice = Judge(tools.model).yes(prompt, cancelled=tools.cancelled)
    return SAME_STATEMENT.met(choice.probabilities[0])


def _without(points: Sequence[Point], paired: set[int]) -> tuple[Point, ...]:
    return tuple(point for number, point in enumerate(points) if number not in paired)


def _share_a_figure(one: Point, other: Point) -> bool:
    shared = numbers_of(one.text) & numbers_of(other.text)
    return any(len(figure) >= FIGURE_DIGITS for figure in shared)
