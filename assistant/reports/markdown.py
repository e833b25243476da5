"""Key points as Markdown, in which nothing is a link, an image or markup. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from assistant.generation.sections import page_range
from assistant.languages.registry import phrases
from assistant.types import Point

ACTIVE: Final = re.compile(r"([\[\]<>`])")  # of links, images and HTML


def harmless(text: str) -> str:
    """Return Markdown text without links, images or HTML: opening it fetches nothing."""
    return ACTIVE.sub(r"\\\1", text)


def point_list(points: Sequence[Point], language: str) -> str:
    """Return the points as a list, with their pages."""
    return "\n".join(f"- {with_page(point, language)}" for point in points)


def with_page(point: Point, language: str) -> str:
    """Return the text of a point, with its page where its support was found."""
    if point.citation is None or not point.citation.supported:
        return point.text
    return f"{point.text} ({phrases(language).page} {point.citation.page})"


def section_heading(title: str, pages: tuple[int, int], language: str) -> str:
    """Return the title and the pages of a section."""
    where = f"{phrases(language).page} {page_range(pages)}"
    return f"{title} ({where})" if title else where
