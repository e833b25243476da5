"""Database rows as the types of the domain, and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from assistant.errors import Notice
from assistant.storage.database import Row
from assistant.types import Chunk, Document, Matrix


def document_of(row: Row) -> Document:
    """Return the document of a row."""
    document_id, _state, *described, notes, read_as = row
    told = () if notes == "[]" else tuple(map(_note, json.loads(notes)))
    return Document(*(document_id, *described, told, read_as))


def _note(told: dict[str, Any]) -> Notice:
    """Return a note; earlier versions wrote its English text too, the first nothing else."""
    return (
        Notice(told["kind"], told["facts"])
        if told["kind"]
        else Notice("Remark", {"text": told["text"]})
    )


def values_of(document: Document) -> tuple[Any, ...]:
    """Return the document's fields in the order of the table, without its state."""
    fields = asdict(document)
    fields["notes"] = json.dumps(fields["notes"], ensure_ascii=False)
    return tuple(fields.values())


def chunk_of(row: Row) -> Chunk:
    """Return the chunk of a row."""
    return Chunk(
        document_id=row["document_id"],
        ordinal=row["ordinal"],
        text=row["text"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        page_starts=tuple((offset, page) for offset, page in json.loads(row["page_starts"])),
        heading=row["heading"],
    )


def matrix_of(blobs: Sequence[bytes]) -> Matrix:
    """Return the vectors that float16 blobs hold."""
    import numpy as np

    values = np.frombuffer(b"".join(blobs), dtype=np.float16)
    return values.reshape(len(blobs), -1).astype(np.float32)
