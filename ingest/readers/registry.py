"""The table of file formats: which reader opens which suffix."""

from typing import Final

# Suffix -> (module, reader). A new format is one entry here and one function there. Modules are
# named, not imported: their libraries load in the child alone.
READERS: Final[dict[str, tuple[str, str]]] = {
    ".docx": ("ingest.readers.docx", "read_docx"),
    ".htm": ("ingest.readers.html", "read_html"),
    ".html": ("ingest.readers.html", "read_html"),
    ".markdown": ("ingest.readers.markdown", "read_markdown"),
    ".md": ("ingest.readers.markdown", "read_markdown"),
    ".pdf": ("ingest.readers.pdf", "read_pdf"),
    ".text": ("ingest.readers.text", "read_text"),
    ".txt": ("ingest.readers.text", "read_text"),
}
