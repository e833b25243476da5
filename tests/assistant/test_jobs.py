"""Work beside: what can be seen of it while it goes on, and what becomes of it."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from assistant.errors import EmptyQuestion, QuipuError
from assistant.jobs import Job, Line, View
from assistant.streams import IsCancelled, Progress, Step, TextDelta


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_job_shows_its_stage_and_text_and_last_its_result() -> None:
    go = threading.Event()

    def work(cancelled: IsCancelled) -> Iterator[Progress | TextDelta | int]:
        yield Progress(Step.WRITING)
        yield TextDelta("wrong")
        yield TextDelta("", restart=True)
        yield TextDelta("one ")
        yield TextDelta("two")
        assert go.wait(10)
        yield 2

    job = Job(work).start()
    until(lambda: job.view.text == "one two")
    assert job.view == View(Progress(Step.WRITING), "one two")
    go.set()
    assert job.wait() == View(Progress(Step.WRITING), "one two", result=2, over=True)


def test_a_job_is_over_once_its_end_was_told() -> None:
    told: list[View[int]] = []

    def ended(view: View[int]) -> None:
        assert not job.view.over
        told.append(view)

    job: Job[int] = Job(lambda cancelled: iter([7]), ended)
    assert job.start().wait().over
    assert [view.result for view in told] == [7]


def test_a_job_that_fails_says_why() -> None:
    def work(cancelled: IsCancelled) -> Iterator[int]:
        yield 1
        raise EmptyQuestion

    view = Job(work).start().wait()
    assert (view.result, view.over) == (None, True)
    assert isinstance(view.error, EmptyQuestion)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_breaks_ends_with_an_error() -> None:
    def work(cancelled: IsCancelled) -> Iterator[int]:
        yield 1 // 0

    view = Job(work).start().wait()
    assert view.over
    assert type(view.error) is QuipuError


def counted(done: list[str], go: threading.Event) -> Line[int, str]:
    def work(key: str, report: Callable[[int], None], cancelled: IsCancelled) -> str:
        done.append(key)
        report(1)
        assert go.wait(10)
        if key == "bad":
            raise EmptyQuestion
        return key.upper()

    return Line(work)


def test_a_line_works_in_order_and_keeps_what_came_of_each() -> None:
    go, done = threading.Event(), []  # type: ignore[var-annotated]
    line = counted(done, go)
    for key in ("a", "bad", "a", "c"):
        line.want(key, 0)
    until(lambda: line.progress == {"a": 1, "bad": 0, "c": 0})
    line.stop("c")
    go.set()
    until(lambda: not line.progress)
    assert done == ["a", "bad"]
    assert line.results == {"a": "A"}
    assert line.failures == {"bad": EmptyQuestion().notice}
    line.forget("bad")
    assert line.failures == {}
    line.want("c", 0)
    until(lambda: line.results == {"a": "A", "c": "C"})


def test_a_job_whose_end_cannot_be_kept_is_over_and_says_why() -> None:
    def ended(view: View[int]) -> None:
        raise EmptyQuestion

    job: Job[int] = Job(lambda cancelled: iter([7]), ended)
    view = job.start().wait(10)
    assert (view.over, view.result) == (True, None)
    assert isinstance(view.error, EmptyQuestion)
