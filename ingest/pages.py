"""From a file of any format to its pages, read in the limited child.

Files are strangers' work, so a reader only ever runs in a child process with limits on memory,
processor time, output and wall clock; what comes back is JSON, never pickles. A file that kills
the child is an `UnreadableDocument`, and the parent goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

MAX_CHARS: Final = 20_000_000


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a list item or a table of a page, in reading order.

    Attributes:
        level: of a heading, from 1; 0 for everything else.
        top: whether it stands at the upper edge of its page, where headers run.
        bottom: whether it stands at the lower edge.
    """

    text: str
    level: int = 0
    top: bool = False
    bottom: bool = False


@dataclass(frozen=True)
class RawPage:
    """Attributes:
    needs: why there is little or no text, see `Reason`; "" when there is enough.
    """

    number: int
    blocks: tuple[Block, ...]
    label: str = ""
    needs: str = ""

    @property
    def chars(self) -> int:
        """Return the number of characters of its blocks."""
        return sum(len(block.text) for block in self.blocks)


@dataclass(frozen=True)
class Extracted:
    """What a reader found in a file, before cleaning."""

    pages: tuple[RawPage, ...]
    title: str = ""


class EncryptedError(Exception):
    """A reader's word that the file wants a password."""


class TooLargeError(Exception):
    """A reader's word that the file exceeds a limit: (how many, of what, the limit)."""


ReadFunction: TypeAlias = Callable[[Path], Extracted]
