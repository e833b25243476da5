"""Long work beside, and what it reports while it goes on."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

from assistant.backends.base import PrefillReport
from assistant.streams import IsCancelled

T = TypeVar("T")
E = TypeVar("E")
Work: TypeAlias = Callable[[IsCancelled, PrefillReport], T]


def watched(
    work: Work[T], cancelled: IsCancelled, tell: Callable[[int, int], E]
) -> Generator[E, None, T]:
    """Yield what is to be told of the work as it goes on; return what it returns.

    Whoever stops looking stops the work.

    Args:
        tell: from the tokens that are read, and to be read, to what is told of them.

    Raises: what the work raises.
    """
    reports: SimpleQueue[tuple[int, int] | None] = SimpleQueue()  # None when all is done
    alone = threading.Event()
    with ThreadPoolExecutor(1) as other:
        running = other.submit(
            work,
            lambda: alone.is_set() or cancelled(),
            lambda done, total: reports.put((done, total)),
        )
        running.add_done_callback(lambda _: reports.put(None))
        try:
            while report := reports.get():
                yield tell(*report)
        finally:
            alone.set()
        return running.result()
