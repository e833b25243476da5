"""Streams that run in background threads, for callers that come and go. Knows no model.

Threads are daemons of our own: those of `concurrent.futures` keep the process from ending until
their work is done, and a model may work for minutes.
"""

import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from assistant.errors import Cancelled, QuipuError
from assistant.streams import Event, Progress, Step, Stream, TextDelta

K = TypeVar("K")
R = TypeVar("R")

WAITING: Final = Progress(Step.WAITING)
END_S: Final = 60.0  # within which a cancelled job ends


@dataclass(frozen=True)
class View(Generic[R]):
    """The state of a job.

    Attributes:
        progress: of the current step; waiting until the job starts.
        text: what was written so far.
        result: None until the end, and when the job was cancelled or failed.
        error: why it failed.
        over: nothing more will happen.
    """

    progress: Progress = WAITING
    text: str = ""
    result: R | None = None
    error: QuipuError | None = None
    cancelled: bool = False
    over: bool = False


class Job(Generic[R]):
    """One stream in the background; may be looked at and cancelled from any thread."""

    def __init__(
        self, stream: Stream[R], ended: Callable[[View[R]], None] = lambda view: None
    ) -> None:
        """Args:
        ended: is called in the job's thread with the last view, before others see it over.
        """
        self._stream: Stream[R] | None = stream
        self._ended = ended
        self._view: View[R] = View()
        self._over = threading.Event()

    @property
    def view(self) -> View[R]:
        """Return what can be shown of it now."""
        return self._view

    def start(self) -> "Job[R]":
        """Run the job in a thread of its own."""
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def cancel(self) -> None:
        """Stop as soon as possible; the text that was written stays."""
        if (stream := self._stream) is not None:
            stream.cancel()

    def wait(self, seconds: float | None = None) -> View[R]:
        """Return the view when the job is over, or after so many seconds."""
        self._over.wait(seconds)
        return self._view

    def run(self) -> None:
        """Run the job in this thread; errors end up in the view."""
        stream = self._stream
        assert stream is not None
        try:
            for event in stream:
                self._view = _with_event(self._view, event)
            self._finish(replace(self._view, result=stream.result))
        except Cancelled:
            self._finish(replace(self._view, cancelled=True))
        except QuipuError as error:
            self._finish(replace(self._view, error=error))
        except Exception:  # a fault of ours: the log has it, the view says it
            traceback.print_exc()
            self._finish(replace(self._view, error=QuipuError()))

    def _finish(self, last: View[R]) -> None:
        try:
            self._ended(last)
        except QuipuError as error:
            last = replace(last, result=None, error=error)
        except Exception:
            traceback.print_exc()
            last = replace(last, result=None, error=QuipuError())
        finally:
            self._view = replace(last, over=True)
            self._stream, self._ended = None, lambda view: None  # what they hold may go
            self._over.set()


class Jobs(Generic[K, R]):
    """The last job of each key, run by at most `workers` threads at a time."""

    def __init__(self, workers: int | None = None) -> None:
        """Args:
        workers: None starts every job at once.
        """
        self._workers = workers
        self._lock = threading.Lock()
        self._jobs: dict[K, Job[R]] = {}
        self._queue: list[Job[R]] = []
        self._busy = 0

    def start(
        self,
        key: K,
        stream: Stream[R],
        ended: Callable[[View[R]], None] = lambda view: None,
    ) -> Job[R]:
        """Run a stream as the last job of its key, behind those that wait already."""
        job = Job(stream, ended)
        with self._lock:
            self._jobs.pop(key, None)
            self._jobs[key] = job
            self._queue.append(job)
            if self._workers is None or self._busy < self._workers:
                self._busy += 1
                threading.Thread(target=self._work, daemon=True).start()
        return job

    def last(self, key: K) -> Job[R] | None:
        """Return the last job of a key, running or over."""
        return self._jobs.get(key)

    @property
    def running(self) -> dict[K, Job[R]]:
        """The jobs that are not over, those that wait included, in the order of their start."""
        return {key: job for key, job in [*self._jobs.items()] if not job.view.over}

    @property
    def results(self) -> dict[K, R]:
        """The results of the jobs that ended well."""
        views = {key: job.view for key, job in [*self._jobs.items()]}
        return {key: view.result for key, view in views.items() if view.result is not None}

    @property
    def failures(self) -> dict[K, QuipuError]:
        """The errors of the jobs that failed."""
        views = {key: job.view for key, job in [*self._jobs.items()]}
        return {key: view.error for key, view in views.items() if view.error is not None}

    @property
    def keys(self) -> list[K]:
        """Return the keys of all jobs, the oldest first."""
        return [*self._jobs]

    def end(self, keys: Collection[K], seconds: float = END_S) -> None:
        """Cancel jobs; return when they are over, or after so many seconds."""
        jobs = [job for key, job in self.running.items() if key in keys]
        for job in jobs:
            job.cancel()
        end = time.monotonic() + seconds
        for job in jobs:
            job.wait(max(0.0, end - time.monotonic()))

    def forget(self, keys: Collection[K]) -> None:
        """Drop what is known of jobs."""
        for key in [*keys]:
            self._jobs.pop(key, None)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._busy -= 1
                    return
                job = self._queue.pop(0)
            job.run()


def _with_event(view: View[Any], event: Event) -> View[Any]:
    match event:
        case Progress():
            return replace(view, progress=event)
        case TextDelta():
            return replace(view, text=event.text if event.restart else view.text + event.text)
