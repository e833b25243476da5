"""Conversations and reports as files. Nothing in them is fetched when somebody opens them."""

import io
from collections.abc import Callable, Sequence
from typing import Any, Final

from assistant.reports.base import Part, ReportKind
from assistant.reports.markdown import harmless, with_page
from assistant.storage.base import Conversation, Turn

OF_A_PAIR: Final = 2  # from so many points on, an item is a group of its own


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


def part_heading(part: Part, words: Callable[..., str]) -> str:
    """Return the heading of a part of a report; "" when it has none."""
    if part.word:
        return words(part.word, number=len(part.items), **part.facts)
    return part.heading


def report_markdown(kind: ReportKind[Any], report: Any, words: Callable[..., str]) -> str:
    """Return a report as Markdown, with the pages of its points.

    Args:
        words: for headings that are a face's own.
    """
    language = kind.language(report)
    lines = [f"# {harmless(kind.full_title(report))}"]
    for part in kind.outline(report):
        if heading := part_heading(part, words):
            lines += ["", f"## {harmless(heading)}"]
        if part.text:
            lines += ["", harmless(part.text)]
        for number, item in enumerate(part.items):
            if number == 0 or len(item) >= OF_A_PAIR:
                lines.append("")
            lines += [f"- {harmless(with_page(point, language))}" for point in item]
    return "\n".join(lines) + "\n"


def report_docx(kind: ReportKind[Any], report: Any, words: Callable[..., str]) -> bytes:
    """Return a report as a Word file; see `report_markdown`."""
    import docx  # takes 0.2 s, which Markdown need not pay

    document = docx.Document()
    document.add_heading(kind.full_title(report), 0)
    for part in kind.outline(report):
        if heading := part_heading(part, words):
            document.add_heading(heading, 1)
        if part.text:
            document.add_paragraph(part.text)
        for item in part.items:
            texts = [with_page(point, kind.language(report)) for point in item]
            document.add_paragraph("\n".join(texts), style="List Bullet")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
