"""A queue for the model: one call at a time, first come, first served.

Background work runs when nobody else waits, and is told when somebody does. Knows nothing of what
is done with a turn.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from assistant.errors import Cancelled
from assistant.streams import Progress, Step

LOOK_S: Final = 0.1  # between two checks while waiting


class Ticket:
    """A place in the queue; the first one is being served.

    Attributes:
        cancelled: tells whether its holder has given up.
    """

    def __init__(self, queue: "Queue", cancelled: Callable[[], bool], *, background: bool) -> None:
        self._queue = queue
        self.cancelled = cancelled
        self.background = background

    @property
    def position(self) -> int:
        """How many are served first; 0 when it is this one's turn."""
        return self._queue.position(self)

    @property
    def wanted(self) -> bool:
        """Whether it is this one's turn, it is background work, and somebody else waits."""
        return self._queue.wanted(self)

    def turn(self) -> Iterator[Progress]:
        """Yield progress whenever the position has changed, until it is this one's turn.

        Raises:
            Cancelled: its holder gave up.
        """
        told = 0
        while (position := self._queue.look(self, LOOK_S if told else 0.0)) > 0:
            if self.cancelled():
                raise Cancelled
            if position != told:
                yield Progress(Step.WAITING, 0, position)
            told = position

    def pass_on(self) -> None:
        """Give up the turn to those who wait now, and queue again behind them."""
        self._queue.to_the_end(self)


class Queue:
    """Tickets in the order in which they are served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets: list[Ticket] = []

    @contextmanager
    def ticket(
        self, cancelled: Callable[[], bool], *, background: bool = False
    ) -> Iterator[Ticket]:
        """Hold a place in the queue; leaving the block gives it up."""
        ticket = Ticket(self, cancelled, background=background)
        with self._changed:
            self._enter(ticket)
        try:
            yield ticket
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()

    def position(self, ticket: Ticket) -> int:
        """Return how many calls go before this one."""
        with self._changed:
            return self._tickets.index(ticket)

    def look(self, ticket: Ticket, seconds: float) -> int:
        """Return the position of a ticket: at once when it is 0, else after a change or a wait."""
        with self._changed:
            if self._tickets.index(ticket) > 0:
                self._changed.wait(seconds)
            return self._tickets.index(ticket)

    def wanted(self, ticket: Ticket) -> bool:
        """Return whether somebody waits for the model while this background work has it."""
        with self._changed:
            return self._tickets[0] is ticket and any(
                ticket.background and not other.background for other in self._tickets[1:]
            )

    def to_the_end(self, ticket: Ticket) -> None:
        """Let others go first, and wait again."""
        with self._changed:
            self._tickets.remove(ticket)
            self._enter(ticket)
            self._changed.notify_all()

    def _enter(self, ticket: Ticket) -> None:
        """Put a ticket behind all others, but before background work that waits."""
        place = len(self._tickets)
        if not ticket.background:
            while place > 1 and self._tickets[place - 1].background:
                place -= 1
        self._tickets.insert(place, ticket)
