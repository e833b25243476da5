"""Documents as prefixes: each section prefilled by itself, its KV cached for later prompts.

The first block of a prefix is the rules, as in every prompt; then come the head of the section and
its chunks, one block each, so that a question attends only to the chunks it needs. Knows no
question.
"""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, replace

from assistant.backends.base import ChatModel, Prefix
from assistant.errors import NotCached
from assistant.generation.prompts import section_blocks
from assistant.generation.sections import (
    SECTION_TOKENS,
    Section,
    page_range,
    sections,
    without_back_matter,
)
from assistant.storage.base import Store
from assistant.streams import IsCancelled, Progress, Step, with_progress
from assistant.types import Document, Passage

RULES_BLOCK, HEAD_BLOCK, FIRST_CHUNK = 0, 1, 2  # places in the blocks of a section


@dataclass(frozen=True)
class PrefillState:
    """How much of a document is prefilled, in tokens of the sections that a model reads."""

    tokens_done: int
    tokens: int

    @property
    def share(self) -> float:
        """Return how much is done, from 0 to 1."""
        return self.tokens_done / self.tokens


def section_prefix(
    document: Document, section: Section, ordinals: Collection[int], *, first: bool
) -> Prefix:
    """Return a section as a prefix of which some chunks are visible.

    Args:
        ordinals: of the visible chunks.
        first: nothing stands before it, so that the rules are visible too.
    """
    chunks = [n for n, chunk in enumerate(section.chunks) if chunk.ordinal in ordinals]
    visible = (HEAD_BLOCK, *(FIRST_CHUNK + n for n in chunks))
    return Prefix(
        blocks=section_blocks(document, section.title, section.chunks),
        visible=(RULES_BLOCK, *visible) if first else visible,
        document_id=document.id,
        note=f"{document.title}, p. {page_range(section.pages)}",
    )


class Prefixes:
    """The sections of documents as prefixes of one model."""

    def __init__(
        self, model: ChatModel, store: Store, *, section_tokens: int = SECTION_TOKENS
    ) -> None:
        self._model = model
        self._store = store
        self._section_tokens = section_tokens
        self._sections: dict[str, list[Section]] = {}

    def sections(self, document: Document) -> list[Section]:
        """Return the sections of a document, in order."""
        if document.id not in self._sections:
            body, _ = without_back_matter(self._store.chunks(document.id))
            limit = min(self._section_tokens, self._model.effective_tokens // 2)
            self._sections[document.id] = sections(body, self._model.count, limit)
        return self._sections[document.id]

    def cached(self, passages: Sequence[Passage]) -> tuple[list[Prefix], list[Passage]]:
        """Return prefixes that show the passages whose KV is cached, and the other passages."""
        fresh = [passage for passage in passages if not self._is_cached(passage)]
        return self.showing([passage for passage in passages if passage not in fresh]), fresh

    def showing(self, passages: Sequence[Passage]) -> list[Prefix]:
        """Return prefixes that show these passages, cached or not, in the order of first use."""
        ordinals: dict[Section, set[int]] = {}
        documents: dict[Section, Document] = {}
        for passage in passages:
            if section := self._section_of(passage):
                ordinals.setdefault(section, set()).add(passage.chunk.ordinal)
                documents[section] = passage.document
        return [
            section_prefix(documents[section], section, shown, first=not number)
            for number, (section, shown) in enumerate(ordinals.items())
        ]

    def holds(self, prefix: Prefix) -> bool:
        """Tell whether the KV of a prefix is cached."""
        cache = self._model.prefix_cache
        return cache is not None and cache.holds(prefix)

    def tokens(self, prefix: Prefix) -> int:
        """Return the length of a prefix, visible or not."""
        cache = self._model.prefix_cache
        return cache.tokens(prefix) if cache else self._model.count("".join(prefix.blocks))

    def prefill(
        self, document: Document, cancelled: IsCancelled
    ) -> Generator[Progress, None, None]:
        """Prefill and cache the sections of a document that are not cached; yield progress.

        Raises:
            NotCached: the cache has no room, or the model has no cache.
        """
        found = self.sections(document)
        wholes = [self._whole(document, section) for section in found]
        sizes = [self.tokens(whole) for whole in wholes]
        left = [
            0.0 if self.holds(whole) else self._seconds(size)
            for whole, size in zip(wholes, sizes, strict=True)
        ]
        before = 0
        for number, (section, whole) in enumerate(zip(found, wholes, strict=True)):
            pages = page_range(section.pages)
            progress = Progress(Step.READING, before, sum(sizes), pages, sum(left))
            left[number] = 0.0
            yield progress
            if not (yield from self._prefill(whole, progress, sum(left), cancelled)):
                raise NotCached(title=document.title)
            before += sizes[number]
        yield Progress(Step.READING, before, before, "", 0.0)

    def state(self, document: Document) -> PrefillState:
        """Return how much of a document is prefilled."""
        wholes = [self._whole(document, section) for section in self.sections(document)]
        done = sum(self.tokens(whole) for whole in wholes if self.holds(whole))
        return PrefillState(done, sum(map(self.tokens, wholes)))

    def _prefill(
        self, whole: Prefix, before: Progress, later_s: float, cancelled: IsCancelled
    ) -> Generator[Progress, None, bool]:
        """Prefill one section; return whether it could be stored.

        Args:
            before: the progress when it begins.
            later_s: seconds that the sections after it take.
        """
        cache = self._model.prefix_cache
        if cache is None:
            return False
        size = self.tokens(whole)

        def progress(done: int, _: int) -> Progress:
            rest = later_s + self._seconds(size - done, depth=done)
            return replace(before, done=before.done + done, seconds_left=rest)

        def work(cancelled: IsCancelled, report: Callable[[Progress], None]) -> bool:
            return cache.prefill(
                whole, cancelled=cancelled, report=lambda *done: report(progress(*done))
            )

        return (yield from with_progress(work, cancelled))

    def _seconds(self, tokens: int, depth: int = 0) -> float:
        throughput = self._model.throughput
        return throughput.prefill_time(tokens, depth=depth) if throughput else 0.0

    def _is_cached(self, passage: Passage) -> bool:
        section = self._section_of(passage)
        return section is not None and self.holds(self._whole(passage.document, section))

    def _whole(self, document: Document, section: Section) -> Prefix:
        ordinals = {chunk.ordinal for chunk in section.chunks}
        return section_prefix(document, section, ordinals, first=True)

    def _section_of(self, passage: Passage) -> Section | None:
        for section in self.sections(passage.document):
            if section.chunks[0].ordinal <= passage.chunk.ordinal <= section.chunks[-1].ordinal:
                return section if passage.chunk in section.chunks else None
        return None
