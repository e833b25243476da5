"""The installed models: names, files and hashes.

    <folder>/<name>.json     one record for each installed model
    <folder>/<entry.file>    the file or folder itself; imported files stay where they are
    <folder>/.partial/       unfinished downloads and locks

Knows records and places. Does not read model files: whoever imports one describes it.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from assistant.errors import ModelNotInstalled, Reason, UnknownModel, UnusableModel
from assistant.models.catalogue import ModelEntry, ModelRole
from assistant.models.progress import Report, silent
from assistant.models.pulling import Fetched, Puller, fingerprint, pull_lock
from assistant.storage.files import write_json

# Architectures of GGUF files that embed text or images and so cannot chat.
NOT_CHAT = frozenset({"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "t5encoder", "clip"})

NO_TEMPLATE = "no chat template in the file: a base model, which continues text"


@dataclass(frozen=True)
class GgufFacts:
    """What a GGUF file says of itself; 0 where it does not.

    Attributes:
        parameters: number of weights.
    """

    architecture: str
    name: str
    trained_window_tokens: int
    has_chat_template: bool
    layers: int
    kv_heads: int
    head_size: int
    parameters: int


@dataclass(frozen=True)
class InstalledModel:
    """Attributes:
    path: the file or folder to open.
    sha256: of the file as it was fetched or imported.
    imported: the file is the user's own and is never deleted.
    """

    entry: ModelEntry
    path: Path
    sha256: str
    imported: bool = False

    @property
    def name(self) -> str:
        """Return its name in the catalogue, or the one it was imported under."""
        return self.entry.name


class InstalledModels:
    """The models below one folder."""

    def __init__(
        self, folder: Path, catalogue: Mapping[str, ModelEntry], puller: Puller | None = None
    ) -> None:
        self.folder = folder
        self.catalogue = catalogue
        self.puller = puller or Puller()

    def installed(self) -> list[InstalledModel]:
        """Return what is on disk, by name; records whose file has gone are passed over."""
        models = (self._read(path) for path in sorted(self.folder.glob("*.json")))
        return [model for model in models if model is not None]

    def find(self, name: str) -> InstalledModel:
        """Return one model.

        Raises:
            UnknownModel: neither the catalogue nor an import has this name.
            ModelNotInstalled: it is in the catalogue but not on disk.
        """
        found = self._read(self._record_path(name)) if is_name(name) else None
        if found is not None:
            return found
        if name in self.catalogue:
            raise ModelNotInstalled(name=name)
        raise UnknownModel(name=name)

    def pull(self, name: str, report: Report = silent, *, again: bool = False) -> InstalledModel:
        """Return the model, fetched unless it is there with the hash the catalogue wants.

        A model without a hash in the catalogue must arrive with the hash of its first download.

        Raises:
            UnknownModel: the catalogue does not have this name.
            PullFailed: see `Puller.fetch`; what was there before is untouched.
        """
        if name not in self.catalogue:
            raise UnknownModel(name=name)
        entry = self.catalogue[name]
        with pull_lock(self.folder, name, report):
            here = self._read(self._record_path(name))
            wanted = entry.sha256 or (here.sha256 if here else "")
            if here and here.sha256 == wanted and not again:
                return here
            return self._keep(entry, self.puller.fetch(entry, self.folder, report, wanted))

    def import_file(self, path: Path, describe: Callable[[Path], GgufFacts]) -> InstalledModel:
        """Register a GGUF file where it is, under a name made of the file's own.

        Raises:
            UnusableModel: it is missing, not GGUF, or no language model.
        """
        path = path.expanduser().resolve()
        check_gguf(path)
        facts = describe(path)
        if facts.architecture in NOT_CHAT:
            raise UnusableModel(name=path.name, reason=Reason.CANNOT_CHAT)
        record: dict[str, Any] = {
            "name": self._free_name(path),
            "path": str(path),
            "sha256": fingerprint(path),
            "size_bytes": path.stat().st_size,
            "facts": asdict(facts),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._record_path(record["name"]), record)
        return imported_model(record)

    def remove(self, name: str) -> None:
        """Delete a model; of an imported one only the registration.

        Raises:
            UnknownModel, ModelNotInstalled: as `find`.
        """
        model = self.find(name)
        self._record_path(name).unlink()
        if not model.imported:
            delete(self.folder / model.entry.file)

    def _record_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _keep(self, entry: ModelEntry, fetched: Fetched) -> InstalledModel:
        write_json(self._record_path(entry.name), {"name": entry.name, "sha256": fetched.sha256})
        return InstalledModel(entry, opened(fetched.path, entry.opens), fetched.sha256)

    def _read(self, path: Path) -> InstalledModel | None:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            model = imported_model(record) if "facts" in record else self._catalogued(record)
        except (OSError, ValueError, KeyError, TypeError, UnusableModel):
            return None  # not a record of ours, or of a model this version does not know
        return model if model.path.exists() else None

    def _catalogued(self, record: Mapping[str, Any]) -> InstalledModel:
        entry = self.catalogue[record["name"]]
        return InstalledModel(
            entry, opened(self.folder / entry.file, entry.opens), record["sha256"]
        )

    def _free_name(self, path: Path) -> str:
        slug = re.sub(r"[^\w.-]+", "-", path.stem.lower()).strip("-.") or "model"
        names = (slug if n == 1 else f"{slug}-{n}" for n in count(1))
        return next(name for name in names if self._is_free(name, path))

    def _is_free(self, name: str, path: Path) -> bool:
        if name in self.catalogue:
            return False
        record = self._record_path(name)
        if not record.exists():
            return True
        there = self._read(record)
        return there is None or there.path == path


def is_name(name: str) -> bool:
    """Tell whether `name` can be a record's, and not a path out of the folder."""
    return re.fullmatch(r"\w[\w.-]*", name) is not None


def opened(path: Path, pattern: str) -> Path:
    """Return what to open: `path`, or the first file below it that matches.

    Raises:
        UnusableModel: nothing matches.
    """
    if not pattern:
        return path
    found = sorted(path.rglob(pattern))
    if not found:
        raise UnusableModel(name=path.name, reason=Reason.INCOMPLETE)
    return found[0]


def check_gguf(path: Path) -> None:
    """Raise UnusableModel unless `path` is a file that begins as GGUF files do."""
    if not path.is_file():
        raise UnusableModel(name=path.name, reason=Reason.NOT_FOUND)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise UnusableModel(name=path.name, reason=Reason.NOT_GGUF)


def imported_model(record: Mapping[str, Any]) -> InstalledModel:
    """Return the model of an import's record."""
    facts, path = GgufFacts(**record["facts"]), Path(record["path"])
    entry = ModelEntry(
        name=record["name"],
        role=ModelRole.CHAT,
        family=facts.architecture,
        parameters=parameters_text(facts.parameters),
        licence="",
        file=path.name,
        size_bytes=record["size_bytes"],
        sha256=record["sha256"],
        trained_window_tokens=facts.trained_window_tokens,
        effective_window_tokens=facts.trained_window_tokens,
        has_chat_template=facts.has_chat_template,
        template_note="in the file" if facts.has_chat_template else NO_TEMPLATE,
        layers=facts.layers,
        kv_heads=facts.kv_heads,
        head_size=facts.head_size,
    )
    return InstalledModel(entry, path, record["sha256"], imported=True)


def parameters_text(number: int) -> str:
    """Return 1543714304 as `1.5B`; an empty text for 0."""
    if not number:
        return ""
    return f"{number / 1e9:.1f}B" if number >= 1e9 else f"{number / 1e6:.0f}M"


def delete(path: Path) -> None:
    """Delete a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
