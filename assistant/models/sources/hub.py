"""From the model hub to files on disk, by HTTP ranges.

The only import of huggingface_hub, whose addresses, log-in, proxies and errors are used. Ranges
are asked for here because `hf_hub_download` (2.4) deletes an interrupted download.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from assistant.models.catalogue import HubFile, HubFolder
from assistant.models.progress import Meter
from assistant.models.sources.base import Seen, SourceError

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class HubFetcher:
    """Gets files from the model hub.

    Attributes:
        endpoint: address of the hub; None takes huggingface_hub's own setting.
    """

    endpoint: str | None = None

    def fetch_file(self, source: HubFile, folder: Path, meter: Meter) -> Path:
        """Return the file, complete, inside `folder`."""
        remote = self._remote(source.repo, source.file)
        meter.total = remote.size or meter.total
        return download(remote, folder / PurePosixPath(source.file).name, meter, 0)

    def fetch_folder(self, source: HubFolder, folder: Path, meter: Meter) -> Path:
        """Return `folder` with every file of the listing that matches."""
        sizes = self._listing(source)
        meter.total = sum(sizes.values()) or meter.total
        before = 0
        for file in sorted(sizes):
            path = safe_path(folder, file)
            download(self._remote(source.repo, file), path, meter, before)
            before += path.stat().st_size
        return folder

    def _remote(self, repo: str, file: str) -> "RemoteFile":
        with the_hub() as hub:
            url = hub.hf_hub_url(repo, file, endpoint=self.endpoint)
            found = hub.get_hf_file_metadata(url, endpoint=self.endpoint)
            return RemoteFile(url, found.etag or "", found.size or 0)

    def _listing(self, source: HubFolder) -> dict[str, int]:
        with the_hub() as hub:
            info = hub.HfApi(endpoint=self.endpoint).model_info(source.repo, files_metadata=True)
            sizes = {file.rfilename: file.size or 0 for file in info.siblings}
            wanted = hub.utils.filter_repo_objects(sizes, allow_patterns=source.patterns or None)
            chosen = {file: sizes[file] for file in wanted}
        if not chosen:
            raise SourceError(f"{source.repo} holds none of the files")
        return chosen


@dataclass(frozen=True)
class RemoteFile:
    """A file of the hub as its metadata describe it."""

    url: str
    etag: str
    size: int


def safe_path(folder: Path, name: str) -> Path:
    """Return the path of a listed file below `folder`.

    Raises:
        SourceError: the name leads out of the folder.
    """
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise SourceError(f"the listing holds the name {name!r}")
    return folder / name


def download(remote: RemoteFile, target: Path, meter: Meter, before: int) -> Path:
    """Return `target`, fetched whole; `before` bytes of other files count as done already.

    A line that breaks is taken up again at once as long as each attempt brings something.

    Raises:
        SourceError: an attempt brought nothing; what came before stays for the next run.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = re.sub(r"\W", "", remote.etag)[:16]  # another version must not be continued
    growing = target.with_name(f"{target.name}.{mark}.part")
    growing.touch()
    while not remote.size or growing.stat().st_size < remote.size:
        if take_up(remote, growing, lambda bytes_: meter.at(before + bytes_)):
            break
    growing.replace(target)
    for stale in target.parent.glob(f"{target.name}.*.part"):
        stale.unlink()
    return target


def take_up(remote: RemoteFile, growing: Path, seen: Seen) -> bool:
    """Fetch what `growing` lacks; return whether the answer came to its end."""
    start = growing.stat().st_size
    try:
        with growing.open("r+b") as file:
            for position, chunk in chunks(remote.url, start):
                file.seek(position)
                file.truncate()
                file.write(chunk)
                seen(file.tell())
    except SourceError:
        if growing.stat().st_size <= start:
            raise
        return False
    if growing.stat().st_size <= start:
        raise SourceError("the answer was empty")
    return not remote.size


def chunks(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of a file from byte `start` on, each with its position.

    A server that ignores the range answers from byte 0, and so do the positions.
    """
    with the_hub() as hub:
        headers = {**hub.utils.build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        options = {"headers": headers, "follow_redirects": True, "timeout": TIMEOUT_SECONDS}
        with hub.get_session().stream("GET", url, **options) as answer:
            hub.utils.hf_raise_for_status(answer)
            position = start if answer.status_code == 206 else 0  # 206: Partial Content
            for piece in answer.iter_bytes():  # as they come: a buffer would be lost
                yield position, piece
                position += len(piece)


@contextmanager
def the_hub() -> Iterator[Any]:
    """Give huggingface_hub, imported late and with telemetry off; translate its errors.

    The base of its own HTTP error is that of its HTTP library, which changes with versions.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import huggingface_hub.constants
    import huggingface_hub.errors
    import huggingface_hub.utils

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    http_errors = huggingface_hub.errors.HfHubHTTPError.__bases__
    try:
        yield huggingface_hub
    except (*http_errors, OSError, ValueError) as error:
        raise SourceError(first_line(error)) from error


def first_line(error: Exception) -> str:
    """Return what an error says, without request numbers and further lines."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"\s*\(Request ID.*", "", lines[0])
