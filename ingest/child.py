"""The limited process in which files are opened.

python -m ingest.child read PATH    writes what the file holds, as JSON
python -m ingest.child draw PATH    reads what is wanted, as JSON, and writes a PNG
"""

import json
import resource
import sys
from pathlib import Path

from ingest.reading import run_reader

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
        from ingest.pictures import draw

        sys.stdout.buffer.write(draw(path, **json.load(sys.stdin)))


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (capped, capped))  # hard too: what runs here cannot lift it
    except (OSError, ValueError):  # macOS refuses RLIMIT_AS; the wall clock still holds there
        return


if __name__ == "__main__":
    main()
