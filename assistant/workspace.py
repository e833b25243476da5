"""What a face works with: the library, the models, an assistant, and work in the background."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

from assistant.assistant import Assistant
from assistant.backends.base import ChatModel, Embedder, Reranker
from assistant.backends.lazy import LazyModel
from assistant.conversations import Conversations
from assistant.preparing import Preparer
from assistant.reports.base import Reports
from assistant.reports.comparison import Comparison, ComparisonSpec
from assistant.reports.summary import Length, Summary, SummarySpec
from assistant.storage.conversations import ConversationTable
from assistant.storage.library import Library
from assistant.storage.reports import ComparisonTable, SummaryTable
from assistant.streams import IsCancelled, Progress, TextDelta
from assistant.types import Document


class BackgroundWork(Protocol):
    """Work of one kind that goes on beside."""

    def drop(self, document: str) -> None:
        """End what reads a document."""
        ...

    def stop(self) -> None:
        """Let all of it end as soon as it can."""
        ...


@dataclass(frozen=True)
class Workspace:
    """What a face works with: the library, the models, an assistant, and what goes on beside."""

    library: Library
    embedder: Embedder
    model: ChatModel
    assistant: Assistant
    preparer: Preparer
    conversations: Conversations
    summaries: Reports[SummarySpec, Summary]
    comparisons: Reports[ComparisonSpec, Comparison]

    @classmethod
    def of(
        cls,
        library: Library,
        embedder: Embedder,
        model: ChatModel,
        reranker: Reranker | None = None,
    ) -> Self:
        """Return the parts with all that is built from them."""
        assistant = Assistant(model, embedder, library, reranker)
        return cls(
            *(library, embedder, model, assistant),
            preparer=Preparer(assistant.prepare),
            conversations=Conversations(assistant, ConversationTable(library.database)),
            summaries=Reports(partial(_summarize, assistant), SummaryTable(library)),
            comparisons=Reports(partial(_compare, assistant), ComparisonTable(library)),
        )

    @property
    def work(self) -> tuple[BackgroundWork, ...]:
        """What may go on beside."""
        return (self.preparer, self.conversations, self.summaries, self.comparisons)

    def remove(self, document: Document) -> None:
        """Remove a document and every trace of it, when nobody reads it beside any more."""
        for each in self.work:
            each.drop(document.id)
        self.library.remove(document)

    def stop(self) -> None:
        """Let all that goes on beside end, and the model go; what was written so far is kept."""
        for each in self.work:
            each.stop()
        if isinstance(self.model, LazyModel):
            self.model.release()


def _summarize(
    assistant: Assistant, order: SummarySpec, cancelled: IsCancelled
) -> Iterator[Progress | TextDelta | Summary]:
    return assistant.summarize(
        order.document,
        language=order.language,
        length=Length(order.length),
        focus=order.focus,
        cancelled=cancelled,
    )


def _compare(
    assistant: Assistant, order: ComparisonSpec, cancelled: IsCancelled
) -> Iterator[Progress | TextDelta | Comparison]:
    yield from assistant.compare(
        order.first, order.second, language=order.language, cancelled=cancelled
    )
