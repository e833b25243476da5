"""Work that goes on in a thread of its own while faces look at it. Knows no model and no screen."""

import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from assistant.errors import Cancelled, Notice, QuipuError
from assistant.streams import IsCancelled, Progress, TextDelta

K = TypeVar("K")
P = TypeVar("P")
R = TypeVar("R")

ENDED_S: Final = 60.0  # within which a job that is stopped ends


@dataclass(frozen=True)
class View(Generic[R]):
    """How far work is.

    Attributes:
        text: what was written so far.
        result: what came of it; None while it goes on, and when it was stopped or failed.
        error: why it failed.
        stopped: somebody stopped it.
        over: nothing more will happen.
    """

    stage: Progress | None = None
    text: str = ""
    result: R | None = None
    error: QuipuError | None = None
    stopped: bool = False
    over: bool = False


class Job(Generic[R]):
    """One piece of work; may be looked at and stopped from any thread."""

    def __init__(
        self,
        work: Callable[[IsCancelled], Iterator[Progress | TextDelta | R]],
        ended: Callable[[View[R]], None] = lambda view: None,
    ) -> None:
        """Args:
        work: yields stages and pieces of text, and last the result.
        ended: is told, in the thread of the work, what came of it.
        """
        self._work = work
        self._ended = ended
        self._stop = threading.Event()
        self._view: View[R] = View()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Job[R]":
        self._thread.start()
        return self

    @property
    def view(self) -> View[R]:
        return self._view

    def stop(self) -> None:
        """Let the work end as soon as it can; what was written stays."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> View[R]:
        """Return the view when the work is over, or the seconds are."""
        self._thread.join(seconds)
        return self._view

    def _run(self) -> None:
        try:
            for event in self._work(self._stop.is_set):
                self._note(event)
            last = self._view
        except Cancelled:
            last = replace(self._view, result=None, stopped=True)
        except QuipuError as error:
            last = replace(self._view, result=None, error=error)
        except Exception:
            last = replace(self._view, result=None, error=QuipuError())
            self._finish(last)
            raise
        self._finish(last)

    def _finish(self, last: View[R]) -> None:
        try:
            self._ended(last)  # first: whoever sees that it is over finds what came of it kept
        except QuipuError as error:
            last = replace(last, result=None, error=error)
        except Exception:
            last = replace(last, result=None, error=QuipuError())
            raise
        finally:
            self._view = replace(last, over=True)
            del self._work, self._ended  # what they hold, a model perhaps, may go

    def _note(self, event: Progress | TextDelta | R) -> None:
        match event:
            case Progress():
                self._view = replace(self._view, stage=event)
            case TextDelta():
                text = event.text if event.restart else self._view.text + event.text
                self._view = replace(self._view, text=text)
            case _:
                self._view = replace(self._view, result=event)


class Jobs(Generic[K, R]):
    """The last job of each key."""

    def __init__(self) -> None:
        self._jobs: dict[K, Job[R]] = {}

    def start(self, key: K, job: Job[R]) -> Job[R]:
        """Let a job go on as the last one of its key."""
        self._jobs[key] = job
        return job.start()

    def last(self, key: K) -> Job[R] | None:
        """Return the last job, whether or not it is over."""
        return self._jobs.get(key)

    @property
    def running(self) -> dict[K, Job[R]]:
        """Key -> job, of those that go on; the first that began is the first."""
        return {key: job for key, job in [*self._jobs.items()] if not job.view.over}

    def end(self, keys: Collection[K], seconds: float = ENDED_S) -> None:
        """Stop jobs, and return when they are over, or so much time is."""
        jobs = [job for key, job in self.running.items() if key in keys]
        for job in jobs:
            job.stop()
        end = time.monotonic() + seconds
        for job in jobs:
            job.wait(max(0.0, end - time.monotonic()))

    def forget(self, keys: Collection[K]) -> None:
        """Know nothing of jobs any more."""
        for key in keys:
            self._jobs.pop(key, None)

    @property
    def keys(self) -> list[K]:
        return [*self._jobs]


class Line(Generic[P, R]):
    """Pieces of work of one kind, done one after the other in a thread; each has a key.

    Attributes:
        progress: key -> how far it is, of all that are not over; the first is being worked on.
        results: key -> what came of it, until it is forgotten.
        failures: key -> why it failed, until it is forgotten or wanted again.
    """

    def __init__(self, work: Callable[[str, Callable[[P], None], IsCancelled], R]) -> None:
        """Args:
        work: is given the key, whom to report to, and whom to ask whether to stop.
        """
        self._work = work
        self._lock = threading.Lock()
        self._progress: dict[str, P] = {}
        self._results: dict[str, R] = {}
        self._failures: dict[str, Notice] = {}
        self._stopped: set[str] = set()

    @property
    def progress(self) -> dict[str, P]:
        with self._lock:
            return dict(self._progress)

    @property
    def results(self) -> dict[str, R]:
        with self._lock:
            return dict(self._results)

    @property
    def failures(self) -> dict[str, Notice]:
        with self._lock:
            return dict(self._failures)

    def want(self, key: str, first: P) -> None:
        """Let a piece be done behind those that wait already, unless it is among them.

        Args:
            first: how far it is until it begins.
        """
        with self._lock:
            self._failures.pop(key, None)
            self._results.pop(key, None)
            if key in self._progress:
                return
            self._stopped.discard(key)
            self._progress[key] = first
            if len(self._progress) == 1:
                threading.Thread(target=self._run, daemon=True).start()

    def stop(self, key: str) -> None:
        """Let a piece end as soon as it can, or not begin."""
        with self._lock:
            self._stopped.add(key)

    def end(self, keys: Collection[str], seconds: float = ENDED_S) -> None:
        """Stop pieces, and return when they are over, or so much time is."""
        keys = [*keys]
        for key in keys:
            self.stop(key)
        end = time.monotonic() + seconds
        while self.progress.keys() & keys and time.monotonic() < end:
            time.sleep(0.02)

    def forget(self, key: str) -> None:
        """Drop what came of a piece that is over."""
        with self._lock:
            self._results.pop(key, None)
            self._failures.pop(key, None)

    def _run(self) -> None:
        while key := next(iter(self.progress), None):
            result, failure = self._done(key)
            with self._lock:
                if failure:
                    self._failures[key] = failure
                elif result is not None:
                    self._results[key] = result
                del self._progress[key]
                if not self._progress:
                    return  # whoever wants another one starts a new thread

    def _done(self, key: str) -> tuple[R | None, Notice | None]:
        def report(now: P) -> None:
            with self._lock:
                self._progress[key] = now

        try:
            if key not in self._stopped:
                return self._work(key, report, lambda: key in self._stopped), None
        except Cancelled:
            pass
        except QuipuError as error:
            return None, error.notice
        except Exception:
            traceback.print_exc()
            return None, QuipuError().notice
        return None, None
