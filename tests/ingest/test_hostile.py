"""Malformed, encrypted, scanned and odd files from elsewhere: they are read or refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assistant.errors import DocumentError
from ingest.cleaning import clean
from ingest.sandbox import read

SAMPLE = 60
WALL_S = 60.0


def sample(folder: Path) -> list[Path]:
    """About `SAMPLE` files below the folder, evenly from first to last."""
    every = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".pdf", ".docx"))
    return every[:: max(1, len(every) // SAMPLE)]


def outcome(path: Path) -> str:
    """What became of a file: "read", or the sentence that refuses it."""
    try:
        reading = read(path, wall_s=WALL_S)
    except DocumentError as error:
        return str(error)
    clean(reading.pages)
    assert [page.number for page in reading.pages] == list(range(1, len(reading.pages) + 1))
    return "read"


def outcomes(paths: list[Path]) -> dict[Path, str]:
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(paths, pool.map(outcome, paths), strict=True))


def test_hostile_files_are_read_as_often_as_by_other_parsers(evaldata: Path) -> None:
    folder = evaldata / "hostile"
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    facts = {folder / fact["path"]: fact for fact in map(json.loads, lines)}
    result = outcomes(sample(folder))
    both = [
        path
        for path in result
        if path.suffix == ".pdf"
        and all(
            facts[path].get(parser, {}).get("ok") and not facts[path][parser].get("encrypted")
            for parser in ("pymupdf", "pypdf")
        )
    ]
    refused = [f"{path.name}: {result[path]}" for path in both if result[path] != "read"]
    assert len(both) >= 20
    assert len(refused) <= 0.05 * len(both), refused


def test_documents_of_another_project_are_read(evaldata: Path) -> None:
    result = outcomes(sample(evaldata / "docs" / "docling-tests"))
    refused = [text for text in result.values() if text != "read"]
    assert len(result) >= 40
    assert len(refused) <= 0.05 * len(result), refused
