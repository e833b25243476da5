"""Documents that are read beside everything else, one after the other. Knows no screen."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from assistant.errors import Failure
from assistant.protocols import Cancelled
from assistant.types import Stage, StageName
from assistant.working import Line

Prepare: TypeAlias = Callable[[str], Iterator[Stage]]  # `Assistant.prepare`


class Preparer:
    """Reads documents in a thread of its own; may be asked from any other."""

    def __init__(self, prepare: Prepare) -> None:
        def work(document: str, report: Callable[[Stage], None], _: Cancelled) -> None:
            for stage in prepare(document):
                report(stage)

        self._line: Line[Stage, None] = Line(work)

    def want(self, document_id: str) -> None:
        """Let a document be read behind those that wait already."""
        self._line.want(document_id, Stage(StageName.WAITING, total=len(self.stages)))

    @property
    def stages(self) -> dict[str, Stage]:
        """Document id -> how far its reading is, of all that are not read yet."""
        return self._line.progress

    @property
    def failures(self) -> dict[str, Failure]:
        """Document id -> why it could not be read."""
        return self._line.failures
