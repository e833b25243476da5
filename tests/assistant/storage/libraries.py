"""Libraries made in a line, for the tests of the real ones; importable by their child processes."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from assistant.backends.base import Embedder
from assistant.backends.fake import HashEmbedder
from assistant.storage.base import VectorIndex
from assistant.storage.chroma import ChromaIndex
from assistant.storage.library import Library
from assistant.types import Chunk, Document, DocumentText, Page

EMBEDDER = HashEmbedder()


def chroma_library(folder: Path) -> Library:
    return Library(folder, ChromaIndex(folder / "index"), embedder=EMBEDDER)


def document(text: str, *, title: str = "Notes", language: str = "en", path: str = "") -> Document:
    """A document of which each paragraph is a page and a chunk."""
    paragraphs = text.split("\n\n")
    return Document(
        id=sha256(f"{path or title}{text}".encode()).hexdigest(),
        title=title,
        path=path or f"/books/{title}.txt",
        language=language,
        page_count=len(paragraphs),
        word_count=len(text.split()),
        chunk_count=len(paragraphs),
        added_at="2026-01-01T00:00:00+00:00",
    )


def pages_of(text: str) -> list[Page]:
    return [Page(number, part) for number, part in enumerate(text.split("\n\n"), start=1)]


def chunks_of(described: Document, text: str, headings: Sequence[str] = ()) -> list[Chunk]:
    """The chunks of a text; `headings` gives each page's, or none."""
    whole = DocumentText.of(pages_of(text))
    return [
        Chunk(
            document_id=described.id,
            ordinal=ordinal,
            text=page.text,
            char_start=whole.page_starts[ordinal],
            char_end=whole.page_starts[ordinal] + len(page.text),
            page_starts=((0, page.number),),
            heading=headings[ordinal] if headings else "",
        )
        for ordinal, page in enumerate(pages_of(text))
    ]


def stage(
    library: Library,
    described: Document,
    text: str,
    *,
    headings: Sequence[str] = (),
    embedder: Embedder = EMBEDDER,
) -> None:
    """Do everything of adding but the last step."""
    chunks = chunks_of(described, text, headings)
    library.stage(described, pages_of(text), [])
    library.stage_chunks(chunks, embedder.embed_passages([chunk.text for chunk in chunks]))


def add(
    library: Library,
    text: str,
    *,
    title: str = "Notes",
    language: str = "en",
    path: str = "",
    headings: Sequence[str] = (),
    embedder: Embedder = EMBEDDER,
) -> Document:
    described = document(text, title=title, language=language, path=path)
    with library.adding(lambda: None):
        stage(library, described, text, headings=headings, embedder=embedder)
        library.publish(described)
    return described


def near(
    library: Library, text: str, *, limit: int = 5, documents: Sequence[str] | None = None
) -> list[str]:
    """Return the texts found by nearness, best first."""
    query = EMBEDDER.embed_queries([text])[0]
    library.open()
    found = library.search_vectors(query, limit=limit, documents=documents)
    return [passage.chunk.text for passage in found]


def worded(
    library: Library, text: str, *, limit: int = 5, documents: Sequence[str] | None = None
) -> list[str]:
    """Return the texts found by their words, best first."""
    found = library.search_words(text, limit=limit, documents=documents)
    return [passage.chunk.text for passage in found]


def count_of(index: VectorIndex, library: Library) -> tuple[int, int]:
    """Return the rows of the index and the chunks of the library's documents."""
    return index.count(), sum(known.chunk_count for known in library.documents())
