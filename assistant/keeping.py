"""Summaries that are kept, and those that are being written now. Knows no screen."""

import threading
from collections.abc import Iterator

from assistant.assistant import Assistant
from assistant.protocols import Cancelled, SummaryStore
from assistant.summarizing import Length
from assistant.types import Answer, Piece, Stage, Summary
from assistant.working import Job, View


class Summaries:
    """The summaries of one library; each is written beside everything else."""

    def __init__(self, assistant: Assistant, store: SummaryStore) -> None:
        self._assistant = assistant
        self._store = store
        self._jobs: dict[tuple[str, str, Length], Job[Summary]] = {}
        self._lock = threading.Lock()

    def every(self) -> list[Summary]:
        """Return the last summary of each document, language and length, the newest first."""
        return self._store.summaries()

    def want(self, document: str, language: str, length: Length) -> Job[Summary]:
        """Let a document be summarised, unless that goes on already.

        Args:
            document: its id.
        """
        key = (document, language, length)

        def work(cancelled: Cancelled) -> Iterator[Stage | Piece | Summary]:
            for event in self._assistant.summarize(
                document, language=language, length=length, cancelled=cancelled
            ):
                assert not isinstance(event, Answer)
                yield event

        def keep(view: View[Summary]) -> None:
            if view.result:
                self._store.put_summary(view.result)

        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.view.over:
                job = self._jobs[key] = Job(work, keep).start()
            return job
