"""Documents that are read beside everything else, one after the other. Knows no screen."""

import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

from assistant.errors import QuipuError
from assistant.types import Stage, StageName

Prepare: TypeAlias = Callable[[str], Iterator[Stage]]  # `Assistant.prepare`


class Preparer:
    """Reads documents in a thread of its own; may be asked from any other."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._lock = threading.Lock()
        self._stages: dict[str, Stage] = {}  # id -> how far it is; the first is being read
        self._failures: dict[str, str] = {}

    def want(self, document_id: str) -> None:
        """Let a document be read behind those that wait already."""
        with self._lock:
            self._failures.pop(document_id, None)
            if document_id in self._stages:
                return
            self._stages[document_id] = Stage(StageName.WAITING, total=len(self._stages))
            if len(self._stages) == 1:
                threading.Thread(target=self._work, daemon=True).start()

    @property
    def stages(self) -> dict[str, Stage]:
        """Document id -> how far its reading is, of all that are not read yet."""
        with self._lock:
            return dict(self._stages)

    @property
    def failures(self) -> dict[str, str]:
        """Document id -> why it could not be read."""
        with self._lock:
            return dict(self._failures)

    def _work(self) -> None:
        while document := next(iter(self.stages), None):
            try:
                for stage in self._prepare(document):
                    with self._lock:
                        self._stages[document] = stage
            except QuipuError as error:
                with self._lock:
                    self._failures[document] = str(error)
            with self._lock:
                del self._stages[document]
                if not self._stages:
                    return  # whoever wants another one starts a new thread
