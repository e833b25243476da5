"""What is said to the model, and what its refusals look like."""

import pytest

from assistant.backends.base import Prompt
from assistant.generation.prompts import (
    RULES,
    answerable_prompt,
    ask_prompt,
    overview_messages,
    passages_text,
    question_text,
    rewrite_messages,
    says_not_found,
    summary_messages,
)
from assistant.languages import detection
from assistant.languages.registry import phrases, supported
from assistant.types import Message, Query, Role
from tests.assistant.passages import passage

PASSAGES = [
    passage("The bridge is 91 metres long.", number=1, pages=((0, 3),)),
    passage("It was built in 1820.", number=2, ordinal=3, pages=((0, 3), (9, 4))),
]
TEXT = passages_text(PASSAGES)
HISTORY = [Message(Role.USER, "Who built it?"), Message(Role.ASSISTANT, "Ana [1].")]


def asking(question: str, language: str) -> Prompt:
    return ask_prompt(Query(question, language), TEXT, HISTORY)


@pytest.mark.parametrize("code", supported())
def test_phrases_are_in_their_language(code: str) -> None:
    words = phrases(code)
    for text in (words.answer, words.summarise.format(points=3)):
        assert detection.identify(text) == code


@pytest.mark.parametrize("code", supported())
def test_the_language_instruction_comes_last(code: str) -> None:
    last = asking("How long is it?", code).messages[-1]
    assert last.role is Role.USER
    assert last.text == question_text("How long is it?", code)
    assert last.text.endswith(phrases(code).answer)
    summary = summary_messages("Some text.", code, points=3)[-1].text
    assert summary.endswith(phrases(code).summarise.format(points=3))
    overview = overview_messages(["One.", "Two."], code, points=5)[-1].text
    assert overview.endswith(phrases(code).overview.format(points=5))


def test_rules_come_first_then_documents_then_the_conversation() -> None:
    messages = asking("How long is it?", "en").messages
    assert [message.role for message in messages] == [
        *(Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER)
    ]
    assert messages[0].text.startswith(RULES)
    assert list(messages[1:3]) == list(HISTORY)


def test_what_comes_before_the_question_is_the_same_in_every_language() -> None:
    beginnings = {tuple(asking("Q", code).messages[:-1]) for code in supported()}
    assert len(beginnings) == 1


@pytest.mark.parametrize("code", supported())
def test_yes_or_no_is_asked_behind_the_same_words_as_the_answer(code: str) -> None:
    asked = asking("How long is it?", code).messages
    checked = answerable_prompt(
        asking("How long is it?", code), Query("How long is it?", code)
    ).messages
    assert checked[:-1] == asked[:-1]
    question = asked[-1].text.removesuffix(phrases(code).answer)
    assert checked[-1].text.startswith(question)
    assert question.endswith("How long is it?\n\n")


def test_passages_carry_number_title_and_pages() -> None:
    text = ask_prompt(Query("Q", "en"), TEXT).messages[0].text
    assert "[1] (Book, page 3)\nThe bridge is 91 metres long." in text
    assert "[2] (Book, pages 3-4)\nIt was built in 1820." in text


def test_a_rewriting_sees_the_conversation_and_the_question() -> None:
    text = rewrite_messages("And when?", HISTORY)[-1].text
    assert text.index("Who built it?") < text.index("Ana [1].") < text.index("And when?")


@pytest.mark.parametrize("code", supported())
def test_each_language_s_own_refusal_is_recognised(code: str) -> None:
    sentence = phrases(code).not_found
    for said in (sentence, sentence.rstrip(".।"), f"{sentence} [1]", f"  {sentence.upper()}\n"):
        assert says_not_found(said)


@pytest.mark.parametrize(
    "said",
    [
        "The passages do not contain the answer.",
        "The documents do not contain the answer to this question.",
        "Los pasajes no contienen la respuesta.",
        "Los documentos no contienen la respuesta a esa pregunta [2].",
        "Les passages ne contiennent pas la réponse.",
        "Die Abschnitte enthalten die Antwort nicht.",
        "I brani non contengono la risposta.",
        "Os trechos não contêm a resposta.",
    ],
)
def test_the_refusals_models_like_to_write_are_recognised(said: str) -> None:
    assert says_not_found(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "The bridge was built in 1820 [1].",
        "The documents contain the names of the signers [2].",
        "The documents do not contain a date, but the letter says 1820 [1].",
        "El puente mide 91 metros [1].",
        "Los documentos describen la respuesta inmunitaria de las aves [1].",
        "Die Brücke wurde 1820 gebaut [1].",
        "Le pont mesure 91 mètres [1].",
        "पुल 91 मीटर लंबा है [1]।",
        "สะพานยาว 91 เมตร [1]",
    ],
)
def test_ordinary_answers_are_not_taken_for_refusals(said: str) -> None:
    assert not says_not_found(said)


def test_neighbours_are_read_as_one_passage() -> None:
    first, second = passage("One.", number=1), passage("Two.", number=2, ordinal=1)
    other = passage("Three.", number=3, ordinal=3)
    assert passages_text([first, second, other]) == (
        "[1] (Book, page 1)\nOne.\nTwo.\n\n[3] (Book, page 1)\nThree."
    )
