"""Documents, chunks and vectors as rows of the database, and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from assistant.errors import Notice
from assistant.storage.database import Row
from assistant.types import Chunk, Document, Matrix, Vector

# Of the table `documents`; its other column, `state`, is the library's own.
DOCUMENT_COLUMNS: Final = tuple(field.name for field in fields(Document))
CHUNK_COLUMNS: Final = (*(field.name for field in fields(Chunk)), "vector")


def document_of(row: Row) -> Document:
    """Return the document of a row."""
    values = {name: row[name] for name in DOCUMENT_COLUMNS}
    values["notes"] = tuple(map(_note, json.loads(values["notes"])))
    return Document(**values)


def document_row(document: Document) -> dict[str, Any]:
    """Return a document's values by column."""
    values = asdict(document)
    values["notes"] = json.dumps(values["notes"], ensure_ascii=False)
    return values


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


def chunk_row(chunk: Chunk, vector: Vector) -> dict[str, Any]:
    """Return a chunk's values by column; the vector is stored as float16."""
    blob = vector.astype("float16").tobytes()
    return {**asdict(chunk), "page_starts": json.dumps(chunk.page_starts), "vector": blob}


def matrix_of(blobs: Sequence[bytes]) -> Matrix:
    """Return stored vectors as a matrix, (n, dim)."""
    import numpy as np  # not needed to list documents

    values = np.frombuffer(b"".join(blobs), dtype=np.float16)
    return values.reshape(len(blobs), -1).astype(np.float32)


def insert_into(table: str, columns: Sequence[str]) -> str:
    """Return the SQL that inserts a row of named values."""
    values = ", ".join(f":{name}" for name in columns)
    return f"INTO {table} ({', '.join(columns)}) VALUES ({values})"


def _note(stored: dict[str, Any]) -> Notice:
    """Return a note; libraries of schema version 1 have nothing but its English text."""
    if stored["kind"]:
        return Notice(stored["kind"], stored["facts"])
    return Notice("Remark", {"text": stored["text"]})
