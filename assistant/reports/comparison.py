"""Two documents side by side: in what they agree, in what they differ, what only one of them says.

Points are taken of both, and those that mean nearly the same are held against each other: their
figures are compared here, and whether they say the same is asked of the model. Knows no screen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from assistant.backends.base import ChatModel, Embedder
from assistant.generation.citing import numbers_of
from assistant.generation.key_points import KeyPoints
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import same_messages
from assistant.generation.sections import Section, page_range
from assistant.queueing import Ticket
from assistant.retrieval.centering import LanguageCentering
from assistant.streams import Progress, Step
from assistant.types import Document, Matrix, Point

POINTS_A_SECTION: Final = 6  # those of a long summary
NEAR: Final = 0.55  # between the sample documents, points about different things reach 0.43
FIGURE_BONUS: Final = 0.15  # for a figure that both have: 131,072 is rarely about two things
FIGURE_DIGITS: Final = 3
CENTRED_SHARE: Final = 0.7
SAME_SHARE: Final = 0.5  # of yes against no


@dataclass(frozen=True)
class ComparisonSpec:
    """What a comparison is written for: the ids of two documents, and a language."""

    first: str
    second: str
    language: str

    @property
    def documents(self) -> tuple[str, ...]:
        return (self.first, self.second)


@dataclass(frozen=True)
class Comparison:
    """Two documents side by side, in points.

    Attributes:
        agree: pairs of points, one of each document, that say the same.
        differ: pairs that are about the same and do not say the same.
        only_first, only_second: points to which the other has none.
    """

    first: Document
    second: Document
    language: str
    agree: tuple[tuple[Point, Point], ...]
    differ: tuple[tuple[Point, Point], ...]
    only_first: tuple[Point, ...]
    only_second: tuple[Point, ...]
    model: str

    @property
    def order(self) -> ComparisonSpec:
        return ComparisonSpec(self.first.id, self.second.id, self.language)


class Comparer:
    """One comparison in the making."""

    def __init__(
        self,
        model: ChatModel,
        embedder: Embedder,
        reader: Prefixes,
        notes: KeyPoints,
        ticket: Ticket,
    ) -> None:
        self._model = model
        self._embedder = embedder
        self._centring = LanguageCentering(embedder)
        self._reader = reader
        self._notes = notes
        self._ticket = ticket

    def compare(
        self, first: Document, second: Document, language: str
    ) -> Iterator[Progress | Comparison]:
        """Yield stages, and last the comparison; others who wait go between two sections."""
        sections = [(d, s) for d in (first, second) for s in self._reader.sections(d)]
        taken: dict[str, list[Point]] = {first.id: [], second.id: []}
        for number, (document, section) in enumerate(sections):
            yield from self._ticket.turn()
            yield self._stage(number, len(sections), section)
            points = self._notes.take(document, section, POINTS_A_SECTION, self._ticket.cancelled)
            taken[document.id] += [p for p in points if p.citation and p.citation.supported]
            self._ticket.pass_on()
        yield from self._ticket.turn()
        yield Progress(Step.WRITING)
        ours, theirs = taken[first.id], taken[second.id]
        pairs = self._pairs(ours, theirs, first, second)
        same = [self._say_the_same(ours[i], theirs[j], first, second) for i, j in pairs]
        yield Progress(Step.TRANSLATING)

        def told(points: Sequence[Point], document: Document) -> tuple[Point, ...]:
            return tuple(self._told(point, document, language) for point in points)

        left = told(ours, first), told(theirs, second)
        matched = [(left[0][i], left[1][j]) for i, j in pairs]
        alone = (
            tuple(p for i, p in enumerate(left[0]) if i not in {i for i, _ in pairs}),
            tuple(p for j, p in enumerate(left[1]) if j not in {j for _, j in pairs}),
        )
        yield Comparison(
            first=first,
            second=second,
            language=language,
            agree=tuple(pair for pair, yes in zip(matched, same, strict=True) if yes),
            differ=tuple(pair for pair, yes in zip(matched, same, strict=True) if not yes),
            only_first=alone[0],
            only_second=alone[1],
            model=self._model.name,
        )

    def _stage(self, done: int, total: int, section: Section) -> Progress:
        return Progress(Step.SUMMARISING, done, total, page_range(section.pages))

    def _pairs(
        self, ours: Sequence[Point], theirs: Sequence[Point], first: Document, second: Document
    ) -> list[tuple[int, int]]:
        """Return which points are about the same: each is the nearest to the other, and near."""
        if not ours or not theirs:
            return []
        near = self._nearness(ours, theirs, first, second)  # (n, m)
        best = near.argmax(axis=1)
        return [
            (i, int(j))
            for i, j in enumerate(best)
            if near[:, j].argmax() == i and near[i, j] >= NEAR
        ]

    def _nearness(
        self, ours: Sequence[Point], theirs: Sequence[Point], first: Document, second: Document
    ) -> Matrix:
        """Return how near all pairs are, (n, m): cosines without most of the languages' places."""
        queries = self._embedder.embed_queries([point.text for point in ours])
        passages = self._embedder.embed_passages([point.text for point in theirs])
        cosines = [
            self._centring.compare(
                query, passages, first.language, second.language, share=CENTRED_SHARE
            )
            for query in queries
        ]
        bonus = [[FIGURE_BONUS * _share_a_figure(one, other) for other in theirs] for one in ours]
        return np.stack(cosines) + np.array(bonus, np.float32)

    def _say_the_same(self, one: Point, other: Point, first: Document, second: Document) -> bool:
        """Tell whether two points agree: neither has a figure that contradicts the other's."""
        ours, theirs = numbers_of(one.text), numbers_of(other.text)
        if ours and theirs and not ours & theirs:
            return False
        messages = same_messages(one.text, other.text)
        choice = self._model.choose(
            self._model.encode(messages), ["Yes", "No"], cancelled=self._ticket.cancelled
        )
        return choice.shares[0] >= SAME_SHARE

    def _told(self, point: Point, document: Document, language: str) -> Point:
        if document.language == language:
            return point
        text = self._notes.translated(document, point.text, language, self._ticket.cancelled)
        return Point(text, point.citation)


def _share_a_figure(one: Point, other: Point) -> bool:
    shared = numbers_of(one.text) & numbers_of(other.text)
    return any(len(figure) >= FIGURE_DIGITS for figure in shared)
