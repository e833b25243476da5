"""The limited process in which files are read: `python -m ingest.child PATH`, JSON out."""

import json
import resource
import sys
from pathlib import Path

from ingest.reading import run_reader

MEMORY_BYTES = 2 << 30
CPU_S = 120


def main() -> None:
    """Set the limits, read the file, print what it holds."""
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)  # a reader writes no files
    json.dump(run_reader(Path(sys.argv[1])), sys.stdout)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (capped, capped))  # hard too: what runs here cannot lift it
    except (OSError, ValueError):  # macOS refuses RLIMIT_AS; the wall clock still holds there
        return


if __name__ == "__main__":
    main()
