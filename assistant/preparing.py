"""Documents that are read beside everything else, one after the other. Knows no screen."""

from collections.abc import Callable, Iterator
from typing import Protocol

from assistant.errors import Notice
from assistant.jobs import Line
from assistant.streams import IsCancelled, Progress, Step


class Prepare(Protocol):
    """As `Assistant.prepare`."""

    def __call__(self, document: str, *, cancelled: IsCancelled) -> Iterator[Progress]: ...


class Preparer:
    """Reads documents in a thread of its own; may be asked from any other."""

    def __init__(self, prepare: Prepare) -> None:
        def work(document: str, report: Callable[[Progress], None], cancelled: IsCancelled) -> None:
            for stage in prepare(document, cancelled=cancelled):
                report(stage)

        self._line: Line[Progress, None] = Line(work)

    def want(self, document_id: str) -> None:
        """Let a document be read behind those that wait already."""
        self._line.want(document_id, Progress(Step.WAITING, total=len(self.stages)))

    def drop(self, document_id: str) -> None:
        """Let a document not be read, or no further; return once that is so."""
        self._line.end([document_id])
        self._line.forget(document_id)

    def stop(self) -> None:
        """Read no further, as soon as that can be."""
        self._line.end(self.stages, 0.0)

    @property
    def stages(self) -> dict[str, Progress]:
        """Document id -> how far its reading is, of all that are not read yet."""
        return self._line.progress

    @property
    def failures(self) -> dict[str, Notice]:
        """Document id -> why it could not be read."""
        return self._line.failures
