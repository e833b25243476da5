"""How things look in a terminal: tables, progress bars, streamed text. Progress goes to stderr."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from assistant.backends.base import CachedPrefix
from assistant.backends.llama.tuning import Tuned
from assistant.models.catalogue import ModelEntry, ModelRole
from assistant.models.hardware import KV_BYTES, Machine, largest_window
from assistant.models.installed import InstalledModel
from assistant.models.progress import PullProgress
from assistant.reports.comparison import Comparison
from assistant.reports.summary import Summary
from assistant.settings import Settings
from assistant.streams import Progress, Step, TextDelta
from assistant.types import Answer, Citation, ContextPlan, Document, DocumentText
from evaluation.differences import Difference
from ui.telling import PAGES, duration, plan_facts, reading_of_pages, stage_text

ERRORS = Console(stderr=True, highlight=False)
OUT = Console(highlight=False)
WIDTH = 100
# Of evaluations: name -> heading.
SEARCH_FIGURES = {
    "recall@1": "recall@1",
    "recall@5": "recall@5",
    "recall@20": "recall@20",
    "mrr": "MRR",
    "ndcg@10": "nDCG@10",
}
ANSWER_FIGURES = {
    "correct": "correct",
    "exact": "exact",
    "f1": "F1",
    "in_language": "in lang",
    "citation_precision": "cited",
    "verified": "verified",
}


def _progress() -> ProgressBar:
    return ProgressBar(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}", markup=False),
        console=ERRORS,
        transient=True,
        disable=not ERRORS.is_terminal,
    )


@contextmanager
def pulling(name: str) -> Iterator[Callable[[PullProgress], None]]:
    """Show bytes, rate and time left while a model is fetched."""
    with _progress() as bars:
        bar = bars.add_task(name, total=None, note="")

        def report(now: PullProgress) -> None:
            rate = f"{now.bytes_per_second / 1e6:.1f} MB/s" if now.bytes_per_second else ""
            note = f"{size(now.bytes_done)} of {size(now.bytes_total)} {rate}"
            left = f", {duration(now.seconds_left)} left" if now.seconds_left else ""
            total = now.bytes_total or None
            shown = now.note or f"{note}{left}"
            bars.update(bar, total=total, completed=now.bytes_done, note=shown)

        yield report


@contextmanager
def adding() -> Iterator[Callable[[Any], None]]:
    """Show pages and time left while documents are taken in."""
    with _progress() as bars:
        bar = bars.add_task("", total=None, note="")

        def report(now: Any) -> None:
            note = {"reading": "reading", "waiting": "waiting for another Quipu that adds"}.get(
                now.step, f"page {now.pages_done} of {now.pages_total}"
            )
            left = f", {duration(now.seconds_left)} left" if now.seconds_left else ""
            bars.update(
                bar,
                description=now.path.name,
                total=now.pages_total or None,
                completed=now.pages_done,
                note=f"{note}{left}",
            )

        yield report


@contextmanager
def reading(title: str) -> Iterator[Callable[[Progress], None]]:
    """Show pages and time left while a document is read."""
    with _progress() as bars:
        bar = bars.add_task(f"reading {title}", total=None, note="")

        def show(stage: Progress) -> None:
            total = stage.total or None
            bars.update(bar, total=total, completed=stage.done, note=stage_text(stage))

        yield show


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many are done, and the time left."""
    with _progress() as bars:
        bar = bars.add_task(title, total=None, note="")
        start = time.monotonic()

        def show(done: int, total: int) -> None:
            left = (time.monotonic() - start) / done * (total - done) if done else 0.0
            note = f"{done} of {total}, {duration(left)} left"
            bars.update(bar, total=total, completed=done, note=note)

        yield show


class LiveText:
    """Streamed text on stdout, and a status line on stderr that says what is being done.

    The status is only drawn on a line of its own, so that clearing it never clears text.
    """

    def __init__(self) -> None:
        self._mid_line = False  # the cursor is behind streamed text
        self._has_status = False

    def progress(self, stage: Progress) -> None:
        """Show a step until text or another step comes."""
        if not ERRORS.is_terminal:
            return
        if self._mid_line and sys.stdout.isatty():
            self._end_line()
        status = Text(f"{stage_text(stage)} …")
        status.truncate(ERRORS.width - 1, overflow="ellipsis")
        ERRORS.file.write(f"\r\x1b[K{status.plain}\r")
        ERRORS.file.flush()
        self._has_status = True

    def text(self, delta: TextDelta) -> None:
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
            ERRORS.file.write("\r\x1b[K")
            ERRORS.file.flush()
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


def plan(found: ContextPlan, titles: Mapping[str, str]) -> None:
    """Print a plan: what is read, with how many tokens, and how long it takes."""
    for label, text in plan_facts(found, titles):
        print(f"{label:<11}{text}")


def sources(answer: Answer, translations: Sequence[str] = ()) -> None:
    """Print the sources under an answer: document, page, the quoted sentence.

    Args:
        translations: of the quotes, in the order of the citations; none when not asked for.
    """
    if answer.citations:
        print()
    beside = translations or [""] * len(answer.citations)
    told = zip(answer.citations, beside, strict=True)
    for citation, translation in sorted(told, key=lambda pair: pair[0].marker):
        print(_source(citation, translation))
    for sentence in answer.unsupported:
        print(f"not supported by the documents: “{textwrap.shorten(sentence, 200)}”")
    timing = answer.timings
    ERRORS.print(
        f"[dim]{answer.model}, {answer.plan.mode.value}: first word after {timing.ttft_s:.1f} s, "
        f"{timing.prompt_tokens:,} tokens read ({timing.cached_tokens:,} known), "
        f"{timing.completion_tokens} written in {timing.total_s:.1f} s[/dim]"
    )


def _source(citation: Citation, translation: str) -> str:
    doubt = "" if citation.supported else " (weak)"
    head = f"[{citation.marker}] {citation.document}, p. {citation.page}{doubt}"
    quotes = [_quote(citation.quote, "    ")]
    if translation not in ("", citation.quote):
        quotes.append(_quote(translation, "    = "))
    return "\n".join([head, *quotes])


def _quote(text: str, indent: str) -> str:
    width = min(WIDTH, shutil.get_terminal_size().columns)
    shown = f"“{textwrap.shorten(text, 400, placeholder=' …')}”"
    return textwrap.fill(shown, width, initial_indent=indent, subsequent_indent="    ")


def comparison_heads(found: Comparison) -> list[str]:
    """Return what stands over the four parts of a comparison."""
    return [
        f"In what they agree ({len(found.agree)})",
        f"In what they differ ({len(found.differ)})",
        f"Only in {found.first.title} ({len(found.only_first)})",
        f"Only in {found.second.title} ({len(found.only_second)})",
    ]


def coverage(summary: Summary) -> None:
    """Say what was read for a summary, and what was not."""
    kept = ", all kept from before" if summary.kept else ""
    parts = f"{len(summary.sections)} sections" if summary.sections else "one pass"
    if summary.focus:
        parts = "part: the passages that a search for it found"
    ERRORS.print(
        f"[dim]{summary.model}: {len(summary.plan.pages_read)} of {summary.document.page_count} "
        f"pages read in {parts}{kept}[/dim]"
    )
    if summary.plan.pages_left_out:
        pages = ", ".join(str(number) for _, number in summary.plan.pages_left_out)
        ERRORS.print(f"[dim]not read: lists of contents, terms or sources (p. {pages})[/dim]")


def outcome(result: Any) -> None:
    """Print what became of a file that was added."""
    if result.error:
        ERRORS.print(f"failed     {result.error}", markup=False)
        return
    document = result.document
    pages = "1 page" if document.page_count == 1 else f"{document.page_count} pages"
    status = "already here" if result.status == "unchanged" else result.status.value
    print(f"{status:<10} {document.title} ({pages}, {document.language}, {document.short_id})")
    for note in document.notes:
        print(f"           {note.text}")


def document_table(documents: Sequence[Document]) -> None:
    if not documents:
        print("The library is empty: `quipu add FILE` takes a document in.")
        return
    table = Table("id", "title", "language", "pages", "words", "added", box=None)
    for document in documents:
        table.add_row(
            document.short_id,
            document.title,
            document.language,
            str(document.page_count),
            f"{document.word_count:,}",
            document.added_at[:10],
        )
    OUT.print(table)


def document(found: Document, text: DocumentText) -> None:
    print(f"{found.title}\nid         {found.id}\nfile       {found.path}")
    print(f"language   {found.language}\npages      {found.page_count}")
    print(f"words      {found.word_count:,}\nadded      {found.added_at}")
    for note in found.notes:
        print(f"note       {note.text}")
    for heading in text.headings:
        if heading.level <= 2:
            indent = "  " * heading.level
            print(f"{indent}{heading.title}  (p. {text.page_at(heading.char_start)})")


def model_table(entries: Mapping[str, ModelEntry], installed: Mapping[str, InstalledModel]) -> None:
    table = Table("name", "role", "size", "window", "languages", "licence", "state", box=None)
    for name, entry in entries.items():
        table.add_row(
            name,
            entry.role.value,
            f"{'' if entry.size_is_exact else '~'}{size(entry.size_bytes)}",
            f"{entry.trained_window_tokens:,}",
            f"{' '.join(entry.languages[:8])}{' …' if len(entry.languages) > 8 else ''}",
            entry.licence,
            _state(entry, installed.get(name)),
        )
    OUT.print(table)


def _state(entry: ModelEntry, model: InstalledModel | None) -> str:
    if model is not None:
        base = "" if entry.has_chat_template or entry.role is not ModelRole.CHAT else ", base model"
        return ("imported" if model.imported else "installed") + base
    return "" if entry.sha256 else "hash pinned on first download"


def doctor(settings: Settings, machine: Machine, features: Sequence[str]) -> None:
    """Print what this machine has."""
    memory = f"{size(machine.memory_bytes)} memory, {size(machine.free_bytes)} free"
    print(f"machine    {machine.processor}, {machine.cores} cores, {memory}")
    print(f"llama.cpp  {' '.join(features)}")
    print(f"models     in {settings.models}")


def model(found: InstalledModel, machine: Machine, tuned: Tuned | None) -> None:
    """Print what a model can do here."""
    head = f"           {found.name} ({size(found.entry.installed_bytes)})"
    if found.entry.role is not ModelRole.CHAT:
        return print(f"{head}: {found.entry.role.value}")
    if tuned is None:
        return print(f"{head}: does not fit into memory")
    window = largest_window(found.entry, machine, KV_BYTES[tuned.tuning.kv])
    speeds, settings = tuned.speeds, tuned.tuning
    attention = "flash attention" if settings.flash_attention else "plain attention"
    print(f"{head}: window up to {window:,} tokens here")
    print(
        f"             reads {1 / speeds.read_s:.0f} tokens a second and writes "
        f"{1 / speeds.write_s:.1f}; {duration(reading_of_pages(speeds))} to "
        f"prepare {PAGES} pages"
    )
    print(
        f"             with {settings.threads} threads to write, {settings.batch_threads} to read "
        f"{settings.batch_tokens} at once, {attention}, KV cache in {settings.kv}"
    )


@contextmanager
def measuring(name: str) -> Iterator[None]:
    """Say that a model is being measured, in one line that goes away."""
    with following() as live:
        live.progress(Progress(Step.MEASURING, note=name))
        yield


def snapshot_table(kept: Sequence[CachedPrefix]) -> None:
    if not kept:
        print("Nothing is kept: `quipu prepare DOC` lets the model read a document for later.")
        return
    table = Table("text", "tokens", "size", "last used", box=None)
    for snapshot in kept:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(snapshot.used_at))
        table.add_row(snapshot.note, f"{snapshot.tokens:,}", size(snapshot.size_bytes), used)
    OUT.print(table)


def kept(snapshots: Sequence[CachedPrefix], quota: int) -> None:
    """Print how much is kept of what was read."""
    total = sum(snapshot.size_bytes for snapshot in snapshots)
    texts = f"{len(snapshots)} texts, {size(total)}" if snapshots else "nothing"
    print(f"kept       {texts} of at most {size(quota)}")


def next_step(
    installed: Sequence[InstalledModel], documents: Sequence[Document], problems: Sequence[str]
) -> str:
    """Return the one thing to do next."""
    roles = {model.entry.role for model in installed}
    if ModelRole.CHAT not in roles:
        return "quipu models pull starter"
    if ModelRole.EMBED not in roles:
        return "quipu models pull multilingual-e5-small"
    if problems:
        return "add the documents named above again"
    return 'quipu ask "…"' if documents else "quipu add FILE"


def size(count: float) -> str:
    """Return bytes for people: 1.1 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B" if count else "?"


def evaluation(title: str, found: Mapping[str, Any]) -> None:
    """Print the figures of one system on one data set, a line for each pair of languages."""
    groups = {
        **found["pairs"],
        "same language": found["same_language"],
        "cross language": found["cross_language"],
        "overall": found["overall"],
    }
    for names in (SEARCH_FIGURES, ANSWER_FIGURES):
        shown = {n: heading for n, heading in names.items() if n in found["overall"]}
        if shown:
            OUT.print(_figures(title, groups, shown))
    refusal, timings = found["refusal"], found["timings"]
    if refusal["n"]:
        precision, recall = _figure(refusal["precision"]), _figure(refusal["recall"])
        OUT.print(f"not answerable {refusal['n']}: refused {recall}, refusals right {precision}")
    OUT.print(
        f"search {timings['search_s'] * 1000:.0f} ms"
        + (f", first token {timings['ttft_s']:.1f} s" if "ttft_s" in timings else "")
    )


def _figures(
    title: str, groups: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> Table:
    """Return a table of some figures, a line for each group that has any."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    count = "answered" if "correct" in names else "n"
    table.add_column("", no_wrap=True)
    for heading in ("n", *names.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, group in groups.items():
        if group.get(count):
            figures = [_figure(group.get(figure)) for figure in names]
            table.add_row(name, str(group[count]), *figures)
    return table


def differences(found: Sequence[Difference]) -> None:
    """Print what changed between two results; a star where the interval leaves out zero."""
    table = Table(box=None, padding=(0, 1))
    for heading in ("", "figure", "n", "before", "after", "difference", "95 % interval"):
        table.add_column(heading, justify="left" if heading in ("", "figure") else "right")
    for d in found:
        star = " *" if d.is_certain else ""
        table.add_row(
            *(d.group, d.figure.replace("_", " "), str(d.n), _figure(d.before), _figure(d.after)),
            *(f"{d.after - d.before:+.3f}", f"{d.low:+.3f} to {d.high:+.3f}{star}"),
        )
    OUT.print(table)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
