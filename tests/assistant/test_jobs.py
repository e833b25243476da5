"""Jobs: what can be seen of them while they run, and what becomes of them."""

import threading
import time
from collections.abc import Callable

import pytest

from assistant.errors import Cancelled, EmptyQuestion, QuipuError
from assistant.jobs import Job, Jobs, View
from assistant.streams import Events, IsCancelled, Progress, Step, Stream, TextDelta

WRITING = Progress(Step.WRITING)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def returning(value: int) -> Stream[int]:
    def work(cancelled: IsCancelled) -> Events[int]:
        yield WRITING
        return value

    return Stream(work)


def failing(error: Exception) -> Stream[int]:
    def work(cancelled: IsCancelled) -> Events[int]:
        yield WRITING
        raise error

    return Stream(work)


def test_a_job_shows_its_progress_and_text_and_at_the_end_its_result() -> None:
    go = threading.Event()

    def work(cancelled: IsCancelled) -> Events[int]:
        yield WRITING
        yield TextDelta("wrong")
        yield TextDelta("", restart=True)
        yield TextDelta("one ")
        yield TextDelta("two")
        assert go.wait(10)
        return 2

    job = Job(Stream(work)).start()
    until(lambda: job.view.text == "one two")
    assert job.view == View(WRITING, "one two")
    go.set()
    assert job.wait() == View(WRITING, "one two", result=2, over=True)


def test_a_job_is_over_once_its_end_was_told() -> None:
    told: list[View[int]] = []

    def ended(view: View[int]) -> None:
        assert not job.view.over
        told.append(view)

    job: Job[int] = Job(returning(7), ended)
    assert job.start().wait().over
    assert [view.result for view in told] == [7]


def test_a_job_that_fails_says_why() -> None:
    view = Job(failing(EmptyQuestion())).start().wait()
    assert (view.result, view.over) == (None, True)
    assert isinstance(view.error, EmptyQuestion)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_breaks_ends_with_a_sentence() -> None:
    view = Job(failing(ZeroDivisionError())).start().wait()
    assert view.over
    assert type(view.error) is QuipuError


def test_a_job_whose_end_cannot_be_stored_is_over_and_says_why() -> None:
    def ended(view: View[int]) -> None:
        raise EmptyQuestion

    view = Job(returning(7), ended).start().wait(10)
    assert (view.over, view.result) == (True, None)
    assert isinstance(view.error, EmptyQuestion)


def test_a_cancelled_job_keeps_what_was_written() -> None:
    def work(cancelled: IsCancelled) -> Events[int]:
        yield TextDelta("half")
        until(cancelled)
        raise Cancelled

    job = Job(Stream(work)).start()
    until(lambda: job.view.text == "half")
    job.cancel()
    assert job.wait(10) == View(text="half", cancelled=True, over=True)
    job.cancel()  # once more does nothing


class Held:
    """Streams that wait until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[str] = []

    def stream(self, key: str) -> Stream[str]:
        def work(cancelled: IsCancelled) -> Events[str]:
            if cancelled():
                raise Cancelled
            self.begun.append(key)
            yield Progress(Step.READING, 1, 4)
            assert self.go.wait(10)
            if key == "bad":
                raise EmptyQuestion
            return key.upper()

        return Stream(work)


def test_one_worker_runs_jobs_in_order_and_a_failure_stops_no_other() -> None:
    held = Held()
    jobs: Jobs[str, str] = Jobs(workers=1)
    for key in ("a", "bad", "c", "d"):
        jobs.start(key, held.stream(key))
    until(lambda: held.begun == ["a"])
    assert list(jobs.running) == ["a", "bad", "c", "d"]
    assert jobs.running["bad"].view == View()  # it waits
    jobs.end(["c"], 0.0)
    held.go.set()
    until(lambda: not jobs.running)
    assert held.begun == ["a", "bad", "d"]
    assert jobs.results == {"a": "A", "d": "D"}
    assert list(jobs.failures) == ["bad"]
    jobs.forget(["bad"])
    assert jobs.failures == {}
    jobs.start("c", held.stream("c"))  # a new thread, as the last one has ended
    until(lambda: jobs.results == {"a": "A", "d": "D", "c": "C"})


def test_without_a_limit_jobs_run_side_by_side() -> None:
    held = Held()
    jobs: Jobs[str, str] = Jobs()
    for key in ("a", "b"):
        jobs.start(key, held.stream(key))
    until(lambda: sorted(held.begun) == ["a", "b"])
    held.go.set()
    until(lambda: not jobs.running)


def test_ending_jobs_waits_until_they_have_ended() -> None:
    def work(cancelled: IsCancelled) -> Events[str]:
        yield WRITING
        until(cancelled)
        time.sleep(0.1)
        raise Cancelled

    jobs: Jobs[str, str] = Jobs()
    job = jobs.start("a", Stream(work))
    jobs.end(["a"])
    assert job.view.cancelled
    assert jobs.running == {}
