"""The key points of a document: section by section, each with the sentence it stands on.

Points are cached with the document under the exact words that asked for them, so that nothing is
prefilled or written twice. Knows neither summaries nor questions.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any, Final

from assistant.backends.base import ChatModel, Prefix, Prompt
from assistant.generation.citing import Citer, Embed, without_markers
from assistant.generation.judging import POINT_ON_TOPIC, TEXT_ON_TOPIC, Judge
from assistant.generation.prefix import Prefixes
from assistant.generation.prompts import (
    FIRST_POINT,
    about_messages,
    concern_messages,
    section_blocks,
    summary_messages,
    translation_messages,
)
from assistant.generation.sections import Section
from assistant.generation.translating import Translator
from assistant.storage.base import Store
from assistant.streams import IsCancelled
from assistant.types import Chunk, Citation, Document, Message, Passage, Point

VERSION: Final = "6"  # of the prompts: cached points of another version are not used
TOKENS_PER_POINT: Final = 70
ASKED_MORE: Final = 1  # asked for one point alone, small models write what they know of the topic
LEAST_KEPT: Final = 0.4  # of a text, when its last half sentence is dropped
ITEM: Final = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s*")


class KeyPoints:
    """Has a model write key points, and knows those that are cached.

    Attributes:
        written: texts that were written since this was made, and not only looked up.
    """

    def __init__(self, model: ChatModel, store: Store, embed: Embed, prefixes: Prefixes) -> None:
        self._model = model
        self._store = store
        self._embed = embed
        self._prefixes = prefixes
        self._judge = Judge(model)
        self._translator = Translator(model)
        self.written = 0

    def showing(self, document: Document, section: Section) -> list[Prefix]:
        """Return the prefixes that show a whole section."""
        return self._prefixes.showing(_passages(document, section.chunks))

    def are_cached(self, document: Document, section: Section, points: int) -> bool:
        """Tell whether so many points of the section are cached."""
        key = self._key(_asking(document, section, points))
        return self._store.cached(document.id, key) is not None

    def of_section(
        self,
        document: Document,
        section: Section,
        points: int,
        cancelled: IsCancelled,
        topic: str = "",
    ) -> tuple[Point, ...]:
        """Return so many points of a section, in the document's language.

        Args:
            topic: what the points are restricted to; the section is then some chunks of the
                document, in order.
        """
        messages = _asking(document, section, points, topic)
        shown = self._cached(document, section) if topic else self.showing(document, section)
        found = self.points(document, section.chunks, messages, points, cancelled, shown)
        if not topic:
            return found
        return tuple(point for point in found if self._is_about(document, point, topic, cancelled))

    def is_on_topic(
        self, document: Document, section: Section, topic: str, cancelled: IsCancelled
    ) -> bool:
        """Tell whether the model says that some chunks are about a topic."""
        messages = concern_messages(_text(document, section), topic)
        shown = self._cached(document, section)
        return TEXT_ON_TOPIC.met(self._yes(document, messages, cancelled, shown))

    def points(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        messages: Sequence[Message],
        points: int,
        cancelled: IsCancelled,
        prefixes: Sequence[Prefix] = (),
    ) -> tuple[Point, ...]:
        """Return what the model writes, each point with the sentence of the chunks it stands on.

        Args:
            prefixes: hold the text of the first message; none when it is prefilled as it stands.
        """

        def written() -> str:
            reply = whole_sentences(self._list(_prompt(messages, prefixes), points, cancelled))
            citer = Citer(_passages(document, chunks), self._embed)
            made = [Point(text, citer.cite(text)) for text in _statements(reply)[:points]]
            return json.dumps([asdict(point) for point in made])

        return _loaded(self._through_cache(document, messages, written), document)

    def translated(
        self, document: Document, text: str, language: str, cancelled: IsCancelled
    ) -> str:
        """Return a text about a document in another language, cached with the document."""

        def written() -> str:
            return self._translator.translate(text, language, cancelled=cancelled)[0]

        return self._through_cache(document, translation_messages(text, language), written)

    def _is_about(
        self, document: Document, point: Point, topic: str, cancelled: IsCancelled
    ) -> bool:
        """Tell whether a point is supported by the document and about the topic."""
        if not (point.citation and point.citation.supported):
            return False
        messages = about_messages(point.text, topic)
        return POINT_ON_TOPIC.met(self._yes(document, messages, cancelled))

    def _yes(
        self,
        document: Document,
        messages: Sequence[Message],
        cancelled: IsCancelled,
        prefixes: Sequence[Prefix] = (),
    ) -> float:
        """Return the probability of yes, cached as `points` are."""

        def judged() -> str:
            choice = self._judge.yes(_prompt(messages, prefixes), cancelled=cancelled)
            return str(choice.probabilities[0])

        return float(self._through_cache(document, messages, judged))

    def _cached(self, document: Document, section: Section) -> list[Prefix]:
        """Return prefixes that show the chunks; none when the KV of some is not cached."""
        prefixes, fresh = self._prefixes.cached(_passages(document, section.chunks))
        return [] if fresh else prefixes

    def _through_cache(
        self, document: Document, messages: Sequence[Message], write: Callable[[], str]
    ) -> str:
        """Return what is cached for the same messages, or what is written now."""
        key = self._key(messages)
        if (cached := self._store.cached(document.id, key)) is not None:
            return cached
        text = write()
        self._store.cache(document.id, key, text)
        self.written += 1
        return text

    def _list(self, prompt: Prompt, points: int, cancelled: IsCancelled) -> str:
        """Return a numbered list of at most so many points, and stop at the next."""
        beyond = re.compile(rf"\n\s*{points + 1}[.)]\s")
        text = FIRST_POINT
        stream = self._model.stream(
            replace(prompt, reply_start=text),
            limit_tokens=points * TOKENS_PER_POINT,
            cancelled=cancelled,
        )
        for piece in stream:
            text += piece
            if beyond.search(text):
                break
        return text

    def _key(self, messages: Sequence[Message]) -> str:
        said = "\x00".join(message.text for message in messages)
        digest = sha256(f"{VERSION}\x00{said}".encode()).hexdigest()
        return f"summary:{self._model.name}:{digest}"  # of all texts: old libraries have these


def _prompt(messages: Sequence[Message], prefixes: Sequence[Prefix]) -> Prompt:
    """Return the prompt of the messages; prefixes take the place of the first text."""
    if not prefixes:
        return Prompt.of(messages)
    first = replace(messages[0], text="")
    return Prompt((first, *messages[1:]), tuple(prefixes))


def _asking(document: Document, section: Section, points: int, topic: str = "") -> list[Message]:
    text = _text(document, section)
    return summary_messages(text, document.language, points=points + ASKED_MORE, focus=topic)


def _passages(document: Document, chunks: Sequence[Chunk]) -> list[Passage]:
    return [Passage(chunk, document) for chunk in chunks]


def _text(document: Document, section: Section) -> str:
    """Return the section as prefixes hold it, in words."""
    return "".join(section_blocks(document, section.title, section.chunks))


def _statements(reply: str) -> list[str]:
    """Return the items of a reply, without their numbers, marks and introductions."""
    lines = [_unmarked(line) for line in reply.split("\n")]
    return list(dict.fromkeys(line for line in lines if line and not line.endswith(":")))


def _unmarked(text: str) -> str:
    return without_markers(ITEM.sub("", text)).replace("**", "").strip()


def _loaded(cached: str, document: Document) -> tuple[Point, ...]:
    """Return cached points; the document may have been renamed since."""
    return tuple(
        Point(value["text"], _citation(value["citation"], document)) for value in json.loads(cached)
    )


def _citation(cached: Mapping[str, Any] | None, document: Document) -> Citation | None:
    return Citation(**{**cached, "document": document.title}) if cached else None


def whole_sentences(text: str) -> str:
    """Return the text up to its last whole sentence, when the limit cut one off."""
    text = text.strip()
    end = max(text.rfind(mark) for mark in ".!?।。…")
    return text[: end + 1] if end > len(text) * LEAST_KEPT else text
