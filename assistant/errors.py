"""Every error Quipu raises on purpose, in one tree.

    QuipuError
    ├── UsageError                what was asked for makes no sense
    │   ├── EmptyQuestion
    │   ├── EmptyLibrary
    │   ├── UnknownDocument
    │   ├── AmbiguousDocument
    │   ├── NoDocumentNamed
    │   ├── NoSuchPage
    │   ├── NothingLeft
    │   ├── UnknownLanguage
    │   ├── BadSetting
    │   ├── StillAnswering
    │   ├── InvalidPages
    │   ├── InvalidDate
    │   ├── InvalidWindow
    │   ├── WeakPassword
    │   ├── UnusableAddress
    │   ├── MissingPackage
    │   ├── NothingToEvaluate
    │   ├── UnusableDataSet
    │   ├── OneDataSetWanted
    │   ├── NoSuchPairs
    │   ├── NoQuestionWritten
    │   └── NoFigures
    ├── DocumentError             one file cannot be added; the others still can
    │   ├── MissingFile
    │   ├── UnsupportedFile
    │   ├── UnreadableDocument
    │   ├── EncryptedDocument
    │   ├── EmptyDocument
    │   └── DocumentTooLarge
    ├── ModelError                a model is missing, unusable or cannot be downloaded
    │   ├── UnknownModel
    │   ├── ModelNotInstalled
    │   ├── UnusableModel
    │   ├── PullFailed            what was installed before is untouched
    │   │   ├── NoNetwork
    │   │   ├── NoSpace
    │   │   └── WrongHash
    │   ├── NotEnoughMemory
    │   ├── ContextOverflow
    │   └── NotCached
    ├── LibraryError              the library on disk cannot do what was asked
    │   ├── LibraryBusy
    │   ├── LibraryDamaged
    │   └── WrongEmbedder
    └── Cancelled                 the user stopped it

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
    """An error that the user can understand and fix; a subclass declares its facts as fields.

    `str(error)` is one sentence in English that says what to do.

    Attributes:
        sentence: renders a notice in English; set by `ui.words` when it is imported.
    """

    sentence: ClassVar[Callable[[Notice], str] | None] = None

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True, eq=False, repr=False)(cls)

    @property
    def notice(self) -> Notice:
        """The error as a value."""
        names = getattr(self, "__dataclass_fields__", ())
        return Notice(type(self).__name__, {name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        return str(self.notice)


class UsageError(QuipuError): ...


class EmptyQuestion(UsageError): ...


class EmptyLibrary(UsageError): ...


class UnknownDocument(UsageError):
    reference: str


class AmbiguousDocument(UsageError):
    reference: str
    names: str


class NoDocumentNamed(UsageError): ...


class NoSuchPage(UsageError):
    title: str
    count: int


class NothingLeft(UsageError): ...


class UnknownLanguage(UsageError):
    code: str
    names: str


class BadSetting(UsageError):
    name: str
    value: str
    reason: str


class StillAnswering(UsageError): ...


class InvalidPages(UsageError):
    given: str


class InvalidDate(UsageError):
    given: str


class InvalidWindow(UsageError):
    given: str


class WeakPassword(UsageError):
    host: str
    least_characters: int


class UnusableAddress(UsageError):
    address: str
    reason: str


class MissingPackage(UsageError):
    name: str
    command: str


class NothingToEvaluate(UsageError): ...


class UnusableDataSet(UsageError):
    folder: str
    where: str


class OneDataSetWanted(UsageError): ...


class NoSuchPairs(UsageError):
    name: str
    given: str
    known: str


class NoQuestionWritten(UsageError): ...


class NoFigures(UsageError):
    path: str


class DocumentError(QuipuError): ...


class MissingFile(DocumentError):
    path: str


class UnsupportedFile(DocumentError):
    name: str
    known: str


class UnreadableDocument(DocumentError):
    name: str
    reason: Reason | str


class EncryptedDocument(DocumentError):
    name: str


class EmptyDocument(DocumentError):
    name: str
    reason: Reason


class DocumentTooLarge(DocumentError):
    name: str
    count: int
    unit: Reason
    limit: int


class ModelError(QuipuError): ...


class UnknownModel(ModelError):
    name: str


class ModelNotInstalled(ModelError):
    name: str


class UnusableModel(ModelError):
    name: str
    reason: Reason


class PullFailed(ModelError): ...


class NoNetwork(PullFailed):
    name: str
    detail: str


class NoSpace(PullFailed):
    name: str
    needed_gb: float
    free_gb: float
    folder: str


class WrongHash(PullFailed):
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
    needed_tokens: int
    window_tokens: int


class NotCached(ModelError):
    """There is no room on the disk for the KV cache of a document."""

    title: str


class LibraryError(QuipuError): ...


class LibraryBusy(LibraryError):
    folder: str


class LibraryDamaged(LibraryError):
    folder: str
    reason: Reason | str


class WrongEmbedder(LibraryError):
    stored: str
    given: str


class Cancelled(QuipuError): ...
