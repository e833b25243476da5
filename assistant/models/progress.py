"""Progress of a download. Knows neither what is downloaded nor from where."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

RATE_SECONDS = 10.0  # long enough to smooth a wheel's start, short enough to show a stall
REPORT_SECONDS = 0.1  # ten lines a second is all an eye can use


@dataclass(frozen=True)
class PullProgress:
    """Attributes:
    bytes_done: fetched so far, in earlier attempts too.
    bytes_total: 0 when unknown.
    bytes_per_second: over the last ten seconds.
    seconds_left: None when unknown.
    note: what is being done: "fetching", "waiting" for another process, "checking", "unpacking".
    """

    bytes_done: int
    bytes_total: int
    bytes_per_second: float
    seconds_left: float | None
    note: str = ""


Report = Callable[[PullProgress], None]


def silent(progress: PullProgress) -> None:
    """Report to nobody."""


class Meter:
    """Turns byte counts into progress, at most ten times a second."""

    def __init__(
        self, total: int, report: Report, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self._report = report
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()
        self._reported_at = float("-inf")

    def at(self, bytes_done: int) -> None:
        """Note that `bytes_done` are there; report it unless the last report is fresh."""
        now = self._clock()
        self._samples.append((now, bytes_done))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()
        if now - self._reported_at >= REPORT_SECONDS or bytes_done == self.total:
            self._reported_at = now
            self._report(self._progress(bytes_done))

    def say(self, note: str, bytes_done: int = 0) -> None:
        """Report what is being done now, at once."""
        self._report(PullProgress(bytes_done, self.total, 0.0, None, note))

    def _progress(self, bytes_done: int) -> PullProgress:
        first_time, first_bytes = self._samples[0]
        seconds = self._samples[-1][0] - first_time
        rate = max(bytes_done - first_bytes, 0) / seconds if seconds else 0.0
        known = rate > 0 and self.total >= bytes_done
        left = (self.total - bytes_done) / rate if known else None
        return PullProgress(bytes_done, self.total, rate, left, "fetching")
