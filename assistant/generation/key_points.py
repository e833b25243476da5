"""What a document says, in points: taken section by section, each with the sentence it stands on.

Points are kept with the document under the exact words that asked for them, so that nothing is
read or written twice. Knows neither summaries nor questions.
"""

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Final

from assistant.backends.base import ChatModel, Generation, Prefix
from assistant.generation.citing import Citer, Embed, without_markers
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import (
    FIRST_POINT,
    about_messages,
    chunk_text,
    concern_messages,
    reading_text,
    section_head,
    summary_messages,
    translation_messages,
)
from assistant.generation.sections import Section
from assistant.generation.translating import Translator
from assistant.storage.base import Store
from assistant.streams import IsCancelled
from assistant.types import Chunk, Citation, Document, Message, Passage, Point

VERSION: Final = "6"  # of the prompts: kept points of another version are not used
TOKENS_PER_POINT: Final = 70
ASKED_MORE: Final = 1  # asked for one point alone, small models write what they know of the subject
LEAST_KEPT: Final = 0.4  # of a text, when its last half sentence is dropped
ABOUT_SHARE: Final = 0.5  # of yes against no: others say 0.2 to 0.5, points about it 0.6 to 0.85
ITEM: Final = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s*")


class KeyPoints:
    """Takes notes on documents, and knows those that were taken.

    Attributes:
        written: texts that were written since this was made, and not only looked up.
    """

    def __init__(self, model: ChatModel, store: Store, embed: Embed, reader: Prefixes) -> None:
        self._model = model
        self._store = store
        self._embed = embed
        self._reader = reader
        self._translator = Translator(model)
        self.written = 0

    def see(self, document: Document, section: Section) -> list[Prefix]:
        """Return the whole section as the model reads it."""
        return self._reader.see(_passages(document, section.chunks))

    def taken(self, document: Document, section: Section, points: int) -> bool:
        """Tell whether so many points of the section are there."""
        key = self._key(_asking(document, section, points))
        return self._store.kept(document.id, key) is not None

    def take(
        self,
        document: Document,
        section: Section,
        points: int,
        cancelled: IsCancelled,
        focus: str = "",
    ) -> tuple[Point, ...]:
        """Return so many points of a section, in the document's language.

        Args:
            focus: what they keep to; the section is then some chunks of the document, in order.
        """
        messages = _asking(document, section, points, focus)
        read = self._recall(document, section) if focus else self.see(document, section)
        taken = self.points(document, section.chunks, messages, points, cancelled, read)
        if not focus:
            return taken
        about = [point for point in taken if self._is_about(document, point, focus, cancelled)]
        return tuple(about)

    def concern(
        self, document: Document, section: Section, focus: str, cancelled: IsCancelled
    ) -> float:
        """Return how likely some chunks are about something, as the model says: from 0 to 1."""
        messages = concern_messages(_text(document, section), focus)
        return self._yes(document, messages, cancelled, self._recall(document, section))

    def _is_about(
        self, document: Document, point: Point, focus: str, cancelled: IsCancelled
    ) -> bool:
        """Tell whether a point stands in the document and is about the focus."""
        if not (point.citation and point.citation.supported):
            return False
        messages = about_messages(point.text, focus)
        return self._yes(document, messages, cancelled) >= ABOUT_SHARE

    def _yes(
        self,
        document: Document,
        messages: Sequence[Message],
        cancelled: IsCancelled,
        read: Sequence[Prefix] = (),
    ) -> float:
        """Return how likely the model says yes, kept as `points` are."""

        def asked() -> str:
            before, after = self._model.encode_apart(messages)
            choice = self._model.choose(
                after if read else before + after,
                ["Yes", "No"],
                readings=read,
                cancelled=cancelled,
            )
            return str(choice.shares[0])

        return float(self._kept(document, messages, asked))

    def _recall(self, document: Document, section: Section) -> list[Prefix]:
        """Return chunks as the model read them; none when some of them were not read yet."""
        readings, fresh = self._reader.recall(_passages(document, section.chunks))
        return [] if fresh else readings

    def points(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        messages: Sequence[Message],
        points: int,
        cancelled: IsCancelled,
        read: Sequence[Prefix] = (),
    ) -> tuple[Point, ...]:
        """Return what the model writes, each point with the sentence of the chunks it stands on.

        Args:
            read: the first of the messages as it is read; none when it is read as it stands.
        """

        def written() -> str:
            reply = whole_sentences(self._list(messages, points, cancelled, read))
            citer = Citer(_passages(document, chunks), self._embed)
            made = [Point(text, citer.cite(text)) for text in _statements(reply)[:points]]
            return json.dumps([asdict(point) for point in made])

        return _loaded(self._kept(document, messages, written), document)

    def translated(
        self, document: Document, text: str, language: str, cancelled: IsCancelled
    ) -> str:
        """Return a text about a document in another language."""

        def written() -> str:
            return self._translator.translate(text, language, cancelled=cancelled)[0]

        return self._kept(document, translation_messages(text, language), written)

    def _kept(
        self, document: Document, messages: Sequence[Message], write: Callable[[], str]
    ) -> str:
        """Return what was kept for the same messages, or what is written now."""
        key = self._key(messages)
        if (kept := self._store.kept(document.id, key)) is not None:
            return kept
        text = write()
        self._store.keep(document.id, key, text)
        self.written += 1
        return text

    def _list(
        self,
        messages: Sequence[Message],
        points: int,
        cancelled: IsCancelled,
        read: Sequence[Prefix],
    ) -> str:
        """Return a numbered list of at most so many points, and stop at the next."""
        beyond = re.compile(rf"\n\s*{points + 1}[.)]\s")
        text = FIRST_POINT
        for piece in self._stream(messages, text, points * TOKENS_PER_POINT, cancelled, read):
            text += piece
            if beyond.search(text):
                break
        return text

    def _stream(
        self,
        messages: Sequence[Message],
        start: str,
        limit_tokens: int,
        cancelled: IsCancelled,
        read: Sequence[Prefix] = (),
    ) -> Generator[str, None, Generation]:
        before, after = self._model.encode_apart(messages, reply_start=start)
        return self._model.stream(
            after if read else before + after,
            limit_tokens=limit_tokens,
            readings=read,
            cancelled=cancelled,
        )

    def _key(self, messages: Sequence[Message]) -> str:
        said = "\x00".join(message.text for message in messages)
        digest = sha256(f"{VERSION}\x00{said}".encode()).hexdigest()
        return f"summary:{self._model.name}:{digest}"


def _asking(document: Document, section: Section, points: int, focus: str = "") -> list[Message]:
    text = _text(document, section)
    return summary_messages(text, document.language, points=points + ASKED_MORE, focus=focus)


def _passages(document: Document, chunks: Sequence[Chunk]) -> list[Passage]:
    return [Passage(chunk, document, score=0.0) for chunk in chunks]


def _text(document: Document, section: Section) -> str:
    """Return the section as `KeyPoints.see` lays it before the model, in words."""
    head = section_head(document, section.title)
    return reading_text(head, [chunk_text(chunk) for chunk in section.chunks])


def _statements(reply: str) -> list[str]:
    """Return the items of a reply, without their numbers, marks and introductions."""
    lines = [_plain(line) for line in reply.split("\n")]
    return list(dict.fromkeys(line for line in lines if line and not line.endswith(":")))


def _plain(text: str) -> str:
    return without_markers(ITEM.sub("", text)).replace("**", "").strip()


def _loaded(kept: str, document: Document) -> tuple[Point, ...]:
    """Return kept points; the document may have been renamed since."""
    return tuple(
        Point(value["text"], _citation(value["citation"], document)) for value in json.loads(kept)
    )


def _citation(kept: Mapping[str, Any] | None, document: Document) -> Citation | None:
    return Citation(**{**kept, "document": document.title}) if kept else None


def whole_sentences(text: str) -> str:
    """Return the text up to its last full sentence, when the limit cut one off."""
    text = text.strip()
    end = max(text.rfind(mark) for mark in ".!?।。…")
    return text[: end + 1] if end > len(text) * LEAST_KEPT else text
