"""Which models are installed, and what happens to the files of those that are not ours."""

import hashlib
import json
from pathlib import Path

import pytest

from assistant.errors import ModelNotInstalled, Reason, UnknownModel, UnusableModel
from assistant.models.catalogue import LocalFile, ModelEntry, ModelRole, load_catalogue
from assistant.models.installed import GgufFacts, InstalledModels
from tests.refusals import refused

from .fakes import entry

CONTENT = b"GGUF and then weights"
FACTS = GgufFacts(
    architecture="llama",
    name="Mine",
    trained_window_tokens=8192,
    has_chat_template=True,
    layers=2,
    kv_heads=1,
    head_size=16,
    parameters=1_543_714_304,
)


def describe(path: Path) -> GgufFacts:
    return FACTS


def describe_base(path: Path) -> GgufFacts:
    return GgufFacts("llama", "Base", 2048, False, 2, 1, 16, 135_000_000)


def describe_bert(path: Path) -> GgufFacts:
    return GgufFacts("bert", "Embedder", 512, False, 12, 12, 32, 118_000_000)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "origin.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def tiny(origin: Path) -> ModelEntry:
    return entry(content=CONTENT, sources=(LocalFile(origin),))


@pytest.fixture
def local(tmp_path: Path, tiny: ModelEntry) -> InstalledModels:
    return InstalledModels(tmp_path / "models", {"tiny": tiny})


def test_an_unknown_name_and_a_missing_model_are_told_apart(local: InstalledModels) -> None:
    with pytest.raises(UnknownModel, match="huge"):
        local.find("huge")
    with pytest.raises(UnknownModel):
        local.find("../origin")
    with refused(ModelNotInstalled(name="tiny")):
        local.find("tiny")
    with pytest.raises(UnknownModel, match="huge"):
        local.pull("huge")


def test_a_pulled_model_is_found_by_another_shelf(local: InstalledModels) -> None:
    pulled = local.pull("tiny")
    other = InstalledModels(local.folder, local.catalogue)
    assert other.find("tiny") == pulled
    assert other.installed() == [pulled]
    assert pulled.path.read_bytes() == CONTENT
    assert pulled.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not pulled.imported


def test_the_record_is_small_json_beside_the_file(local: InstalledModels) -> None:
    pulled = local.pull("tiny")
    record = json.loads((pulled.path.parent / "tiny.json").read_text())
    assert record == {"name": "tiny", "sha256": pulled.sha256}
    assert sorted(path.name for path in local.folder.iterdir()) == [
        ".partial",
        "tiny.gguf",
        "tiny.json",
    ]


def test_a_model_that_is_there_is_not_fetched_again(local: InstalledModels, origin: Path) -> None:
    pulled = local.pull("tiny")
    origin.unlink()
    assert local.pull("tiny") == pulled


def test_an_empty_hash_is_pinned_by_the_first_download(
    local: InstalledModels, origin: Path
) -> None:
    unpinned = entry(content=CONTENT, sha256="", sources=(LocalFile(origin),))
    loose = InstalledModels(local.folder, {"tiny": unpinned})
    assert loose.pull("tiny").sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert loose.find("tiny").sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_remove_deletes_a_pulled_model(local: InstalledModels) -> None:
    pulled = local.pull("tiny")
    local.remove("tiny")
    assert not pulled.path.exists()
    assert local.installed() == []


def test_remove_only_forgets_an_imported_file(local: InstalledModels, origin: Path) -> None:
    imported = local.import_file(origin, describe)
    local.remove(imported.name)
    assert origin.read_bytes() == CONTENT
    assert local.installed() == []


def test_a_record_whose_file_has_gone_is_passed_over(local: InstalledModels) -> None:
    local.pull("tiny").path.unlink()
    assert local.installed() == []


def test_a_foreign_or_damaged_record_is_passed_over(local: InstalledModels) -> None:
    pulled = local.pull("tiny")
    (local.folder / "half.json").write_text('{"name": "ti')
    (local.folder / "other.json").write_text("[1]")
    (local.folder / "gone.json").write_text('{"name": "gone", "sha256": ""}')
    assert local.installed() == [pulled]


def test_an_import_stays_where_it_is_and_keeps_its_facts(
    local: InstalledModels, origin: Path
) -> None:
    imported = local.import_file(origin, describe)
    assert local.find("origin") == imported
    assert imported.path == origin
    assert imported.imported
    assert imported.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert imported.entry.role is ModelRole.CHAT
    assert imported.entry.parameters == "1.5B"
    assert imported.entry.size_bytes == len(CONTENT)
    assert (imported.entry.layers, imported.entry.kv_heads, imported.entry.head_size) == (2, 1, 16)


def test_an_import_without_a_template_is_recorded_as_a_base_model(
    local: InstalledModels, origin: Path
) -> None:
    local.import_file(origin, describe_base)
    found = local.find("origin").entry
    assert not found.has_chat_template
    assert "base model" in found.template_note
    assert found.parameters == "135M"


def test_an_import_of_the_same_file_keeps_its_name(local: InstalledModels, origin: Path) -> None:
    assert [local.import_file(origin, describe).name for _ in range(2)] == ["origin", "origin"]


def test_an_import_takes_no_name_that_is_in_use(
    local: InstalledModels, origin: Path, tmp_path: Path
) -> None:
    paths = [
        tmp_path / "Tiny.gguf",
        tmp_path / "a" / "My Own (v2).gguf",
        tmp_path / "my own v2.gguf",
    ]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CONTENT)
    names = [local.import_file(path, describe).name for path in paths]
    assert names == ["tiny-2", "my-own-v2", "my-own-v2-2"]


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04 not a model"])
def test_a_file_that_is_not_gguf_is_refused(
    local: InstalledModels, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with refused(UnusableModel(name="other.gguf", reason=Reason.NOT_GGUF)):
        local.import_file(path, describe)


def test_a_missing_file_and_an_embedder_are_refused(local: InstalledModels, origin: Path) -> None:
    with refused(UnusableModel(name="none.gguf", reason=Reason.NOT_FOUND)):
        local.import_file(origin.with_name("none.gguf"), describe)
    with refused(UnusableModel(name=origin.name, reason=Reason.CANNOT_CHAT)):
        local.import_file(origin, describe_bert)


def test_a_split_model_opens_its_first_file(tmp_path: Path) -> None:
    big = load_catalogue()["llama-3.1-405b"]
    folder = tmp_path / big.file
    folder.mkdir()
    for number in (2, 1):
        (folder / f"Big-Q4_K_M-0000{number}-of-00002.gguf").write_bytes(CONTENT)
    (tmp_path / f"{big.name}.json").write_text(json.dumps({"name": big.name, "sha256": "ab"}))
    found = InstalledModels(tmp_path, load_catalogue()).find(big.name)
    assert found.path.name == "Big-Q4_K_M-00001-of-00002.gguf"
