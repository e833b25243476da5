"""Every error Quipu raises on purpose, in one tree.

    QuipuError
    ├── UsageError                what was asked for makes no sense
    │   ├── EmptyQuestion
    │   ├── EmptyLibrary
    │   ├── UnknownDocument
    │   ├── AmbiguousDocument
    │   ├── NothingLeft
    │   ├── UnknownLanguage
    │   ├── BadSetting
    │   ├── StillAnswering
    │   └── UnusableDataSet
    ├── DocumentError             one file could not be taken in
    │   ├── MissingFile
    │   ├── UnsupportedFile
    │   ├── UnreadableDocument
    │   ├── EncryptedDocument
    │   ├── EmptyDocument
    │   └── DocumentTooLarge
    ├── ModelError
    │   ├── UnknownModel
    │   ├── ModelNotInstalled
    │   ├── UnusableModel
    │   ├── PullFailed
    │   │   ├── NoNetwork
    │   │   ├── NoSpace
    │   │   └── WrongHash
    │   ├── NotEnoughMemory
    │   ├── ContextOverflow
    │   └── NotKept
    ├── LibraryError
    │   ├── LibraryBusy
    │   ├── LibraryDamaged
    │   └── WrongEmbedder
    ├── BrokenInside              a fault of Quipu's own
    └── Cancelled                 the reader stopped it

The text of each is one sentence for the reader that says what to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True)
class Notice:
    """What an error or a remark says, for those who keep it or say it in another language.

    Attributes:
        kind: name of the error's class, or of the remark.
        text: the sentence, in English.
        facts: what stands in it: names, numbers, members of `Reason`.
    """

    kind: str
    text: str
    facts: dict[str, str | int | float] = field(default_factory=dict)


class Reason(StrEnum):
    """Reasons and units that stand in notices, as they read in English."""

    NO_PERMISSION = "there is no permission to open it"
    NO_FOLDER_PERMISSION = "there is no permission to open the folder"
    DEVICE = "it is a device or a pipe"
    SLOW = "it was not read in the time that one file may take"
    TOO_MUCH = "it needs more memory or time than one file may use"
    BROKE = "its reader broke down"
    NOT_DRAWN = "the page cannot be drawn"
    NO_BYTES = "the file has no bytes"
    NO_WORDS = "nothing but pictures or white space was found"
    PICTURES = "no page has text: recognise it with an OCR program and add the result"
    ALL_DAMAGED = "every page is damaged: look for another copy"
    SCANNED = "scanned"
    NO_TEXT = "empty or a picture"
    LITTLE_TEXT = "hardly any text"
    GARBLED = "its letters cannot be told"
    DRAWN_TEXT = "its letters are drawings"
    DAMAGED = "damaged"
    MEGABYTES = "MB"
    PAGES = "pages"
    CHARACTERS = "characters"
    PARTS = "parts"
    TIMES = "times its size inside"


class QuipuError(Exception):
    """Something the reader can understand and mend; its text is one sentence."""

    def __init__(self, text: str = "", **facts: str | int | float) -> None:
        super().__init__(text)
        self.notice = Notice(type(self).__name__, text, facts)


class UsageError(QuipuError):
    """What was asked for makes no sense."""


class EmptyQuestion(UsageError):
    def __init__(self) -> None:
        super().__init__("The question is empty: write what you want to know.")


class EmptyLibrary(UsageError):
    def __init__(self) -> None:
        super().__init__("The library is empty: `quipu add FILE` takes a document in.")


class UnknownDocument(UsageError):
    def __init__(self, reference: str) -> None:
        super().__init__(
            f"No document in the library matches {reference!r}: `quipu docs list` shows them all.",
            reference=reference,
        )


class AmbiguousDocument(UsageError):
    def __init__(self, reference: str, titles: Sequence[str]) -> None:
        names = ", ".join(titles)
        super().__init__(
            f"{reference!r} matches several documents ({names}): give more of the id.",
            reference=reference,
            names=names,
        )


class NothingLeft(UsageError):
    def __init__(self) -> None:
        super().__init__(
            "No document is left to search: choose other languages, dates or pages, or documents."
        )


class UnknownLanguage(UsageError):
    def __init__(self, code: str, known: Sequence[str]) -> None:
        names = ", ".join(known)
        super().__init__(f"Unknown language {code!r}: use one of {names}.", code=code, names=names)


class BadSetting(UsageError):
    def __init__(self, name: str, value: str, reason: str) -> None:
        super().__init__(
            f"The setting {name} = {value!r} cannot be used ({reason}): correct or remove it.",
            name=name,
            value=value,
            reason=reason,
        )


class StillAnswering(UsageError):
    def __init__(self) -> None:
        super().__init__("The question before is still being answered: wait for it or stop it.")


class UnusableDataSet(UsageError):
    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"{folder} is no data set ({reason}): see docs/quality.md for what it holds.",
            folder=str(folder),
            reason=reason,
        )


class DocumentError(QuipuError):
    """One file could not be taken in; the others still can."""


class MissingFile(DocumentError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: there is no such file or folder: check the name.", path=str(path)
        )


class UnsupportedFile(DocumentError):
    def __init__(self, path: Path, known: Sequence[str]) -> None:
        super().__init__(
            f"{path.name}: files of type {path.suffix or '(none)'} cannot be read yet: "
            f"use one of {', '.join(known)}.",
            name=path.name,
            suffix=path.suffix,
            known=", ".join(known),
        )


class UnreadableDocument(DocumentError):
    def __init__(self, path: Path, reason: Reason | str) -> None:
        super().__init__(f"{path.name}: cannot be read ({reason}).", name=path.name, reason=reason)


class EncryptedDocument(DocumentError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name}: is protected by a password: save a copy without one and add that.",
            name=path.name,
        )


class EmptyDocument(DocumentError):
    def __init__(self, path: Path, reason: Reason) -> None:
        super().__init__(f"{path.name}: holds no text ({reason}).", name=path.name, reason=reason)


class DocumentTooLarge(DocumentError):
    def __init__(self, path: Path, count: int, unit: Reason, limit: int) -> None:
        super().__init__(
            f"{path.name}: has {count:,} {unit}, the limit is {limit:,}: split it and add parts.",
            name=path.name,
            count=count,
            unit=unit,
            limit=limit,
        )


class ModelError(QuipuError):
    """A model is missing, unusable or could not be fetched."""


class UnknownModel(ModelError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"Unknown model {name!r}: `quipu models list` shows those there are.", name=name
        )


class ModelNotInstalled(ModelError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model {name} is not installed: run `quipu models pull {name}`.", name=name
        )


class UnusableModel(ModelError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path.name}: cannot be used as a model ({reason}).", name=path.name, reason=reason
        )


class PullFailed(ModelError):
    """A model could not be fetched; what was there before is untouched."""


class NoNetwork(PullFailed):
    def __init__(self, name: str, detail: str) -> None:
        super().__init__(
            f"{name} could not be fetched from any source ({detail}): "
            "check the network and run the same command again, it goes on where it stopped.",
            name=name,
            detail=detail,
        )


class NoSpace(PullFailed):
    def __init__(self, name: str, needed_bytes: int, free_bytes: int, folder: Path) -> None:
        super().__init__(
            f"{name} needs {needed_bytes / 1e9:.1f} GB and {folder} has "
            f"{free_bytes / 1e9:.1f} GB free: make room or set QUIPU_MODELS to another folder.",
            name=name,
            needed_gb=round(needed_bytes / 1e9, 1),
            free_gb=round(free_bytes / 1e9, 1),
            folder=str(folder),
        )


class WrongHash(PullFailed):
    def __init__(self, name: str, expected: str, found: str) -> None:
        super().__init__(
            f"{name} arrived with the SHA-256 {found[:12]}… instead of {expected[:12]}… "
            "and was thrown away: run the same command again.",
            name=name,
            expected=expected[:12],
            found=found[:12],
        )


class NotEnoughMemory(ModelError):
    """A window does not fit into memory; says which would."""

    def __init__(
        self, name: str, window_tokens: int, *, needed: int, free: int, fits: int, fits_packed: int
    ) -> None:
        ways = [f"`--window {fits}`"] if fits else []
        if fits_packed > fits:
            ways.append(f"`--kv q8_0` with a window of up to {fits_packed:,}")
        super().__init__(
            f"{name} with a window of {window_tokens:,} tokens needs {needed / 1e9:.1f} GB and "
            f"{free / 1e9:.1f} GB are free: use {', or '.join([*ways, 'a smaller model'])}.",
            name=name,
            window=window_tokens,
            needed_gb=round(needed / 1e9, 1),
            free_gb=round(free / 1e9, 1),
            fits=max(fits, fits_packed),
        )


class ContextOverflow(ModelError):
    def __init__(self, needed_tokens: int, window_tokens: int) -> None:
        self.needed_tokens = needed_tokens
        self.window_tokens = window_tokens
        super().__init__(
            f"The prompt needs {needed_tokens} tokens and the model's window holds "
            f"{window_tokens}: ask something shorter or choose a model with a larger window.",
            needed=needed_tokens,
            window=window_tokens,
        )


class NotKept(ModelError):
    """What was read of a document could not be kept."""

    def __init__(self, title: str) -> None:
        super().__init__(
            f"There is no room on the disk to keep what was read of {title!r}: free some, or "
            "clear what is kept with `quipu snapshots clear`.",
            title=title,
        )


class LibraryError(QuipuError):
    """The library on disk cannot do what was asked."""


class LibraryBusy(LibraryError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another Quipu has been writing to {folder} for too long: wait for it or stop it.",
            folder=str(folder),
        )


class LibraryDamaged(LibraryError):
    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"The library in {folder} cannot be used ({reason}).",
            folder=str(folder),
            reason=reason,
        )


class WrongEmbedder(LibraryError):
    def __init__(self, stored: str, given: str) -> None:
        super().__init__(
            f"This library was built with the embedding model {stored} and cannot be searched "
            f"with {given}: use `--embedder {stored}` or add the documents to another QUIPU_HOME.",
            stored=stored,
            given=given,
        )


class BrokenInside(QuipuError):
    """A fault of Quipu's own; the log has the traceback."""

    def __init__(self) -> None:
        super().__init__(
            "Something broke inside Quipu: ask again, and report it with what the terminal shows."
        )


class Cancelled(QuipuError):
    def __init__(self) -> None:
        super().__init__("Stopped.")
