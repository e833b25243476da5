"""From a reply to sentences of pages, checked."""

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.generation.citing import Citer, numbers_of, without_markers
from assistant.types import Citation, Matrix, Passage
from tests.assistant.passages import passage

BRIDGE = "The old bridge over the river was built in 1820. "
LENGTH = "It is 91 metres long and 6 metres wide. "
KEEPER = "The keeper of the bridge was called Ana Quispe."
ACROSS = passage(
    BRIDGE + LENGTH + KEEPER,
    number=1,
    pages=((0, 4), (len(BRIDGE), 5), (len(BRIDGE + LENGTH), 6)),
    char_start=1000,
)
WOOL = passage(
    "The wool of the llamas is spun in every village of the valley.",
    number=2,
    name="llamas",
    pages=((0, 9),),
)


def by_words(texts: Sequence[str]) -> Matrix:
    """Vectors of bags of words: cosines grow with the words that two texts share."""
    words = [set(re.findall(r"\w+", text.lower())) for text in texts]
    rows = np.zeros((len(texts), 512), dtype=np.float32)
    rows[:, 0] = 1.5  # two texts without a shared word are at about 0.7, as with real embedders
    for row, found in zip(rows, words, strict=True):
        for word in found:
            row[1 + zlib.crc32(word.encode()) % 511] += len(found) ** -0.5
    lengths: Matrix = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


# figures


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("1,5 and 1.5", {"1.5"}),
        ("12 000, 12,000, 12.000 y 12\u202f000", {"12000"}),
        ("1.234.567,5", {"1234567.5"}),
        ("1,234,567.50", {"1234567.50"}),
        ("12 345 678 people", {"12345678"}),
        ("1,00,000 rupees", {"100000"}),
        ("१२ और १२,०००", {"12", "12000"}),
        ("in 2020 300 people", {"2020", "300"}),
        ("1990-1995", {"1990", "1995"}),
        ("2019, 2020.", {"2019", "2020"}),
        ("3.14159", {"3.14159"}),
        ("no figure", set()),
        ("Q4_0 takes 780MB", {"780"}),
        ("see ls(1) and two pages (2)", {"2"}),
    ],
)
def test_figures_are_written_alike_across_languages(written: str, plain: set[str]) -> None:
    assert numbers_of(written) == plain


@given(st.integers(0, 10**9))
def test_every_way_to_group_thousands_is_the_same_number(number: int) -> None:
    for mark in (",", ".", " ", "\u00a0", "\u202f"):
        assert numbers_of(f"{number:,}".replace(",", mark)) == {str(number)}


# the stream


def cite(reply: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    citer = Citer(passages, by_words)
    assert "".join(citer.mark([reply]))
    return citer.citations


def test_the_models_markers_go_and_ours_come_behind_the_sentence() -> None:
    citer = Citer([ACROSS, WOOL], by_words)
    pieces = [
        "[7] The bridge is 91 metres long [2",
        "]. Penguins",
        " swim well. [9]",
        "\nThe wool of ",
    ]
    pieces += ["the llamas is spun in every village [1]."]
    assert "".join(citer.mark(pieces)) == (
        "The bridge is 91 metres long. [1] Penguins swim well.\n"
        "The wool of the llamas is spun in every village. [2]"
    )
    assert [(c.marker, c.page) for c in citer.citations] == [(1, 5), (2, 9)]


def test_numbers_of_items_and_marks_of_code_are_no_claims() -> None:
    reply = "1. The bridge was built in 1820.\n```sh\nThe wool is spun in every village.\n```"
    marked = "".join(Citer([ACROSS, WOOL], by_words).mark([reply]))
    assert marked.startswith("1. The bridge was built in 1820. [1]\n```sh\nThe wool")
    assert "".join(Citer([ACROSS], by_words).mark(["1820."])) == "1820. [1]"


def test_text_is_shown_as_it_comes() -> None:
    citer = Citer([WOOL], by_words)
    stream = citer.mark(iter(["Penguins", " eat", " [", "9", "]", " fish"]))
    assert [piece for piece in stream if piece] == ["Penguins", " eat", " fish"]


REPLIES = st.lists(
    st.sampled_from(["word", " [1]", "[2]", " [9]", "[1, 9]", " [", "]", "\n", ". ", "[x]", "[12"])
).map("".join)


@given(REPLIES, st.lists(st.integers(0, 60), max_size=12))
def test_a_stream_cut_anywhere_says_the_same(reply: str, cuts: list[int]) -> None:
    at = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    pieces = [reply[a:b] for a, b in pairwise(at)]
    whole = "".join(Citer([WOOL], by_words).mark([reply]))
    assert "".join(Citer([WOOL], by_words).mark(pieces)) == whole


def test_markers_can_be_taken_off_again() -> None:
    assert without_markers("Long [1], old [7]. Years [1820] stay [3].") == (
        "Long, old. Years [1820] stay."
    )


# citations


def test_a_claim_is_cited_from_the_page_its_sentence_stands_on() -> None:
    cited = cite("The bridge is 91 metres long [1].", [ACROSS, WOOL])
    assert [(c.page, c.quote, c.marker, c.supported) for c in cited] == [
        (5, LENGTH.strip(), 1, True)
    ]
    assert cited[0].char_start == 1000 + len(BRIDGE)
    assert cited[0].document_id == "book"


@pytest.mark.parametrize(("claim", "page"), [(BRIDGE, 4), (LENGTH, 5), (KEEPER, 6)])
def test_each_page_of_a_chunk_is_told_apart(claim: str, page: int) -> None:
    assert [c.page for c in cite(claim, [ACROSS, WOOL])] == [page]


def test_a_wrong_marker_is_put_right() -> None:
    cited = cite("The wool of the llamas is spun in every village [1].", [ACROSS, WOOL])
    assert [(c.marker, c.document_id, c.page) for c in cited] == [(1, "llamas", 9)]


def test_citations_come_in_the_order_of_the_reply() -> None:
    reply = "The wool of the llamas is spun in every village. The keeper was called Ana Quispe."
    assert [(c.marker, c.page) for c in cite(reply, [ACROSS, WOOL])] == [(1, 9), (2, 6)]


def test_a_quote_is_listed_once_with_its_first_claim() -> None:
    reply = "The bridge is 91 metres long [1]. It is 6 metres wide [1]."
    cited = cite(reply, [ACROSS])
    assert [(c.quote, c.claim) for c in cited] == [
        (LENGTH.strip(), "The bridge is 91 metres long.")
    ]


def test_a_figure_that_is_not_in_the_text_is_not_supported() -> None:
    right = cite("The old bridge over the river was built in 1820 [1].", [ACROSS])
    wrong = cite("The old bridge over the river was built in 1920 [1].", [ACROSS])
    assert [c.supported for c in right] == [True]
    assert [c.supported for c in wrong] == [False]


def test_a_claim_of_other_names_than_the_text_s_is_not_supported() -> None:
    right = cite("The keeper of the bridge was called Ana Quispe.", [ACROSS])
    wrong = cite("The keeper of the bridge was called Jane Miller.", [ACROSS])
    assert [c.supported for c in right] == [True]
    assert [c.supported for c in wrong] == [False]


def test_what_the_question_said_proves_little() -> None:
    table = passage("Cost of Andes 3.1 as its own page gives it in a table.", number=1, name="a")
    rule = passage("Whoever sells it has to show a sign at the door.", number=2, name="b")
    claim = "A seller of Andes 3.1 has to show a sign at the door."
    question = "What has a seller of Andes 3.1 to show?"
    told = Citer([table, rule], by_words, question=question).cite(claim)
    untold = Citer([table, rule], by_words).cite(claim)
    assert told is not None
    assert untold is not None
    assert (told.document, untold.document) == (rule.document.title, table.document.title)


def test_a_part_of_a_figure_is_not_that_figure() -> None:
    text = "The window holds 131,072 of the shortest words. The herd of Ana counts 131 animals."

    def alike(texts: Sequence[str]) -> Matrix:
        return np.tile(np.eye(1, 8, dtype=np.float32), (len(texts), 1))

    citation = Citer([passage(text, number=1)], alike).cite("It is 131 by now.")

    assert citation is not None
    assert citation.quote == "The herd of Ana counts 131 animals."


def test_a_figure_written_in_another_way_is_supported() -> None:
    source = passage("The valley has 12,000 people in 1.5 square miles of land.", number=1)
    cited = cite("The valley has 12 000 people in 1,5 square miles.", [source])
    assert [c.supported for c in cited] == [True]


def test_a_sentence_cut_by_a_line_end_is_quoted_whole() -> None:
    text = "Shells differ in much.\nYou can check a script by using\ncheckbashisms(1).\nGood."
    cited = cite("El programa para un script es checkbashisms(1).", [passage(text, number=1)])
    assert [c.quote for c in cited] == ["You can check a script by using\ncheckbashisms(1)."]


def test_the_rows_of_a_table_are_not_one_sentence() -> None:
    rows = [f"wool of llama number {n} spun and dyed in village {n}" for n in range(1, 30)]
    source = passage("\n".join(rows), number=1)
    cited = cite("The wool of llama number 17 is spun in village 17.", [source])
    assert "17" in cited[0].quote
    assert len(cited[0].quote) <= 240


def test_a_path_is_cited_from_where_it_stands() -> None:
    text = "Files of doc-base are registered there by packages. They go to /usr/share/doc-base/."
    source = passage(text, number=1, pages=((0, 4), (52, 5)))
    cited = cite("Los archivos de doc-base van a /usr/share/doc-base.", [source])
    assert [c.page for c in cited] == [5]


def test_a_claim_from_nowhere_has_no_citation() -> None:
    assert cite("Penguins eat fish.", [WOOL]) == ()


def test_nothing_comes_of_nothing() -> None:
    assert cite("The wool is spun.", []) == ()
    assert "".join(Citer([WOOL], by_words).mark([""])) == ""


@pytest.mark.parametrize(
    "text", ["橋は長い。\nとても古い橋で、川の上にある。", "पुल लंबा है। वह बहुत पुराना और ऊँचा है।"]
)
def test_the_quote_stands_in_the_text_where_it_is_said_to(text: str) -> None:
    source: Passage = passage(text, number=1, char_start=70)
    for citation in cite(text, [source]):
        start = citation.char_start - 70
        assert text[start : start + len(citation.quote)] == citation.quote


def test_sentences_that_nothing_supports_are_told_and_counted() -> None:
    citer = Citer([ACROSS], by_words)
    "".join(citer.mark(["The old bridge was built in 1820. ", "It was sold in 1977 for gold."]))
    assert citer.unsupported == ("It was sold in 1977 for gold.",)
    assert citer.verified_share == 0.5


def test_of_no_sentence_nothing_is_unsupported() -> None:
    citer = Citer([ACROSS], by_words)
    assert "".join(citer.mark([" "])) == ""
    assert (citer.unsupported, citer.verified_share) == ((), 1.0)
