"""Lists and descriptions of documents, models, caches and evaluations, as they are printed."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from assistant.models.catalogue import ModelEntry, ModelRole
from assistant.models.hardware import KV_BYTES, Machine, largest_window
from ui.cli import terminal

if TYPE_CHECKING:
    from assistant.backends.base import CachedPrefix
    from assistant.backends.llama.tuning import Tuned
    from assistant.errors import Notice
    from assistant.models.installed import InstalledModel
    from assistant.types import ContextPlan, Document, DocumentText
    from evaluation.differences import Difference

PIPED_COLUMNS: Final = 1_000  # nothing is cut or wrapped that a script reads
LANGUAGES_SHOWN: Final = 8
SEARCH_FIGURES: Final = ("recall@1", "recall@5", "recall@20", "mrr", "ndcg@10")
ANSWER_FIGURES: Final = (
    "correct", "exact", "f1", "in_language", "citation_precision", "verified",
)  # fmt: skip


def _table(*headings: str, whole: int = 1, title: str | None = None) -> Table:
    """Return a table without lines, whose first `whole` columns are never wrapped."""
    table = Table(box=None, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=number < whole, overflow="fold")
    return table


def _print(table: Table) -> None:
    width = None if sys.stdout.isatty() else PIPED_COLUMNS
    Console(highlight=False, width=width).print(table)


def _rows(rows: Sequence[tuple[str, str]]) -> None:
    """Print labels with texts; a line without a label belongs to the one before."""
    width = max(len(label) for label, _ in rows) + 2
    for label, text in rows:
        print(f"{label:<{width}}{text}")


def documents(found: "Sequence[Document]") -> None:
    """Print the documents of the library."""
    words = terminal.words
    names = ("title", "language", "pages", "words", "on", "file")
    table = _table("ID", *(words(f"library.{name}") for name in names))
    for each in found:
        table.add_row(
            *(each.short_id, each.title, each.language, words.number(each.page_count)),
            *(words.number(each.word_count), words.date(each.added_at), _file_name(each)),
        )
    _print(table)


def _file_name(document: "Document") -> str:
    return document.path.replace("\\", "/").rpartition("/")[2]


def document(found: "Document", text: "DocumentText") -> None:
    """Print what is known of a document, and its headings of two levels."""
    words = terminal.words
    print(found.title)
    facts = {
        "language": found.language,
        "pages": words.number(found.page_count),
        "words": words.number(found.word_count),
        "on": words.date(found.added_at),
        "file": found.path,
    }
    _rows([("ID", found.id), *((words(f"library.{name}"), fact) for name, fact in facts.items())])
    for note in found.notes:
        terminal.say("library.note", note=words.message(note))
    for heading in text.headings:
        if heading.level <= 2:
            page = words("source.page", page=text.page_at(heading.char_start))
            print(f"{'  ' * heading.level}{heading.title}  ({page})")


def plan(found: "ContextPlan", titles: Mapping[str, str]) -> None:
    """Print what is read for an answer, with how many tokens, and how long it takes.

    Args:
        titles: document id -> its title.
    """
    words = terminal.words
    print(f"{words(f'plan.{found.mode}')} ({words(f'plan.{found.reason}')})")
    for name, tokens in found.ledger.items():
        print(f"{words.number(tokens):>9} {words(f'plan.{name}')}")
    for line in words.plan(found, titles):
        print(line)
    if found.predicted_s is not None:
        terminal.say("plan.expected", expected=words.duration(found.predicted_s))


def models(entries: Mapping[str, ModelEntry], installed: "Mapping[str, InstalledModel]") -> None:
    """Print the models of the catalogue and those imported."""
    words = terminal.words
    names = ("name", "role", "size", "context", "languages", "licence", "state")
    table = _table(*(words(f"table.{name}") for name in names))
    for name, entry in entries.items():
        more = " …" if len(entry.languages) > LANGUAGES_SHOWN else ""
        table.add_row(
            *(name, words(f"models.{entry.role}")),
            f"{'' if entry.size_is_exact else '~'}{words.size(entry.size_bytes)}",
            words.number(entry.trained_window_tokens),
            f"{' '.join(entry.languages[:LANGUAGES_SHOWN])}{more}",
            *(entry.licence, _state(entry, installed.get(name))),
        )
    _print(table)


def _state(entry: ModelEntry, model: "InstalledModel | None") -> str:
    if model is None:
        return terminal.words("state.available")
    state = terminal.words("state.imported" if model.imported else "state.installed")
    if entry.has_chat_template or entry.role is not ModelRole.CHAT:
        return state
    return f"{state}, {terminal.words('state.base')}"


def machine(found: Machine, features: Sequence[str], models_folder: str) -> None:
    """Print what this machine has."""
    words = terminal.words
    sizes = {"free": words.size(found.free_bytes), "total": words.size(found.memory_bytes)}
    cores, memory = words("count.cores", count=found.cores), words("models.memory", **sizes)
    _rows(
        [
            (words("doctor.machine"), f"{found.processor}, {cores}, {memory}"),
            ("llama.cpp", " ".join(features)),
            (words("doctor.models"), models_folder),
        ]
    )


def model(found: "InstalledModel", machine: Machine, tuned: "Tuned | None") -> None:
    """Print what a model can do here."""
    words = terminal.words
    role = words(f"models.{found.entry.role}")
    print(f"  {found.name} ({role}, {words.size(found.entry.installed_bytes)})")
    if found.entry.role is not ModelRole.CHAT:
        return
    if tuned is None:
        return print(f"    {words('models.too_large')}")
    settings = tuned.tuning
    window = largest_window(found.entry, machine, KV_BYTES[settings.kv])
    print(f"    {words('models.window', tokens=window)}")
    print(f"    {words.speed(tuned.throughput)}")
    tuning = words(
        "doctor.tuning",
        threads=settings.threads,
        batch_threads=settings.batch_threads,
        batch=settings.batch_tokens,
        attention=words("doctor.flash" if settings.flash_attention else "doctor.plain"),
        kv=settings.kv,
    )
    print(f"    {tuning}")


def summary(
    library: tuple[int, str], cached_bytes: int, quota_bytes: int, problems: "Sequence[Notice]"
) -> None:
    """Print how much is stored, and what is wrong with it.

    Args:
        library: how many documents, and where they are.
    """
    words = terminal.words
    count, folder = library
    sizes = {"used": words.size(cached_bytes), "quota": words.size(quota_bytes)}
    documents = words("count.documents", count=count)
    _rows(
        [
            (words("doctor.cache"), words("doctor.quota", **sizes)),
            (words("doctor.library"), f"{documents}, {folder}"),
            *(("", words.message(problem)) for problem in problems),
        ]
    )


def cache(found: "Sequence[CachedPrefix]") -> None:
    """Print what is in the KV cache on disk."""
    words = terminal.words
    names = ("cached", "tokens", "size", "used")
    table = _table(*(words(f"table.{name}") for name in names), whole=0)
    for each in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.used_at))
        table.add_row(each.note, words.number(each.tokens), words.size(each.size_bytes), used)
    _print(table)


def evaluation(title: str, found: Mapping[str, Any]) -> None:
    """Print the figures of one system on one data set, a line for each pair of languages."""
    words = terminal.words
    groups = {
        **found["pairs"],
        **{words(f"eval.{name}"): found[name] for name in ("same_language", "cross_language")},
        words("eval.overall"): found["overall"],
    }
    for names in (SEARCH_FIGURES, ANSWER_FIGURES):
        shown = [name for name in names if name in found["overall"]]
        if shown:
            _print(_figures(title, groups, shown))
    refusal, timings = found["refusal"], found["timings"]
    if refusal["n"]:
        shares = {name: _figure(refusal[name]) for name in ("precision", "recall")}
        terminal.say("eval.refusals", number=refusal["n"], **shares)
    terminal.say("eval.search_time", ms=round(timings["search_s"] * 1000))
    if "ttft_s" in timings:
        terminal.say("eval.first_token", time=words.took(timings["ttft_s"]))


def _figures(title: str, groups: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Return a table of some figures, a line for each group that has any."""
    count = "answered" if "correct" in names else "n"
    table = _table("", "n", *map(_heading, names), whole=len(names) + 2, title=title)
    for name, group in groups.items():
        if group.get(count):
            figures = [_figure(group.get(figure)) for figure in names]
            table.add_row(name, str(group[count]), *figures)
    return table


def _heading(figure: str) -> str:
    """Return a figure's name; those of retrieval are the same in every language."""
    return terminal.words(f"figure.{figure}") if figure in ANSWER_FIGURES else figure


def differences(found: "Sequence[Difference]") -> None:
    """Print what changed between two results; a star where the interval leaves out zero."""
    names = ("group", "figure", "n", "before", "after", "difference", "interval")
    table = _table(*(terminal.words(f"table.{name}") for name in names), whole=len(names))
    for d in found:
        star = " *" if d.is_certain else ""
        table.add_row(
            *(d.group, d.figure.replace("_", " "), str(d.n), _figure(d.before), _figure(d.after)),
            *(f"{d.after - d.before:+.3f}", f"{d.low:+.3f} … {d.high:+.3f}{star}"),
        )
    _print(table)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
