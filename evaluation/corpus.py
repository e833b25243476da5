"""Adds the texts of a data set to a library, the way any file is added."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from assistant.backends.base import Embedder
from evaluation.datasets import DataSet, Key, Text
from ingest.indexing import IndexingWriter, add

Done: TypeAlias = Callable[[int, int], None]  # texts taken in, of how many


def add_texts(
    data: DataSet, folder: Path, *, library: IndexingWriter, embedder: Embedder, report: Done
) -> dict[Key, str]:
    """Return the document id of each text, adding those that are new.

    Args:
        folder: where the texts are written as files.
    """
    paths = _written(data.texts, folder)
    outcomes = add(paths, writer=library, embedder=embedder)
    ids: dict[Key, str] = {}
    for number, (text, outcome) in enumerate(zip(data.texts, outcomes, strict=True), start=1):
        if outcome.document:  # a text of nothing but white space is none
            ids[text.key] = outcome.document.id
        report(number, len(paths))
    return ids


def _written(texts: Sequence[Text], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, text in enumerate(texts):
        path = folder / (f"{number:06d}.md" if text.title else f"{number:06d}.txt")
        if not path.exists():
            whole = f"# {text.title}\n\n{text.text}" if text.title else text.text
            path.write_text(whole, encoding="utf-8")
        paths.append(path)
    return paths
