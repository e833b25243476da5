"""Long work as a stream: progress and text while it runs, its result at the end.

Knows no model, no document and no screen.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

R = TypeVar("R")
E = TypeVar("E")

IsCancelled: TypeAlias = Callable[[], bool]


def never() -> bool:
    """Return False: the `IsCancelled` of work that nobody stops."""
    return False


class Step(StrEnum):
    """What is being done."""

    LOADING = "loading"
    MEASURING = "measuring"
    WAITING = "waiting"
    SEARCHING = "searching"
    READING = "reading"
    WRITING = "writing"
    TRANSLATING = "translating"
    SUMMARISING = "summarising"
    EXTRACTING = "extracting"
    EMBEDDING = "embedding"
    DOWNLOADING = "downloading"


@dataclass(frozen=True)
class Progress:
    """How far a step of the work is.

    Attributes:
        name: the step, such as "searching", "reading" or "writing".
        done, total: tokens, sections, pages or bytes; 0 when unknown. While waiting, `total` is
            the number of others that are served first.
        note: pages, as "3" or "3–5"; while measuring, the model's name.
        seconds_left: None when that is unknown.
    """

    name: Step
    done: int = 0
    total: int = 0
    note: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class TextDelta:
    """The next piece of generated text; `restart` discards all pieces before it."""

    text: str
    restart: bool = False


Event: TypeAlias = Progress | TextDelta
Events: TypeAlias = Generator[Event, None, R]  # yields events, returns the result
Work: TypeAlias = Callable[[IsCancelled], Events[R]]


class Stream(Generic[R]):
    """Work that runs while it is iterated; its result is available afterwards.

        for event in stream:      # Progress and TextDelta
            show(event)
        use(stream.result)

    Reading `result` without iterating runs the work to its end.
    """

    def __init__(self, work: Work[R], cancelled: IsCancelled = never) -> None:
        """Args:
        cancelled: stops the work too, beside `cancel`.
        """
        self._cancel = threading.Event()
        self._results: list[R] = []
        self._events = self._run(work, lambda: self._cancel.is_set() or cancelled())

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def close(self) -> None:
        """Leave the work in the middle, in the thread that iterates it."""
        self._events.close()

    @property
    def result(self) -> R:
        """The result; runs what is left of the work.

        Raises:
            QuipuError: the work failed; `Cancelled` when it was stopped.
        """
        for _ in self._events:
            pass
        (result,) = self._results
        return result

    def cancel(self) -> None:
        """Stop the work as soon as possible, from any thread; iteration raises `Cancelled`."""
        self._cancel.set()

    def _run(self, work: Work[R], cancelled: IsCancelled) -> Generator[Event, None, None]:
        self._results.append((yield from work(cancelled)))


def with_progress(
    work: Callable[[IsCancelled, Callable[[E], None]], R], cancelled: IsCancelled
) -> Generator[E, None, R]:
    """Run a blocking call in a thread and yield what it reports; return its result.

    Closing the generator cancels the call and waits for its end.

    Args:
        work: is given whether to stop, and the callback to report to.

    Raises: what the call raises.
    """
    reports: SimpleQueue[list[E]] = SimpleQueue()  # empty when the call has ended
    closed = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(
            work, lambda: closed.is_set() or cancelled(), lambda report: reports.put([report])
        )
        running.add_done_callback(lambda _: reports.put([]))
        try:
            while report := reports.get():
                yield report[0]
        finally:
            closed.set()
        return running.result()
