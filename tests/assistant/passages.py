"""Passages made in a line."""

from assistant.types import Chunk, Document, Passage


def document(name: str, *, language: str = "en") -> Document:
    return Document(
        id=name,
        title=name.title(),
        path=f"/books/{name}.txt",
        language=language,
        page_count=9,
        word_count=900,
        chunk_count=9,
        added_at="2026-01-01T00:00:00+00:00",
    )


def passage(
    text: str,
    *,
    number: int = 0,
    name: str = "book",
    ordinal: int = 0,
    pages: tuple[tuple[int, int], ...] = ((0, 1),),
    language: str = "en",
    char_start: int = 0,
) -> Passage:
    chunk = Chunk(
        document_id=name,
        ordinal=ordinal,
        text=text,
        char_start=char_start,
        char_end=char_start + len(text),
        page_starts=pages,
    )
    return Passage(
        chunk=chunk, document=document(name, language=language), score=1.0, number=number
    )
