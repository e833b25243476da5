"""Page numbers as people write them, and pages by document."""

import re
from collections.abc import Sequence

PAGE_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def pages_from(given: str) -> tuple[int, int] | None:
    """Return the first and last page of "12" or "10-20"; None when that means no pages."""
    match = PAGE_RANGE.fullmatch(given.replace(" ", "").replace("–", "-"))
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return (first, last) if 1 <= first <= last else None


def by_document(pages: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    """Return document id -> its pages."""
    listed: dict[str, list[int]] = {}
    for document, number in pages:
        listed.setdefault(document, []).append(number)
    return listed
