"""What every kind of report has: a spec, a result, tools to write it, an outline to show it.

Also the reports of a library: those that are stored and those that are being written. Knows no
screen.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from assistant.backends.base import ChatModel, Embedder
from assistant.generation.key_points import KeyPoints
from assistant.generation.prefix import Prefixes
from assistant.jobs import Job, Jobs, View
from assistant.queueing import Ticket
from assistant.storage.base import ReportStore, Store
from assistant.streams import Events, IsCancelled, Stream
from assistant.types import Chunk, ContextPlan, Document, Point

if TYPE_CHECKING:
    from pydantic import TypeAdapter  # imported when a report is loaded: it takes a while

R = TypeVar("R")


@dataclass(frozen=True)
class Option:
    """What can be chosen for a report.

    Attributes:
        name: also of the field of the result that holds it.
        choices: none for free text.
    """

    name: str
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportSpec:
    """What a report is about; made by `ReportKind.spec`. One report is stored for each spec.

    Attributes:
        kind: name of the kind of report, such as "summary".
        documents: their ids, in order.
        language: of the report, as an ISO 639-1 code.
        options: (name, value) of all options of the kind.
    """

    kind: str
    documents: tuple[str, ...]
    language: str
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str:
        """Return the value of an option of its kind."""
        return dict(self.options)[name]

    @property
    def key(self) -> str:
        """The spec as a text, the same for equal specs."""
        values = [self.documents, self.language, dict(self.options)]
        return json.dumps(values, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Tools:
    """What a report is written with.

    Attributes:
        search: document, topic and limit to the chunks that are nearest, best first.
        ticket: a place in the queue for the model; pass it on between two parts.
    """

    model: ChatModel
    embedder: Embedder
    store: Store
    prefixes: Prefixes
    key_points: KeyPoints
    search: Callable[[Document, str, int], list[Chunk]]
    ticket: Ticket

    @property
    def cancelled(self) -> IsCancelled:
        """Return the check for whether the user stopped the report."""
        return self.ticket.cancelled


@dataclass(frozen=True)
class Part:
    """A piece of a report as faces show it.

    Attributes:
        heading: in the report's language; "" for none, or for the one that `word` names.
        word: key of a heading that is the face's own, with `facts`; "" for none.
        text: a sentence of the part.
        items: each one point, or several points of different documents that belong together.
    """

    heading: str = ""
    word: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    items: tuple[tuple[Point, ...], ...] = ()


@dataclass(frozen=True)
class ReportKind(Generic[R]):
    """A kind of report: all that commands, views, storage and exports need to know.

    The result is a frozen dataclass with a field for each document and each option, and with
    `language` and `model`.

    Attributes:
        name: in storage, JSON and words.
        command: what the command line calls it.
        document_fields: fields of the result that hold its documents, in the order of the spec.
        write: yields events and returns the result; documents and language are checked before.
        outline: the result as parts.
        title: of the report, without the names of its documents; "" for none.
        plan: what was read for the result; None where that is not recorded.
        streams: the text that is streamed while writing is the whole report.
        example: of the command.
        position: among the kinds, as faces list them.
    """

    name: str
    command: str
    document_fields: tuple[str, ...]
    result: type[R]
    write: Callable[[Tools, tuple[Document, ...], ReportSpec], Events[R]]
    outline: Callable[[R], tuple[Part, ...]]
    options: tuple[Option, ...] = ()
    title: Callable[[R], str] = lambda _: ""
    plan: Callable[[R], ContextPlan | None] = lambda _: None
    streams: bool = False
    example: str = ""
    position: int = 100

    def spec(self, documents: Sequence[str], language: str, **options: str) -> ReportSpec:
        """Return the spec of a report; options that are not given have their defaults."""
        values = tuple(
            (each.name, options.get(each.name, each.default).strip()) for each in self.options
        )
        return ReportSpec(self.name, tuple(documents), language, values)

    def spec_of(self, report: R) -> ReportSpec:
        """Return what a report was written for."""
        options = {each.name: str(getattr(report, each.name)) for each in self.options}
        documents = [document.id for document in self.documents(report)]
        return self.spec(documents, self.language(report), **options)

    def documents(self, report: R) -> tuple[Document, ...]:
        """Return the documents that a report is about."""
        return tuple(getattr(report, name) for name in self.document_fields)

    def language(self, report: R) -> str:
        """Return the language a report is written in."""
        return str(getattr(report, "language"))  # noqa: B009  R has no bound: see the class

    def full_title(self, report: R) -> str:
        """Return the titles of the documents, and what the report is restricted to."""
        titles = " / ".join(document.title for document in self.documents(report))
        own = self.title(report)
        return f"{titles}: {own}" if own else titles

    def to_json(self, report: R) -> str:
        """Return a report as JSON, as it is stored."""
        return self._adapter.dump_json(report).decode()

    def values(self, report: R) -> Any:
        """Return a report as JSON values, for scripts."""
        return self._adapter.dump_python(report, mode="json")

    def from_json(self, text: str, known: Mapping[str, Document]) -> R | None:
        """Return a stored report with its documents as they are now; None when one is gone.

        Args:
            known: documents by id; they may have been renamed.
        """
        report = self._adapter.validate_json(text)
        ids = [document.id for document in self.documents(report)]
        if not known.keys() >= set(ids):
            return None
        now = {name: known[id_] for name, id_ in zip(self.document_fields, ids, strict=True)}
        renewed: R = replace(report, **now)  # type: ignore[type-var]
        return renewed

    @cached_property
    def _adapter(self) -> "TypeAdapter[R]":
        from pydantic import TypeAdapter

        return TypeAdapter(self.result)


class Reports:
    """The reports about the documents of one library."""

    def __init__(
        self,
        kinds: Mapping[str, ReportKind[Any]],
        write: Callable[[ReportSpec], Stream[Any]],
        store: ReportStore,
        documents: Callable[[], list[Document]],
    ) -> None:
        """Args:
        write: starts the work for a spec, as `Assistant.write`.
        documents: of the library.
        """
        self.kinds = kinds
        self._write = write
        self._store = store
        self._documents = documents
        self._jobs: Jobs[ReportSpec, Any] = Jobs()
        self._lock = threading.Lock()

    def stored(self, kind: str) -> list[Any]:
        """Return the reports of a kind, the newest first."""
        known = {document.id: document for document in self._documents()}
        made = self.kinds[kind]
        found = [made.from_json(text, known) for text in self._store.reports(kind)]
        return [report for report in found if report is not None]

    def find(self, spec: ReportSpec) -> Any | None:
        """Return the stored report of a spec; None when there is none."""
        kind = self.kinds[spec.kind]
        return next((r for r in self.stored(spec.kind) if kind.spec_of(r) == spec), None)

    def start(self, spec: ReportSpec) -> Job[Any]:
        """Write a report in the background and store it; the running job if there is one."""
        kind = self.kinds[spec.kind]

        def keep(view: View[Any]) -> None:
            if view.result is not None:
                text = kind.to_json(view.result)
                self._store.put_report(spec.kind, spec.key, spec.documents, text)

        with self._lock:
            running = self._jobs.running.get(spec)
            return running or self._jobs.start(spec, self._write(spec), keep)

    def job(self, spec: ReportSpec) -> Job[Any] | None:
        """Return the last job of a spec since the program started, running or not."""
        return self._jobs.last(spec)

    def running(self, kind: str) -> dict[ReportSpec, Job[Any]]:
        """Return the running jobs of a kind."""
        return {spec: job for spec, job in self._jobs.running.items() if spec.kind == kind}

    def drop(self, document: str) -> None:
        """Stop and forget all work about a document."""
        about = [spec for spec in self._jobs.keys if document in spec.documents]
        self._jobs.end(about)
        self._jobs.forget(about)

    def stop(self) -> None:
        """Stop all work as soon as possible."""
        self._jobs.end(self._jobs.running, 0.0)
