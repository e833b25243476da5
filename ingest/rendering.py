"""A page of a document as a picture, drawn in the limited child."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from assistant.errors import Reason, UnreadableDocument
from ingest.sandbox import CHILD, run_limited

WIDTH: Final = 1000  # pixels
WALL_S: Final = 30.0
DRAWN: Final = frozenset({".pdf"})  # types of which a page has a look of its own


def draw_page(path: Path, number: int, *, width: int = WIDTH, marked: Sequence[str] = ()) -> bytes:
    """Return page `number` (from 1) as a PNG about `width` pixels wide.

    Args:
        marked: sentences that are marked where they stand on the page; others are passed over.

    Raises:
        UnreadableDocument: the page cannot be drawn.
    """
    wanted = json.dumps({"number": number, "width": width, "marked": list(marked)})
    returncode, output = run_limited(
        [*CHILD, "draw", str(path.absolute())], WALL_S, said=wanted.encode()
    )
    if returncode != 0 or not output:
        raise UnreadableDocument(name=path.name, reason=Reason.NOT_DRAWN)
    return output
