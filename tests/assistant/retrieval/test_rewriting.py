"""Which questions need the conversation before them."""

import pytest

from assistant.retrieval.rewriting import stands_alone, usable


@pytest.mark.parametrize(
    "question",
    [
        "How many rooms are there in the castle?",
        "Who wrote the treaty of Westphalia?",
        "How long is the bridge over the river Apurímac?",
        "¿Cuál es la capital de Perú?",
        "¿Cuáles son los plazos de entrega del proyecto?",
        "¿Dónde está la cláusula de rescisión?",
        "Y a-t-il une clause de résiliation ?",
        "Il y a combien de pages dans le contrat ?",
        "Quelle est la capitale du Pérou ?",
        "Wann wurde das Schloss am See gebaut?",
        "Wer hat das Buch über die Brücken geschrieben?",
        "Wie hoch ist der Preis für das Haus?",
        "Chi ha scritto il libro sulle piante?",
        "Quando fu costruito il ponte sul fiume?",
        "O que diz o relatório sobre a água?",
        "Qual é a maior das cidades do país?",
        "संधि पर हस्ताक्षर किसने किए थे?",
        "สะพานสร้างขึ้นเมื่อใด",
        "In which year did the council decide that its members would meet twice a month?",
    ],
)
def test_a_question_that_names_what_it_means_stands_alone(question: str) -> None:
    assert stands_alone(question)


@pytest.mark.parametrize(
    "question",
    [
        "Why?",
        "And how wide?",
        "When did he die?",
        "How much did it cost?",
        "What about the second bridge?",
        "Where did they sign it?",
        "How many people live there?",
        "¿Y cuánto costó?",
        "¿Cuándo murió ella en realidad?",
        "¿Cuánto costó su construcción?",
        "Et combien de temps cela a-t-il duré ?",
        "Et Code Llama ?",
        "Quand est-elle morte exactement ?",
        "Combien de temps a-t-il vécu à Lyon ?",
        "Und wie breit ist die Brücke?",
        "Wann ist er gestorben?",
        "Wie lange war es offen?",
        "E quanto è costato il ponte?",
        "Dove ha firmato questo accordo?",
        "E quanto custou a ponte?",
        "Quando é que ele morreu?",
        "और इसकी लंबाई कितनी है?",
        "वह कब मरा था?",
        "แล้วราคาเท่าไร",
        "เขาเสียชีวิตเมื่อใด",
    ],
)
def test_a_follow_up_does_not(question: str) -> None:
    assert not stands_alone(question)


@pytest.mark.parametrize(
    ("rewritten", "is_usable"),
    [
        ("How wide is the old bridge?", True),
        ("", False),
        ("  \n", False),
        ("Sure! Here it is:\nHow wide is the bridge?", False),
        ("The bridge is wide. " * 20, False),
        ("The old bridge is six metres wide.", False),
    ],
)
def test_only_one_question_is_a_usable_rewriting(rewritten: str, is_usable: bool) -> None:
    assert usable(rewritten, "And how wide?") is is_usable
