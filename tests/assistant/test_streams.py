"""Streams: events while they run, a result at the end, and a way to stop them."""

import threading
import time
from collections.abc import Callable

import pytest

from assistant.errors import Cancelled, EmptyQuestion
from assistant.streams import Events, IsCancelled, Progress, Step, Stream, TextDelta, with_progress


def counting(cancelled: IsCancelled) -> Events[int]:
    for n in range(3):
        if cancelled():
            raise Cancelled
        yield TextDelta(str(n))
    return 3


def test_a_result_is_there_after_the_events_and_without_looking_at_them() -> None:
    stream = Stream(counting)
    assert [*stream] == [TextDelta("0"), TextDelta("1"), TextDelta("2")]
    assert (stream.result, stream.result) == (3, 3)
    assert Stream(counting).result == 3


def test_nothing_runs_before_somebody_looks() -> None:
    begun: list[bool] = []

    def work(cancelled: IsCancelled) -> Events[None]:
        begun.append(True)
        yield Progress(Step.LOADING)

    stream = Stream(work)
    assert begun == []
    assert stream.result is None
    assert begun == [True]


def test_an_error_comes_where_the_events_come() -> None:
    def work(cancelled: IsCancelled) -> Events[int]:
        yield Progress(Step.LOADING)
        raise EmptyQuestion

    stream = Stream(work)
    with pytest.raises(EmptyQuestion):
        _ = stream.result


@pytest.mark.parametrize("outside", [True, False])
def test_it_is_cancelled_by_its_own_call_and_from_outside(outside: bool) -> None:
    stop = threading.Event()
    stream = Stream(counting, stop.is_set)
    assert next(iter(stream)) == TextDelta("0")
    stop.set() if outside else stream.cancel()
    with pytest.raises(Cancelled):
        _ = stream.result


def test_a_blocking_call_yields_what_it_reports_and_returns_its_result() -> None:
    def work(cancelled: IsCancelled, report: Callable[[int], None]) -> str:
        for n in (1, 2):
            report(n)
        return "done"

    steps = with_progress(work, lambda: False)
    assert [next(steps), next(steps)] == [1, 2]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "done"


def test_leaving_a_blocking_call_cancels_it_and_waits_for_its_end() -> None:
    ended: list[bool] = []

    def work(cancelled: IsCancelled, report: Callable[[int], None]) -> None:
        report(1)
        while not cancelled():
            time.sleep(0.002)
        ended.append(True)

    steps = with_progress(work, lambda: False)
    assert next(steps) == 1
    steps.close()
    assert ended == [True]


def test_what_a_blocking_call_raises_is_raised() -> None:
    def work(cancelled: IsCancelled, report: Callable[[int], None]) -> None:
        raise EmptyQuestion

    with pytest.raises(EmptyQuestion):
        next(with_progress(work, lambda: False))
