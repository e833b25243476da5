"""The user's terminal: its language, streamed text, a status line, and Ctrl-C.

Text goes to stdout, everything about progress to stderr. Knows no tables; see `tables` and `bars`.
"""

import json
import os
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ui.words import Words

if TYPE_CHECKING:
    from assistant.errors import Fact
    from assistant.streams import Progress, Stream, TextDelta
    from assistant.types import Answer, Citation, Passage

WIDTH: Final = 100  # columns of a quote, at most
QUOTE_CHARS: Final = 400
SENTENCE_CHARS: Final = 200
CLEAR: Final = "\r\x1b[K"
R = TypeVar("R")

words = Words("en", in_terminal=True)


def speak(code: str) -> None:
    """Speak a language from now on."""
    global words
    words = Words(code, in_terminal=True)


def say(key: str, **facts: "Fact") -> None:
    """Print a sentence."""
    print(words(key, **facts))


def complain(text: str) -> None:
    """Print on stderr what went wrong."""
    print(f"quipu: {text}", file=sys.stderr)


def remark(text: str) -> None:
    """Print on stderr what matters less, dimmed where colours are shown."""
    is_dim = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(f"\x1b[2m{text}\x1b[0m" if is_dim else text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print what scripts read; it is never translated."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def typed() -> str:
    """Return a line that the user types; "" at the end of the input."""
    with suppress(ImportError):
        import_module("readline")  # gives `input` a history and the arrow keys
    try:
        return input("\n> ").strip()
    except EOFError:
        return ""


class LiveText:
    """Streamed text on stdout, and a status line on stderr that says what is being done.

    The status is only drawn on a line of its own, so that clearing it never clears text.
    """

    def __init__(self) -> None:
        self._mid_line = False  # the cursor is behind streamed text
        self._has_status = False

    def progress(self, stage: "Progress") -> None:
        """Show a step until text or another step comes."""
        if not sys.stderr.isatty():
            return
        if self._mid_line and sys.stdout.isatty():
            self._end_line()
        columns = shutil.get_terminal_size().columns
        sys.stderr.write(f"{CLEAR}{words.progress(stage)[: columns - 1]}\r")
        sys.stderr.flush()
        self._has_status = True

    def text(self, delta: "TextDelta") -> None:
        """Print streamed text; a restart begins a new paragraph."""
        self._clear()
        if delta.restart:
            sys.stdout.write("\n\n" if self._mid_line else "\n")
            self._mid_line = False
        sys.stdout.write(delta.text)
        sys.stdout.flush()
        if delta.text:
            self._mid_line = not delta.text.endswith("\n")

    def close(self) -> None:
        """Clear the status and end the last line of the text."""
        self._clear()
        if self._mid_line:
            self._end_line()

    def _clear(self) -> None:
        if self._has_status:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
            self._has_status = False

    def _end_line(self) -> None:
        sys.stdout.write("\n")
        sys.stdout.flush()
        self._mid_line = False


@contextmanager
def following() -> Iterator[LiveText]:
    """Yield what shows the progress and the text of one piece of work."""
    live = LiveText()
    try:
        yield live
    finally:
        live.close()


def follow(stream: "Stream[R]", *, quiet: bool) -> R:
    """Show what is done and written, and return the result.

    Args:
        quiet: whether the text is not printed.
    """
    from assistant.streams import Progress

    with following() as live:
        for event in stream:
            if isinstance(event, Progress):
                live.progress(event)
            elif not quiet:
                live.text(event)
    return stream.result


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a flag that long work looks at; a second Ctrl-C ends at once."""
    stop = threading.Event()

    def note(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def sources(answer: "Answer", translations: Sequence[str] = ()) -> None:
    """Print what an answer is based on: document, page, the quoted sentence; and how it was made.

    Args:
        translations: of the quotes, in the order of the citations; none when not asked for.
    """
    if answer.citations:
        print()
    told = zip(answer.citations, translations or [""] * len(answer.citations), strict=True)
    for citation, translation in sorted(told, key=lambda pair: pair[0].marker):
        print(_source(citation, translation))
    for sentence in answer.unsupported:
        say("ask.unsupported", sentence=textwrap.shorten(sentence, SENTENCE_CHARS))
    if answer.truncated:
        say("ask.truncated")
    remark(words.timing(answer))


def passage(number: int, found: "Passage") -> None:
    """Print a passage that a search found."""
    page = words("source.page", page=found.chunk.page_at(0))
    print(f"[{number}] {found.document.title}, {page}\n{_quote(found.chunk.text, '    ')}")


def _source(citation: "Citation", translation: str) -> str:
    page = words("source.page", page=citation.page)
    doubt = "" if citation.supported else f" ({words('source.weak')})"
    quotes = [_quote(citation.quote, "    ")]
    if translation not in ("", citation.quote):
        quotes.append(_quote(translation, "    = "))
    return "\n".join([f"[{citation.marker}] {citation.document}, {page}{doubt}", *quotes])


def _quote(text: str, indent: str) -> str:
    width = min(WIDTH, shutil.get_terminal_size().columns)
    shown = f"“{textwrap.shorten(text, QUOTE_CHARS, placeholder=' …')}”"
    return textwrap.fill(shown, width, initial_indent=indent, subsequent_indent="    ")
