"""What the command line, the page and programs work with: library, assistant, reports, jobs."""

from dataclasses import dataclass
from typing import Protocol, Self

from assistant.assistant import Assistant
from assistant.backends.base import ChatModel, Embedder, Reranker
from assistant.conversations import Conversations
from assistant.jobs import Jobs
from assistant.reports import kinds
from assistant.reports.base import Reports
from assistant.storage.conversations import ConversationTable
from assistant.storage.library import Library
from assistant.storage.reports import ReportTable
from assistant.types import Document


class BackgroundWork(Protocol):
    """Work in the background, such as answers or reports."""

    def drop(self, document: str) -> None:
        """Stop and forget what concerns a document; return once it has stopped."""
        ...

    def stop(self) -> None:
        """Stop all of it as soon as possible."""
        ...


class Prefilling:
    """Documents that are prefilled in the background, one after the other."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self.jobs: Jobs[str, None] = Jobs(workers=1)  # by document id

    def start(self, document_id: str) -> None:
        """Prefill a document behind those that wait already, unless it is among them."""
        if document_id not in self.jobs.running:
            self.jobs.start(document_id, self._assistant.prefill(document_id))

    def drop(self, document: str) -> None:
        """Stop the work on a document that is removed."""
        self.jobs.end([document])
        self.jobs.forget([document])

    def stop(self) -> None:
        """Stop all work without waiting for it."""
        self.jobs.end(self.jobs.running, 0.0)


@dataclass(frozen=True)
class Workspace:
    """An open document library, the models, and all that works on them.

    May be used from several threads. In a `with` statement it stops all work at the end.

    Attributes:
        library: the documents, with their pages and chunks.
        embedder: turns texts into vectors for the search.
        model: the chat model.
        assistant: answers questions, searches, and writes reports.
        prefilling: documents that the model reads in advance, in the background.
        conversations: stored conversations, and answers in the background.
        reports: stored reports, and reports in the background; `reports.kinds` are their kinds.
    """

    library: Library
    embedder: Embedder
    model: ChatModel
    assistant: Assistant
    prefilling: Prefilling
    conversations: Conversations
    reports: Reports

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
        table = ReportTable(library.database)
        return cls(
            library=library,
            embedder=embedder,
            model=model,
            assistant=assistant,
            prefilling=Prefilling(assistant),
            conversations=Conversations(assistant, ConversationTable(library.database)),
            reports=Reports(kinds(), assistant.write, table, library.documents),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def remove(self, document: Document) -> None:
        """Stop all work on a document, then remove the document and every trace of it."""
        for each in self._work:
            each.drop(document.id)
        self.library.remove(document)

    def stop(self) -> None:
        """Stop all work and release the model; finished answers and reports are stored."""
        for each in self._work:
            each.stop()
        self.model.release()

    @property
    def _work(self) -> tuple[BackgroundWork, ...]:
        return (self.prefilling, self.conversations, self.reports)
