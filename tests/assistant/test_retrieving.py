"""Two lists fused by rank."""

from collections.abc import Sequence
from pathlib import Path

from assistant.backends.fake import HashEmbedder
from assistant.backends.library import Library
from assistant.backends.memory import ExactIndex
from assistant.retrieving import Retriever, fuse
from assistant.types import Passage
from tests.assistant.passages import passage
from tests.backends.libraries import add

A, B, C = (passage(text, ordinal=n) for n, text in enumerate("ABC"))


def scored(passages: Sequence[Passage]) -> list[tuple[str, float]]:
    return [(p.chunk.text, round(p.score, 6)) for p in passages]


def test_ranks_are_fused_as_computed_by_hand() -> None:
    # 1/61 = 0.016393, 1/62 = 0.016129; words weigh 0.2: 0.2/61 = 0.003279, 0.2/62 = 0.003226
    assert scored(fuse([A, B], [B, C])) == [*(("B", 0.019408), ("A", 0.016393), ("C", 0.003226))]


def test_passages_of_two_documents_with_the_same_ordinal_are_two() -> None:
    other = passage("other", name="other")
    assert [p.chunk.text for p in fuse([A, other], [])] == ["A", "other"]


def test_the_first_by_words_has_a_place_among_the_best(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    near = [f"How long is the way to the river number {n} really?" for n in range(6)]
    book = add(library, "\n\n".join([*near, "Upstart was removed."]))
    retriever = Retriever(library, HashEmbedder())
    found = retriever.retrieve("How long is the upstart?", "en", limit=4, documents=[book])
    assert found[3].chunk.text == "Upstart was removed."


def test_nothing_found_is_nothing_fused() -> None:
    assert fuse([], []) == []


def test_retrieval_takes_the_best_of_both_within_the_documents(tmp_path: Path) -> None:
    library = Library(tmp_path, ExactIndex(), embedder=HashEmbedder())
    bridge = add(library, "The bridge is long.\n\nThe towers are high.\n\nThe river is wide.")
    add(library, "The bridge of another book.", title="Other")
    retriever = Retriever(library, HashEmbedder())
    found = retriever.retrieve("How long is the bridge?", "en", limit=2, documents=[bridge])
    assert found[0].chunk.text == "The bridge is long."
    assert len(found) == 2
    assert {p.document.id for p in found} == {bridge.id}
