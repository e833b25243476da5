"""Works that are kept, such as summaries, and those that are being written now. Knows no screen."""

import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from assistant.jobs import Job, Jobs, View
from assistant.storage.base import ReportStore
from assistant.streams import IsCancelled, Progress, TextDelta


class ReportSpec(Protocol):
    """What a work is written for; may be the key of a mapping."""

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids of the documents that are read for it."""
        ...


K = TypeVar("K", bound=ReportSpec)
R = TypeVar("R")


class Reports(Generic[K, R]):
    """The works of one kind about one library; each is written beside everything else."""

    def __init__(
        self,
        write: Callable[[K, IsCancelled], Iterator[Progress | TextDelta | R]],
        store: ReportStore[R],
    ) -> None:
        self._write = write
        self._store = store
        self._jobs: Jobs[K, R] = Jobs()
        self._lock = threading.Lock()

    def every(self) -> list[R]:
        """Return the last work of each order, the newest first."""
        return self._store.every()

    def want(self, order: K) -> Job[R]:
        """Let a work be written, unless that goes on already."""

        def keep(view: View[R]) -> None:
            if view.result is not None:
                self._store.put(view.result)

        with self._lock:
            if (job := self.running.get(order)) is not None:
                return job
            return self._jobs.start(order, Job(lambda stop: self._write(order, stop), keep))

    def last(self, order: K) -> Job[R] | None:
        """Return the last writing for an order since the program began, if there was one."""
        return self._jobs.last(order)

    @property
    def running(self) -> dict[K, Job[R]]:
        """Order -> job, of all that are being written."""
        return self._jobs.running

    def drop(self, document: str) -> None:
        """Stop what is being written about a document, and forget what was."""
        about = [order for order in self._jobs.keys if document in order.documents]
        self._jobs.end(about)
        self._jobs.forget(about)

    def stop(self) -> None:
        """Let everything that is being written end as soon as it can."""
        self._jobs.end(self.running, 0.0)
