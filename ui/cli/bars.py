"""Progress bars on stderr; there are none where nobody looks at a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as ProgressBar

from assistant.models.progress import PullProgress
from assistant.streams import Progress
from ingest.indexing import AddingProgress
from ui.cli import terminal


def _bars() -> ProgressBar:
    console = Console(stderr=True, highlight=False)
    return ProgressBar(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def pulling(name: str) -> Iterator[Callable[[PullProgress], None]]:
    """Show bytes, rate and time left while a model is downloaded."""
    words = terminal.words
    with _bars() as bars:
        bar = bars.add_task(name, total=None, note="")

        def report(now: PullProgress) -> None:
            note = words(f"pulling.{now.note}")
            if now.note == "fetching":
                sizes = {"done": words.size(now.bytes_done), "total": words.size(now.bytes_total)}
                note = words("pulling.bytes", **sizes, rate=words.size(now.bytes_per_second))
            bars.update(
                bar,
                total=now.bytes_total or None,
                completed=now.bytes_done,
                note=_with_time(note, now.seconds_left),
            )

        yield report


@contextmanager
def adding() -> Iterator[Callable[[AddingProgress], None]]:
    """Show pages and time left while documents are added."""
    with _bars() as bars:
        bar = bars.add_task("", total=None, note="")

        def report(now: AddingProgress) -> None:
            bars.update(
                bar,
                description=now.path.name,
                total=now.pages_total or None,
                completed=now.pages_done,
                note=_with_time(terminal.words.adding(now), now.seconds_left),
            )

        yield report


@contextmanager
def reading(title: str) -> Iterator[Callable[[Progress], None]]:
    """Show pages and time left while a document is pre-read."""
    with _bars() as bars:
        bar = bars.add_task(title, total=None, note="")

        def show(stage: Progress) -> None:
            note = terminal.words.progress(stage)
            bars.update(bar, total=stage.total or None, completed=stage.done, note=note)

        yield show


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many are done, and the time left."""
    with _bars() as bars:
        bar = bars.add_task(title, total=None, note="")
        start = time.monotonic()

        def show(done: int, total: int) -> None:
            left = (time.monotonic() - start) / done * (total - done) if done else None
            note = terminal.words("pulling.count", done=done, total=total)
            bars.update(bar, total=total, completed=done, note=_with_time(note, left))

        yield show


def _with_time(note: str, seconds_left: float | None) -> str:
    return f"{note} · {terminal.words.left(seconds_left)}" if seconds_left else note
