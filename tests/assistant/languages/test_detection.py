"""Which language a text is in."""

import pytest

from assistant.errors import UnknownLanguage
from assistant.languages.detection import (
    check,
    identify,
    identify_document,
    strays,
    written_in,
)
from assistant.languages.registry import supported

TEXTS = {
    "ar": "يحافظ النهر على مجراه بين التلال والمدينة القديمة",
    "de": "Der Fluss behält seinen Lauf zwischen den Hügeln und der alten Stadt.",
    "el": "Το ποτάμι κρατά την πορεία του ανάμεσα στους λόφους",
    "en": "The river keeps its course between the hills and the old town.",
    "es": "El río mantiene su curso entre las colinas y la ciudad vieja.",
    "fr": "La rivière garde son cours entre les collines et la vieille ville.",
    "he": "הנהר שומר על מסלולו בין הגבעות לעיר העתיקה",
    "hi": "नदी पहाड़ियों और पुराने शहर के बीच अपना रास्ता बनाए रखती है।",
    "it": "Il fiume mantiene il suo corso tra le colline e la città vecchia.",
    "ja": "川は丘と古い町の間を流れ続けている。",
    "ko": "강은 언덕과 오래된 도시 사이를 흐른다.",
    "nl": "De rivier houdt haar loop tussen de heuvels en de oude stad.",
    "pl": "Rzeka płynie swoim korytem między wzgórzami a starym miastem.",
    "pt": "O rio mantém o seu curso entre as colinas e a cidade velha.",
    "ru": "Река сохраняет своё русло между холмами и старым городом.",
    "th": "แม่น้ำไหลผ่านระหว่างเนินเขาและเมืองเก่า",
    "zh": "这条河在山丘和老城之间流淌。",
}


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_a_sentence_is_known_by_its_language(code: str) -> None:
    assert identify(TEXTS[code]) == code


@pytest.mark.parametrize("text", ["", "   ", "12 345,67 €", "???"])
def test_without_letters_it_is_english(text: str) -> None:
    assert identify(text) == "en"
    assert identify_document(text) == "en"


def test_only_the_languages_asked_for_come_back() -> None:
    assert identify(TEXTS["es"], among=["pt", "de"]) == "pt"


def test_a_document_is_in_the_language_of_most_of_it() -> None:
    assert identify_document(f"{TEXTS['en']} " * 20 + f"{TEXTS['es']} " * 2_000) == "es"


def test_a_foreign_title_page_does_not_decide() -> None:
    assert identify_document(f"{TEXTS['de']} " * 30 + f"{TEXTS['fr']} " * 600) == "fr"


@pytest.mark.parametrize("code", supported())
def test_a_reply_is_known_among_the_supported_languages(code: str) -> None:
    assert written_in(TEXTS[code]) == code


def test_a_short_reply_tells_only_by_its_script() -> None:
    assert written_in("Sí, en 1901.") == ""
    assert written_in("हाँ") == "hi"


def test_a_code_is_checked_and_lowered() -> None:
    assert check("ES") == "es"
    with pytest.raises(UnknownLanguage) as caught:
        check("klingon")
    assert caught.value.code == "klingon"
    assert caught.value.names.startswith("ar, de, ")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The bridge was built by the town in 1820.", True),
        ("El puente fue construido por la ciudad en 1820.", False),
        ("Según el texto, “the bridge was built by the town in 1820” es lo que se sabe.", False),
        ("Massachusetts Institute of Technology.", False),
    ],
)
def test_only_sentences_in_another_language_stray(sentence: str, expected: bool) -> None:
    assert strays(sentence, "es", {"en", "fr"}) is expected


def test_a_sentence_in_another_script_strays_however_short() -> None:
    assert strays("The bridge.", "hi", {"en"})
    assert not strays("पुल पुराना है।", "hi", {"en"})
