"""What the page says, in the reader's language. The words themselves are data, in `words/`."""

import tomllib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from assistant.errors import Notice, Reason
from assistant.languages.registry import language
from assistant.streams import Progress, Step

WHY: Final = {str(reason): f"why.{reason.name.lower()}" for reason in Reason}
LANGUAGES: Final = ("en", "es", "fr", "de", "it", "pt")


class Words:
    """The words of one language; a key is `section.name`."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._texts = texts(code)

    def __call__(self, key: str, **facts: str | int | float) -> str:
        """Return a text with its facts filled in, numbers as the language writes them."""
        return self._texts[key].format(**{name: self.number(fact) for name, fact in facts.items()})

    def date(self, iso: str) -> str:
        return datetime.fromisoformat(iso).strftime(self._texts["date"])

    def duration(self, seconds: float) -> str:
        minutes, rest = divmod(max(1, round(seconds)), 60)
        if minutes:
            return self("time.minutes", minutes=minutes, seconds=rest)
        return self("time.seconds", seconds=rest)

    def notice(self, notice: Notice) -> str:
        """Return what went wrong, or is to be known; in English where there is no word for it."""
        key = f"notices.{notice.kind}"
        facts = {name: self._fact(fact) for name, fact in notice.facts.items()}
        return self(key, **facts) if key in self._texts else notice.text

    def _fact(self, fact: str | int | float) -> str | int | float:
        """Return a reason or a unit in this language; another fact as it is."""
        return self(WHY[fact]) if isinstance(fact, str) and fact in WHY else fact

    def stage(self, stage: Progress) -> str:
        """Return what the assistant is doing."""
        match stage.name:
            case Step.WAITING:
                text = self("stage.waiting", before=stage.total)
            case Step.READING if stage.total:
                text = self("stage.reading", done=stage.done, total=stage.total)
            case Step.READING:
                text = self("stage.reading", done="…", total="…")
            case Step.SUMMARISING:
                text = self("stage.summarising", part=stage.done + 1, parts=stage.total)
            case _:
                text = self(f"stage.{stage.name}")
        if stage.note and stage.name is not Step.MEASURING:
            text += " " + self("stage.pages", pages=stage.note)
        if stage.seconds_left:
            text += " · " + self("stage.left", time=self.duration(stage.seconds_left))
        return text

    def number(self, fact: str | int | float) -> str:
        """Return a number as the language writes it; a text as it is."""
        if isinstance(fact, int):
            return f"{fact:,}".replace(",", self._texts["thousands"])
        if isinstance(fact, float):
            return f"{fact:.1f}".replace(".", self._texts["decimal"])
        return fact


@cache
def texts(code: str) -> dict[str, str]:
    """Return all texts of a language by their keys."""
    written = (files("ui.page") / "words" / f"{code}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(written)))


def nearest(wanted: str | None) -> str:
    """Return the language of the page for what a browser asks for, such as `fr-CA`."""
    code = (wanted or "en").split("-")[0].lower()
    return code if code in LANGUAGES else "en"


def native(code: str) -> str:
    """Return what a language calls itself."""
    return language(code).native


def _flat(table: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += [(f"{key}.{name}", text) for name, text in value.items()]
        else:
            found.append((key, value))
    return found
