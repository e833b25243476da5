"""Reading beside: one document after the other, each once, and a failure stops no other."""

import threading
import time
from collections.abc import Callable, Iterator

from assistant.errors import Cancelled, NotKept
from assistant.preparing import Preparer
from assistant.streams import IsCancelled, Progress, Step


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_documents_are_read_one_after_the_other_and_each_once() -> None:
    go = threading.Event()
    begun: list[str] = []

    def prepare(document: str, *, cancelled: IsCancelled) -> Iterator[Progress]:
        begun.append(document)
        yield Progress(Step.READING, 1, 4)
        assert go.wait(10)

    preparer = Preparer(prepare)
    for document in ("a", "b", "a"):
        preparer.want(document)
    until(lambda: preparer.stages["a"].done == 1)
    assert list(preparer.stages) == ["a", "b"]
    assert preparer.stages["b"] == Progress(Step.WAITING, total=1)
    assert begun == ["a"]
    go.set()
    until(lambda: not preparer.stages)
    assert begun == ["a", "b"]
    preparer.want("c")
    until(lambda: begun == ["a", "b", "c"] and not preparer.stages)


def test_one_that_fails_says_why_and_the_next_is_read() -> None:
    read: list[str] = []

    def prepare(document: str, *, cancelled: IsCancelled) -> Iterator[Progress]:
        if document == "bad" and not read:
            raise NotKept(title="Bad book")
        read.append(document)
        yield Progress(Step.READING, 1, 1)

    preparer = Preparer(prepare)
    preparer.want("bad")
    preparer.want("good")
    until(lambda: not preparer.stages)
    assert read == ["good"]
    assert preparer.failures == {"bad": NotKept(title="Bad book").notice}
    preparer.want("bad")  # once more, now that there is room
    until(lambda: not preparer.stages)
    assert preparer.failures == {}


def test_a_document_that_is_dropped_is_read_no_further() -> None:
    ended: list[str] = []

    def prepare(document: str, *, cancelled: IsCancelled) -> Iterator[Progress]:
        yield Progress(Step.READING, 1, 4)
        until(cancelled)
        ended.append(document)
        raise Cancelled

    preparer = Preparer(prepare)
    preparer.want("a")
    until(lambda: preparer.stages["a"].done == 1)
    preparer.drop("a")
    assert (ended, preparer.stages, preparer.failures) == (["a"], {}, {})
