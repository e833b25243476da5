"""Every error Quipu raises on purpose, in one tree.

An error is a kind, the name of its class, and its facts, which are keyword arguments. The sentences
for people, in every language, are in `ui/words`. A `QuipuError` itself is a defect of Quipu.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import ClassVar, Final, TypeAlias, dataclass_transform

Fact: TypeAlias = str | int | float


class Reason(StrEnum):
    """Reasons and units among the facts of a notice; libraries hold the values."""

    NO_PERMISSION = auto()
    NO_FOLDER_PERMISSION = auto()
    DEVICE = auto()
    SLOW = auto()
    TOO_MUCH = auto()
    BROKE = auto()
    INVALID = auto()
    NOT_DRAWN = auto()
    NO_BYTES = auto()
    NO_WORDS = auto()
    PICTURES = auto()
    ALL_DAMAGED = auto()
    SCANNED = auto()
    NO_TEXT = auto()
    LITTLE_TEXT = auto()
    GARBLED = auto()
    DRAWN_TEXT = auto()
    DAMAGED = auto()
    MEGABYTES = auto()
    PAGES = auto()
    CHARACTERS = auto()
    PARTS = auto()
    TIMES = auto()
    NOT_FOUND = auto()
    INCOMPLETE = auto()
    NOT_GGUF = auto()
    NOT_LOADED = auto()
    BAD_TEMPLATE = auto()
    CANNOT_CHAT = auto()
    NO_MEMORY = auto()
    NEWER = auto()
    PARTLY_STAGED = auto()
    INDEX_SHORT = auto()


# How facts were called and reasons were written before; libraries still hold them.
FORMER_FACTS: Final = {"needed": "needed_tokens", "window": "window_tokens"}
FORMER_REASONS: Final = {
    "there is no permission to open it": Reason.NO_PERMISSION,
    "there is no permission to open the folder": Reason.NO_FOLDER_PERMISSION,
    "it is a device or a pipe": Reason.DEVICE,
    "it was not read in the time that one file may take": Reason.SLOW,
    "it needs more memory or time than one file may use": Reason.TOO_MUCH,
    "its reader broke down": Reason.BROKE,
    "the page cannot be drawn": Reason.NOT_DRAWN,
    "the file has no bytes": Reason.NO_BYTES,
    "nothing but pictures or white space was found": Reason.NO_WORDS,
    "no page has text: recognise it with an OCR program and add the result": Reason.PICTURES,
    "every page is damaged: look for another copy": Reason.ALL_DAMAGED,
    "empty or a picture": Reason.NO_TEXT,
    "hardly any text": Reason.LITTLE_TEXT,
    "its letters cannot be told": Reason.GARBLED,
    "its letters are drawings": Reason.DRAWN_TEXT,
    "MB": Reason.MEGABYTES,
    "times its size inside": Reason.TIMES,
}


@dataclass(frozen=True)
class Notice:
    """An error or a remark as a value, which can be stored and told in any language.

    Attributes:
        kind: name of the error's class, or of the remark.
        facts: names, numbers and `Reason`s that the sentence mentions.
    """

    kind: str
    facts: dict[str, Fact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        facts = {FORMER_FACTS.get(name, name): fact for name, fact in self.facts.items()}
        for name in facts.keys() & {"reason", "unit"}:
            facts[name] = FORMER_REASONS.get(str(facts[name]), facts[name])
        object.__setattr__(self, "facts", facts)

    @property
    def plain(self) -> str:
        """The kind and its facts, for programmers."""
        facts = ", ".join(f"{name}={fact!r}" for name, fact in self.facts.items())
        return f"{self.kind}: {facts}" if facts else self.kind

    def __str__(self) -> str:
        return QuipuError.sentence(self) if QuipuError.sentence else self.plain


@dataclass_transform(kw_only_default=True, eq_default=False)
class QuipuError(Exception):
    """An error the user can fix, as one sentence; a subclass declares its facts as fields."""

    sentence: ClassVar[Callable[[Notice], str] | None] = None  # in English; set by `ui.words`

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True, eq=False, repr=False)(cls)

    @property
    def notice(self) -> Notice:
        """The error as a value."""
        names = getattr(self, "__dataclass_fields__", ())
        return Notice(type(self).__name__, {name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        return str(self.notice)


class UsageError(QuipuError):
    """What was asked for cannot be done; the sentence says what to ask instead."""


class EmptyQuestion(UsageError):
    """The question has no words."""


class EmptyLibrary(UsageError):
    """There is no document to ask about."""


class UnknownDocument(UsageError):
    """No document has this title, path or id."""

    reference: str


class AmbiguousDocument(UsageError):
    """Several documents have this title."""

    reference: str
    names: str


class NoDocumentNamed(UsageError):
    """A command needs a document and got none."""


class NoSuchPage(UsageError):
    """The document has no such page."""

    title: str
    count: int


class NothingLeft(UsageError):
    """The filters leave no document or page to search."""


class UnknownLanguage(UsageError):
    """No supported language has this code."""

    code: str
    names: str


class BadSetting(UsageError):
    """A setting has a value that it cannot have."""

    name: str
    value: str
    reason: str


class StillAnswering(UsageError):
    """The conversation has an answer in work."""


class InvalidPages(UsageError):
    """The text names no pages."""

    given: str


class InvalidDate(UsageError):
    """The text is no date."""

    given: str


class InvalidWindow(UsageError):
    """The text is no size of a window."""

    given: str


class WeakPassword(UsageError):
    """Others can reach the page, and its password is missing or too short."""

    host: str
    least_characters: int


class UnusableAddress(UsageError):
    """The page cannot listen at this address."""

    address: str
    reason: str


class MissingPackage(UsageError):
    """An optional Python package is not installed."""

    name: str
    command: str


class NothingToEvaluate(UsageError):
    """An evaluation got neither a data set nor results to compare."""


class UnusableDataSet(UsageError):
    """The folder holds no data set."""

    folder: str
    where: str


class OneDataSetWanted(UsageError):
    """An evaluation got several data sets where it takes one."""


class NoSuchPairs(UsageError):
    """The data set has no questions for these pairs of languages."""

    name: str
    given: str
    known: str


class NoQuestionWritten(UsageError):
    """The model wrote no usable question about the documents."""


class NoFigures(UsageError):
    """The file holds no results of an evaluation."""

    path: str


class DocumentError(QuipuError):
    """One file cannot be added; the others still can."""


class MissingFile(DocumentError):
    """There is no such file."""

    path: str


class UnsupportedFile(DocumentError):
    """No reader opens files of this type."""

    name: str
    known: str


class UnreadableDocument(DocumentError):
    """The file is damaged, or reading it took too long."""

    name: str
    reason: Reason | str


class EncryptedDocument(DocumentError):
    """The file wants a password."""

    name: str


class EmptyDocument(DocumentError):
    """The file holds no text."""

    name: str
    reason: Reason


class DocumentTooLarge(DocumentError):
    """The file exceeds a limit of size, pages or characters."""

    name: str
    count: int
    unit: Reason
    limit: int


class ModelError(QuipuError):
    """A model is missing, unusable or cannot be downloaded."""


class UnknownModel(ModelError):
    """The catalogue has no such model, or it has another role."""

    name: str


class ModelNotInstalled(ModelError):
    """The model is known and not on this machine."""

    name: str


class UnusableModel(ModelError):
    """The file is no model that can be used for this."""

    name: str
    reason: Reason


class PullFailed(ModelError):
    """A download failed; what was installed before is untouched."""


class NoNetwork(PullFailed):
    """No source of the model can be reached."""

    name: str
    detail: str


class NoSpace(PullFailed):
    """The disk has no room for the model."""

    name: str
    needed_gb: float
    free_gb: float
    folder: str


class WrongHash(PullFailed):
    """The downloaded file is not the one that the catalogue describes."""

    name: str
    expected: str
    found: str


class NotEnoughMemory(ModelError):
    """Facts `fits`, `fits_q8`: the largest contexts that fit, in tokens; 0 when none does."""

    name: str
    window_tokens: int
    needed_gb: float
    free_gb: float
    fits: int
    fits_q8: int = 0


class ContextOverflow(ModelError):
    """A prompt and its reply are longer than the context window."""

    needed_tokens: int
    window_tokens: int


class NotCached(ModelError):
    """There is no room on the disk for the KV cache of a document."""

    title: str


class LibraryError(QuipuError):
    """The library on disk cannot do what was asked."""


class LibraryBusy(LibraryError):
    """Another process is writing, and did not end in time."""

    folder: str


class LibraryDamaged(LibraryError):
    """The database is damaged, or of a later version."""

    folder: str
    reason: Reason | str


class WrongEmbedder(LibraryError):
    """The stored vectors are those of another embedding model."""

    stored: str
    given: str


class Cancelled(QuipuError):
    """The user stopped it."""
