"""What long work reports while it runs: progress, text as it is written, and whether to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

IsCancelled: TypeAlias = Callable[[], bool]


def never() -> bool:
    """Return False: the `IsCancelled` of work that nobody stops."""
    return False


class Step(StrEnum):
    LOADING = "loading"
    MEASURING = "measuring"
    WAITING = "waiting"
    SEARCHING = "searching"
    READING = "reading"
    WRITING = "writing"
    TRANSLATING = "translating"
    SUMMARISING = "summarising"


@dataclass(frozen=True)
class Progress:
    """What the assistant is doing; `done` of `total` in tokens or sections, 0 when unknown.

    Who waits is told how many others are served before, as `total`.

    Attributes:
        note: pages, as "3" or "3–5".
        seconds_left: None when that cannot be told.
    """

    name: Step
    done: int = 0
    total: int = 0
    note: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class TextDelta:
    """The next piece of streamed text; `restart` means: forget what was streamed before."""

    text: str
    restart: bool = False
