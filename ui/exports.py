"""Conversations and summaries as files. Nothing in them is fetched when somebody opens them."""

import io
from collections.abc import Sequence
from typing import Any

import docx

from assistant.languages.registry import phrases
from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary, harmless, head, title, with_page
from assistant.storage.base import Conversation, Turn
from assistant.types import Point


def conversation_markdown(conversation: Conversation, turns: Sequence[Turn], page: str) -> str:
    """Return a conversation with the references of its answers.

    Args:
        page: how a page is named, with `{page}` in the place of its number.
    """
    lines = [f"# {harmless(conversation.title)}"]
    for turn in turns:
        lines += ["", f"**{harmless(turn.question)}**", "", harmless(turn.text)]
        for citation in turn.answer.citations if turn.answer else ():
            where = f"{citation.document}, {page.format(page=citation.page)}"
            quote = " ".join(citation.quote.split())
            lines.append(f"- {harmless(f'[{citation.marker}] {where}: “{quote}”')}")
    return "\n".join(lines) + "\n"


def comparison_markdown(found: Comparison, heads: Sequence[str]) -> str:
    """Return a comparison with the pages of its points.

    Args:
        heads: over what agrees, what differs, and what only the first and the second say.
    """
    lines = [f"# {harmless(found.first.title)} / {harmless(found.second.title)}"]
    for head_, pairs in zip(heads[:2], (found.agree, found.differ), strict=True):
        lines += ["", f"## {harmless(head_)}"]
        for pair in pairs:
            lines += ["", *(f"- {harmless(with_page(p, found.language))}" for p in pair)]
    for head_, points in zip(heads[2:], (found.only_first, found.only_second), strict=True):
        lines += ["", f"## {harmless(head_)}", ""]
        lines += [f"- {harmless(with_page(point, found.language))}" for point in points]
    return "\n".join(lines) + "\n"


def summary_docx(summary: Summary) -> bytes:
    """Return a summary as a Word file."""
    document = docx.Document()
    document.add_heading(title(summary), 0)
    language = summary.language
    _add(document, phrases(language).overview_title, summary.overview, language)
    if summary.found_nothing:
        document.add_paragraph(phrases(language).nothing)
    for section in summary.sections:
        _add(document, head(section, language), section.points, language)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _add(document: Any, title: str, points: Sequence[Point], language: str) -> None:
    document.add_heading(title, 1)
    for point in points:
        document.add_paragraph(with_page(point, language), style="List Bullet")
