"""Summarises documents in several languages, and looks in which language each point is written.

    python benchmarks/summary_languages.py sample_docs --languages en,es,fr --length short

Prints for each summary how many of its points are in the language asked for, of those long enough
to tell, and how many name a page; then the sums. The library is a temporary one.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from workspaces import temporary_workspace

from assistant.languages import detection
from assistant.reports.summary import KIND, Length, Summary

MOST_PAGES = 10  # of a document: a longer one takes minutes on a small machine


@dataclass(frozen=True)
class Counted:
    """Points of a summary: those long enough to tell, those in its language, with a page, all."""

    told: int
    right: int
    with_page: int
    every: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=Path)
    parser.add_argument("--languages", default="en,es,fr")
    parser.add_argument("--length", choices=[each.value for each in Length], default="short")
    parser.add_argument("--model")
    options = parser.parse_args()
    counted = []
    with temporary_workspace(options.documents, options.model) as workspace:
        for document in workspace.library.documents():
            if document.page_count > MOST_PAGES:
                continue
            for language in options.languages.split(","):
                begin = time.perf_counter()
                spec = KIND.spec([document.id], language, length=options.length)
                summary = workspace.assistant.write(spec).result
                found = _count(summary)
                counted.append(found)
                seconds = time.perf_counter() - begin
                print(f"{document.language}>{language} {found} {seconds:.0f} s", flush=True)
    told, right = sum(each.told for each in counted), sum(each.right for each in counted)
    pages, every = sum(each.with_page for each in counted), sum(each.every for each in counted)
    print(f"in the language asked for: {right} of {told} points; with a page: {pages} of {every}")


def _count(summary: Summary) -> Counted:
    points = [*summary.overview, *(p for section in summary.sections for p in section.points)]
    written = [detection.written_in(point.text) for point in points]
    for point, language in zip(points, written, strict=True):
        if language not in ("", summary.language):
            print(f"  {language}: {point.text}")
    return Counted(
        told=sum(map(bool, written)),
        right=sum(language == summary.language for language in written),
        with_page=sum(point.citation is not None for point in points),
        every=len(points),
    )


if __name__ == "__main__":
    main()
