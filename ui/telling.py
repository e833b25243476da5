"""Stages and plans in words, for every face. Knows no screen."""

import re
from collections.abc import Mapping, Sequence

from assistant.backends.base import Throughput
from assistant.streams import Progress, Step
from assistant.types import ContextMode, ContextPlan, PlanReason

MODES = {
    ContextMode.WHOLE: "the whole text",
    ContextMode.PACKED: "passages of it",
    ContextMode.HIERARCHICAL: "notes on every section",
}
REASONS = {
    PlanReason.ASKED: "as you wished",
    PlanReason.FITS: "it is short enough",
    PlanReason.OVERVIEW: "the question is about all of it",
    PlanReason.DETAIL: "the question is about a part of it",
    PlanReason.SLOW: "more would take longer than --time-budget",
}
ASKED_FOR = "QUIPU_PASSWORD"  # names the environment variable with the password of the page
PAGE_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
PAGES = 100  # of a report, by which speeds become something to imagine
PAGE_TOKENS = 500  # of dense English
SECTION_TOKENS = 3_600  # read at once; see assistant/generation/prefix.py


def stage_text(stage: Progress) -> str:
    """Return what the assistant is doing, in a few words."""
    count = ""
    match stage.name:
        case Step.WAITING if stage.total:
            count = " for the one before" if stage.total == 1 else f" for {stage.total} before"
        case Step.SUMMARISING:
            count = f" part {stage.done + 1} of {stage.total}"
        case Step.READING if stage.total:
            count = f" {stage.done:,} of {stage.total:,} tokens"
        case Step.MEASURING:
            count = f" {stage.note} on this machine, once"
    pages = f", pages {stage.note}" if stage.note and stage.name != Step.MEASURING else ""
    left = f", {duration(stage.seconds_left)} left" if stage.seconds_left else ""
    return f"{stage.name}{count}{pages}{left}"


def plan_facts(found: ContextPlan, titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what a plan says, as labels with texts; a label is empty where the one before holds.

    Args:
        titles: document id -> its title.
    """
    used = sum(found.ledger.values())
    facts = [
        ("mode", f"{found.mode}: {MODES[found.mode]}, because {REASONS[found.reason]}"),
        ("window", f"{used:,} of {found.window:,} tokens"),
    ]
    for name, tokens in found.ledger.items():
        kept = f", {found.kept_tokens:,} of them read before" if name == "documents" else ""
        facts.append(("", f"{name:<13}{tokens:>7,}{kept if found.kept_tokens else ''}"))
    for verb, pages in (("read", found.pages_read), ("left out", found.pages_left_out)):
        facts += [
            (verb, f"{titles.get(document, document)}: p. {', '.join(map(str, numbers))}")
            for document, numbers in by_document(pages).items()
        ]
    if turns := found.turns_left_out:
        facts.append(("left out", f"the first {turns} turns of the conversation"))
    if found.predicted_s is not None:
        facts.append(("time", f"about {duration(found.predicted_s)} to the first word"))
    return facts


def by_document(pages: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    """Return document id -> its pages."""
    listed: dict[str, list[int]] = {}
    for document, number in pages:
        listed.setdefault(document, []).append(number)
    return listed


def duration(seconds: float) -> str:
    """Return seconds for people: 2 min 5 s."""
    if seconds < 1:
        return "1 s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def reading_of_pages(throughput: Throughput) -> float:
    """Return the seconds that it takes to read `PAGES` pages."""
    return PAGES * PAGE_TOKENS / SECTION_TOKENS * throughput.prefill_time(SECTION_TOKENS)


def pages_from(given: str) -> tuple[int, int] | None:
    """Return the pages that a reader means by "12" or "10-20"; None when that means none."""
    match = PAGE_RANGE.fullmatch(given.replace(" ", "").replace("–", "-"))
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return (first, last) if 1 <= first <= last else None
