"""The limited process in which files are opened.

python -m ingest.sandbox_child read PATH    writes the file's blocks, as JSON
python -m ingest.sandbox_child draw PATH    reads a request, as JSON, and writes a PNG
"""

import json
import resource
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from assistant.errors import Reason
from ingest.pages import MAX_CHARS, EncryptedError, Extracted, ReadFunction, TooLargeError
from ingest.readers.registry import READERS

MAX_PAGES: Final = 5_000
MEMORY_BYTES = 2 << 30
CPU_S = 120


def main() -> None:
    """Set the limits, then read the file or draw a page of it."""
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)  # a reader writes no files
    order, path = sys.argv[1], Path(sys.argv[2])
    if order == "read":
        json.dump(run_reader(path), sys.stdout)
    else:
        from ingest.page_images import draw

        sys.stdout.buffer.write(draw(path, **json.load(sys.stdin)))


def run_reader(path: Path) -> dict[str, Any]:
    """Read in this very process and return a JSON value; only the child calls this."""
    module, name = READERS[path.suffix.lower()]
    try:
        reader: ReadFunction = getattr(import_module(module), name)
        reading = reader(path)
        _check_size(reading)
    except EncryptedError:
        return {"refused": "encrypted"}
    except TooLargeError as error:
        return {"refused": "too large", "details": error.args}
    except (MemoryError, RecursionError):
        return {"refused": "unreadable", "details": Reason.TOO_MUCH}
    except Exception:  # any parser may fail in any way on a stranger's file
        return {"refused": "unreadable", "details": Reason.INVALID}
    return asdict(reading)


def _check_size(reading: Extracted) -> None:
    if len(reading.pages) > MAX_PAGES:
        raise TooLargeError(len(reading.pages), Reason.PAGES, MAX_PAGES)
    if (chars := sum(page.chars for page in reading.pages)) > MAX_CHARS:
        raise TooLargeError(chars, Reason.CHARACTERS, MAX_CHARS)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (capped, capped))  # hard too: what runs here cannot lift it
    except (OSError, ValueError):  # macOS refuses RLIMIT_AS; the wall clock still holds there
        return


if __name__ == "__main__":
    main()
