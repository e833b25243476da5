"""The queue: first come, first served, and background work last."""

import threading
import time

import pytest

from assistant.errors import Cancelled
from assistant.queueing import Queue
from assistant.streams import never


def test_the_first_is_served_at_once() -> None:
    with Queue().ticket(never) as ticket:
        assert ticket.position == 0
        assert list(ticket.turn()) == []
        assert not ticket.wanted


def test_others_are_served_in_the_order_in_which_they_came() -> None:
    queue = Queue()
    with queue.ticket(never) as first, queue.ticket(never) as second, queue.ticket(never) as third:
        assert [t.position for t in (first, second, third)] == [0, 1, 2]
        assert not first.wanted


def test_background_work_goes_last_and_is_told_when_somebody_waits() -> None:
    queue = Queue()
    with (
        queue.ticket(never, background=True) as reading,
        queue.ticket(never, background=True) as other,
    ):
        wanted = [reading.wanted]
        with queue.ticket(never) as question:
            wanted.append(reading.wanted)
            assert [t.position for t in (reading, question, other)] == [0, 1, 2]
            reading.pass_on()
            assert [t.position for t in (question, other, reading)] == [0, 1, 2]
        assert [t.position for t in (other, reading)] == [0, 1]
    assert wanted == [False, True]


def test_one_who_passes_on_is_next_again_when_nobody_waits() -> None:
    queue = Queue()
    with queue.ticket(never) as only:
        only.pass_on()
        assert only.position == 0


def test_positions_are_told_as_they_change() -> None:
    queue = Queue()
    told: list[int] = []
    done = threading.Event()

    def ask() -> None:
        with queue.ticket(never) as ticket:
            told.extend(stage.total for stage in ticket.turn())
        done.set()

    with queue.ticket(never):
        with queue.ticket(never):
            thread = threading.Thread(target=ask)
            thread.start()
            while told != [2]:
                time.sleep(0.01)
        while told != [2, 1]:
            time.sleep(0.01)
    assert done.wait(5)
    assert told == [2, 1]


def test_one_who_waits_may_give_up_and_holds_up_nobody() -> None:
    queue = Queue()
    stop = threading.Event()
    with queue.ticket(never) as first:
        with pytest.raises(Cancelled), queue.ticket(stop.is_set) as impatient:
            for _ in impatient.turn():
                stop.set()
        with queue.ticket(never) as next_:
            assert (first.position, next_.position) == (0, 1)


def test_everybody_is_served_once_under_load() -> None:
    queue = Queue()
    inside: list[int] = []
    served: list[int] = []

    def ask(number: int) -> None:
        with queue.ticket(never, background=number % 3 == 0) as ticket:
            list(ticket.turn())
            inside.append(number)
            time.sleep(0.002)
            assert inside == [number]
            served.append(inside.pop())

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(served) == list(range(24))
