"""Sentences by key, language and facts; the sentences themselves are data, in the TOML files.

Numbers, dates, plural forms and names of languages follow CLDR, through babel, which is loaded
when the first of them is needed.
"""

import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from assistant.errors import Fact, Notice, QuipuError, Reason
from assistant.streams import Progress, Step
from ui.page_numbers import by_document

if TYPE_CHECKING:
    from babel import Locale

    from assistant.backends.base import Throughput
    from assistant.types import Answer, ContextPlan
    from ingest.indexing import AddingProgress, Outcome

LANGUAGES: Final = ("en", "es", "fr", "de", "it", "pt")
# Language -> the region whose numbers and dates it uses, where that is not the most populous one.
REGIONS: Final = {"en": "en_150", "pt": "pt_PT"}  # English of Europe: days before months, 24 hours
SIZES: Final = (("gigabyte", 1e9), ("megabyte", 1e6), ("kilobyte", 1e3))
PAGES: Final = 100  # that are pre-read, as an example of how long it takes
PAGE_TOKENS: Final = 500  # of dense English
SECTION_TOKENS: Final = 3_600  # read at once; see assistant/generation/prefix.py

Text: TypeAlias = str | dict[str, str]  # plural form -> text


class Words:
    """Everything Quipu says in one language."""

    def __init__(self, code: str, *, in_terminal: bool = False) -> None:
        """Args:
        in_terminal: whether hints for the terminal are added.
        """
        self.code = code
        self._in_terminal = in_terminal
        self._texts = texts(code)

    def __call__(self, key: str, **facts: Fact) -> str:
        """Return a sentence with its facts; the fact `count` chooses the plural form.

        Raises:
            KeyError: the key or one of the facts is missing.
        """
        text = self._texts[key]
        if not isinstance(text, str):
            count = facts["count"]
            assert not isinstance(count, str)
            text = text[self._locale.plural_form(count)]
        return " ".join([self._filled(text, facts), *self._hints(key, facts)])

    def _hints(self, key: str, facts: Mapping[str, Fact]) -> Iterator[str]:
        hints = self._texts.get(f"{key}.terminal", "") if self._in_terminal else ""
        assert isinstance(hints, str)
        for line in hints.splitlines():
            if all(facts.get(name) for name in places(line)):
                yield self._filled(line, facts)

    def _filled(self, text: str, facts: Mapping[str, Fact]) -> str:
        return _Filler(self).vformat(text, (), facts)

    @cached_property
    def _locale(self) -> "Locale":
        from babel import Locale

        return Locale.parse(REGIONS.get(self.code, self.code))

    def number(self, fact: Fact) -> str:
        """Return an integer, or a float with one decimal, as the language writes it."""
        from babel.numbers import format_decimal

        if isinstance(fact, str):
            return fact
        pattern = "#,##0.0" if isinstance(fact, float) else None
        return format_decimal(fact, format=pattern, locale=self._locale)

    def percent(self, share: float) -> str:
        """Return a share from 0 to 1 as a percentage."""
        from babel.numbers import format_percent

        return format_percent(share, locale=self._locale)

    def size(self, count: float) -> str:
        """Return bytes in the largest fitting unit: 1.1 GB."""
        unit, scale = next((each for each in SIZES if count >= each[1]), SIZES[-1])
        return self._unit(f"digital-{unit}", count / scale, "#,##0.#")

    def duration(self, seconds: float) -> str:
        """Return seconds as hours and minutes, or minutes and seconds; at least one second."""
        minutes, rest = divmod(max(1, round(seconds)), 60)
        hours, minutes = divmod(minutes, 60)
        parts = {"hour": hours, "minute": minutes, "second": 0 if hours else rest}
        return " ".join(self._unit(f"duration-{u}", n, "#,##0") for u, n in parts.items() if n)

    def took(self, seconds: float) -> str:
        """Return measured seconds: with one decimal below a minute."""
        if seconds >= 60:
            return self.duration(seconds)
        return self._unit("duration-second", seconds, "#,##0.0")

    def _unit(self, unit: str, count: float, pattern: str) -> str:
        from babel.units import format_unit

        return format_unit(count, unit, "short", pattern, locale=self._locale)

    def date(self, iso: str) -> str:
        """Return the day of an ISO 8601 time."""
        from babel.dates import format_date

        return format_date(datetime.fromisoformat(iso), locale=self._locale)

    def message(self, notice: Notice) -> str:
        """Return what a notice says; its kind and facts when there are no words for it."""
        facts = {name: self._fact(name, fact) for name, fact in notice.facts.items()}
        try:
            return self(f"errors.{notice.kind}", **facts)
        except KeyError:
            return notice.plain

    def error(self, error: QuipuError) -> str:
        """Return what an error says."""
        return self.message(error.notice)

    def _fact(self, name: str, fact: Fact) -> Fact:
        """Return a reason or a unit in this language, another fact as it is."""
        return self(f"reasons.{fact}") if name in ("reason", "unit") and fact in REASONS else fact

    def progress(self, stage: Progress) -> str:
        """Return what the assistant is doing, and how long it will take where that is known."""
        parts = [self._step(stage)]
        if stage.note and stage.name is not Step.MEASURING:
            parts.append(self("progress.pages", pages=stage.note))
        if stage.seconds_left:
            parts.append(self.left(stage.seconds_left))
        return " · ".join(parts)

    def left(self, seconds: float) -> str:
        """Return “about … left” for a number of seconds."""
        return self("progress.left", time=self.duration(seconds))

    def adding(self, now: "AddingProgress") -> str:
        """Return how far a file is on its way into the library."""
        if not now.pages_total:
            return self(f"library.{now.step}")
        return self("library.embedding", done=now.pages_done, total=now.pages_total)

    def added(self, outcome: "Outcome") -> str:
        """Return what became of a file that did not fail."""
        document = outcome.document
        assert document is not None
        return self(
            f"library.{outcome.status}",
            title=document.title,
            pages=self("count.pages", count=document.page_count),
            words=self("count.words", count=document.word_count),
            language=native(document.language),
        )

    def _step(self, stage: Progress) -> str:
        match stage.name:
            case Step.WAITING if stage.total:
                return self("progress.waiting_for", count=stage.total)
            case Step.READING if stage.total:
                return self("progress.reading_share", share=self.percent(stage.done / stage.total))
            case Step.SUMMARISING:
                return self("progress.summarising", part=stage.done + 1, parts=stage.total)
            case Step.MEASURING:
                return self("progress.measuring", name=stage.note)
        return self(f"progress.{stage.name}")

    def plan(self, plan: "ContextPlan", titles: Mapping[str, str]) -> list[str]:
        """Return what is read for an answer and what is not, in sentences.

        Args:
            titles: document id -> its title.
        """
        used = sum(plan.ledger.values())
        lines = [self("plan.window", used=used, window=plan.window)]
        if plan.kept_tokens:
            lines.append(self("plan.cached", count=plan.kept_tokens))
        for key, pages in (("read", plan.pages_read), ("left_out", plan.pages_left_out)):
            for document, numbers in by_document(pages).items():
                listed = ", ".join(map(str, numbers))
                title = titles.get(document, document)
                lines.append(self(f"plan.{key}", title=title, pages=listed))
        if plan.turns_left_out:
            lines.append(self("plan.turns_left_out", count=plan.turns_left_out))
        return lines

    def timing(self, answer: "Answer") -> str:
        """Return which model answered, how long it took and how many tokens that were."""
        timings = answer.timings
        return self(
            "ask.timing",
            model=answer.model,
            first=self.took(timings.ttft_s),
            read=timings.prompt_tokens,
            cached=timings.cached_tokens,
            written=timings.completion_tokens,
            total=self.took(timings.total_s),
        )

    def speed(self, throughput: "Throughput") -> str:
        """Return how fast a model prefills and decodes here."""
        seconds = PAGES * PAGE_TOKENS / SECTION_TOKENS * throughput.prefill_time(SECTION_TOKENS)
        return self(
            "models.speed",
            read=round(1 / throughput.prefill_s),
            write=1 / throughput.decode_s,
            time=self.duration(seconds),
        )


REASONS: Final = frozenset(Reason)


class _Filler(string.Formatter):
    """Fills facts in; numbers without a format are written as the language does."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def format_field(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec) if format_spec else self._words.number(value)


@cache
def texts(code: str) -> Mapping[str, Text]:
    """Return all texts of a language by their keys, `section.name`."""
    written = Path(__file__).with_name(f"{code}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(written), ""))


def _flat(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Text]]:
    """Yield the texts of a table; `text` stands for the table itself."""
    for name, value in table.items():
        key = path if name == "text" else f"{path}.{name}".removeprefix(".")
        if isinstance(value, str) or "other" in value:
            yield key, value
        else:
            yield from _flat(value, key)


def places(text: str) -> set[str]:
    """Return the names of the facts in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def nearest(wanted: str | None) -> str:
    """Return the language for what a browser or a shell asks for, as `fr-CA` or `es_ES.UTF-8`."""
    code = re.split(r"[-_.@]", wanted or "en")[0].lower()
    return code if code in LANGUAGES else "en"


@cache
def native(code: str) -> str:
    """Return what a language calls itself, as in a menu."""
    from babel import Locale, UnknownLocaleError

    try:
        name = Locale.parse(code).get_display_name() or code
    except (UnknownLocaleError, ValueError):
        return code
    return name[:1].upper() + name[1:]


def english(notice: Notice) -> str:
    """Return what a notice says in English, for programmers."""
    return Words("en", in_terminal=True).message(notice)
