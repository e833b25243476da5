"""Where sentences end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.languages.sentences import split, split_long

MIXED = st.lists(
    st.sampled_from(
        [
            *"aBñ ß.!?…\n\t '\")»”]",
            "。！？」）",
            "।॥",
            "؟۔",
            "中文",
            "कि",
            "ไทย",
            "Dr.",
            "e.g.",
            "3.5",
            "...",
            "\u200b",
            "👩\u200d💻",
            "  ",
            "።",
        ]
    )
).map("".join)


def sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in split(text)]


PAIRS = [
    # a full stop that ends, in each language
    ("The boat left at noon.", "Nobody saw it."),
    ("Is it true?", "It is!"),
    ("He said “stop.”", "Then he left."),
    ("It is over (at last).", "Go home."),
    ("It cost 3.5 million.", "That was much."),
    ("Se fue el 12 de mayo.", "¿Quién lo vio?"),
    ("Il est parti en 1901.", "Personne ne l'a vu."),
    ("Das Schiff fuhr ab.", "Niemand sah es."),
    ("La barca è partita.", "Nessuno l'ha vista."),
    ("O barco partiu.", "Ninguém o viu."),
    ("He waited...", "Nothing came."),
    ("A line without a stop", "and the next"),
    # abbreviations in the middle
    ("Ask Dr. Smith and Mrs. J. K. Rowling.", "They know."),
    ("Use tools, e.g. Python or Go.", "They help."),
    ("See the U.S. Constitution, i.e. Article 1.", "It says so."),
    ("Véase la pág. 12 y el art. 5.", "Allí está."),
    ("El Sr. Pérez y la Dra. Ruiz, p. ej. Ana, vinieron.", "Comieron."),
    ("Voir p. ex. Paris et M. Dupont.", "Ils sont là."),
    ("Das gilt z. B. Für Köln und bzw. Bonn.", "Das ist so."),
    ("Das gilt z.B. Berlin, d. h. Überall.", "Das ist so."),
    ("Vgl. Abschnitt Nr. 5 von Prof. Weber.", "Er weiß es."),
    ("Si veda cfr. Rossi e il dott. Bianchi.", "Lo sanno."),
    ("Ver a pág. 7 e o Prof. Silva, n. 3.", "Ele sabe."),
    ("It is in Fig. 3 and vol. 2, no. 5.", "Look there."),
    ("Les œuvres de J.-P. Sartre et l'art. 5 du code.", "Ils sont là."),
    ("Il n. 3 dell'art. 5 vale.", "Lo dice la Corte."),
    # words that are abbreviations only before a figure
    ("The answer is no.", "No. 5 is art."),
    ("Close the tab.", "See Tab. 3, no. 5 and App. B."),
    # units and ordinals
    ("Mide 91 m.", "Lo dice el Sr. J. Gil."),
    ("Am 3. Mai begann es.", "Im 19. Jahrhundert endete es."),
    ("Es begann am 3.", "Niemand sah es."),
    # what is said goes on, at a small letter behind the quotation
    ("“Is it true?” she asked.", "“It is!”"),
    ("« C'est vrai ? » demanda-t-elle.", "« Oui. »"),
    ("—¿Es verdad? —preguntó ella.", "—¡Sí!"),
    ("He waited… then left.", "Ann's."),
    # the stop before a small letter
    ("The pct. is small.", "Yes."),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_latin_sentences_end_where_they_end(first: str, second: str) -> None:
    joint = "\n" if first.endswith("stop") else " "
    assert sentences(f"{first}{joint}{second}") == [first, second]


@pytest.mark.parametrize(
    "parts",
    [
        ["这条河很长。", "每一艘船都载着盐！", "为什么？", "没人知道。"],
        ["「止まれ。」", "彼は言った。"],
        ["川は長い。", "船は行く｡"],
        ["هل هذا صحيح؟ ", "نعم، إنه صحيح. ", "انتهى!"],
        ["یہ سچ ہے۔ ", "ہاں۔"],
        ["नदी लंबी है।", "नाव जाती है॥", "क्यों?"],
        ["ወንዙ ረጅም ነው።", "አዎ።"],
        ["Река длинная. ", "Лодка идёт."],
        ["Ο ποταμός είναι μακρύς. ", "Ναι."],
    ],
)
def test_other_scripts_end_with_their_own_marks(parts: list[str]) -> None:
    text = "".join(parts)
    assert [text[start:end] for start, end in split(text)] == parts


def test_lines_end_sentences_since_they_are_items_and_rows() -> None:
    assert sentences("Oslo | 12\nGenoa | 48\n\nThe end") == ["Oslo | 12", "Genoa | 48", "The end"]


@given(MIXED)
def test_spans_have_no_gaps_and_their_pieces_are_the_text(text: str) -> None:
    spans = split(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert [start for start, _ in spans] == [0, *(end for _, end in spans)][: len(spans)]
    assert all(start < end for start, end in spans)


@given(st.text())
def test_any_text_is_kept_whole(text: str) -> None:
    assert "".join(text[start:end] for start, end in split(text)) == text


@given(MIXED, st.integers(min_value=1, max_value=40))
def test_long_pieces_keep_the_limit_and_the_text(text: str, limit: int) -> None:
    spans = split_long(text, limit)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(end - start <= limit for start, end in spans)


def test_long_pieces_are_cut_at_spaces() -> None:
    text = "one two three four"
    assert [text[start:end] for start, end in split_long(text, 9)] == ["one two ", "three ", "four"]


def test_a_letter_keeps_its_marks() -> None:
    text = "कि" * 6  # letter and vowel sign
    assert [text[start:end] for start, end in split_long(text, 5)] == ["किकि", "किकि", "किकि"]
