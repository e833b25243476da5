"""Work that goes on in a thread of its own while faces look at it. Knows no model and no screen."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from assistant.errors import Cancelled as Stopped
from assistant.errors import QuipuError
from assistant.protocols import Cancelled
from assistant.types import Piece, Stage

R = TypeVar("R")


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

    stage: Stage | None = None
    text: str = ""
    result: R | None = None
    error: QuipuError | None = None
    stopped: bool = False
    over: bool = False


class Job(Generic[R]):
    """One piece of work; may be looked at and stopped from any thread."""

    def __init__(
        self,
        work: Callable[[Cancelled], Iterator[Stage | Piece | R]],
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
        except Stopped:
            last = replace(self._view, result=None, stopped=True)
        except QuipuError as error:
            last = replace(self._view, result=None, error=error)
        except Exception:
            last = replace(self._view, result=None, error=QuipuError(BROKEN))
            self._finish(last)
            raise
        self._finish(last)

    def _finish(self, last: View[R]) -> None:
        self._ended(last)  # first: whoever sees that it is over finds what came of it kept
        self._view = replace(last, over=True)

    def _note(self, event: Stage | Piece | R) -> None:
        match event:
            case Stage():
                self._view = replace(self._view, stage=event)
            case Piece():
                text = event.text if event.restart else self._view.text + event.text
                self._view = replace(self._view, text=text)
            case _:
                self._view = replace(self._view, result=event)


BROKEN = "Something broke inside Quipu: ask again, and report it with what the terminal shows."
