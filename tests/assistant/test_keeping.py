"""Summaries that are written beside, and are there again on another day."""

from pathlib import Path

from assistant.assistant import Assistant
from assistant.backends.conversations import ConversationTable
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.backends.library import Library
from assistant.backends.memory import ExactIndex
from assistant.keeping import Summaries
from assistant.summarizing import Length
from tests.backends.libraries import add

BRIDGE = "The bridge is 91 metres long.\n\nIt was built by two brothers in the year 1820."


def summaries(library: Library) -> Summaries:
    model = ScriptedModel("1. The bridge is 91 metres long.\n2. It was built in 1820.")
    assistant = Assistant(model, HashEmbedder(), library)
    return Summaries(assistant, ConversationTable(library.database))


def test_a_summary_is_kept_once_for_each_language_and_length(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    book = add(library, BRIDGE)
    made = summaries(library).want(book.id, "en", Length.SHORT).wait().result
    assert made is not None
    summaries(library).want(book.id, "en", Length.SHORT).wait()
    summaries(library).want(book.id, "en", Length.LONG).wait()
    kept = summaries(library).every()
    assert len(kept) == 2
    assert [point.text for point in kept[1].overview] == [point.text for point in made.overview]
    assert kept[1].document == book
    library.remove(book)
    assert summaries(library).every() == []
