"""What a language file must hold, and that a new file is all a new language needs."""

import re
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import Stemmer
from pydantic import TypeAdapter

from assistant.generation.prompts import ask_prompt, says_not_found, summary_messages
from assistant.generation.sections import without_back_matter
from assistant.languages import registry
from assistant.languages.detection import check, identify, written_in
from assistant.languages.registry import (
    Language,
    Phrases,
    known,
    language,
    languages,
    name_of,
    phrases,
    supported,
)
from assistant.languages.sentences import split
from assistant.retrieval.rewriting import stands_alone
from assistant.types import Chunk, DocumentText, Page, Query
from ingest.chunking import chunk
from ingest.cleaning import clean_text
from ui.words import native

FOLLOW_UPS = {
    "de": ("Und wie breit ist die Brücke?", "Wann wurde sie über den Fluss gebaut?"),
    "en": ("And how wide is the bridge?", "When was it built over the river?"),
    "es": ("¿Y cuánto mide el puente?", "¿Cuánto costó su construcción en total?"),
    "fr": ("Et quelle est la largeur du pont ?", "Quand est-elle arrivée dans la ville ?"),
    "hi": ("और पुल की चौड़ाई कितनी है?", "नदी के ऊपर इसका निर्माण कब हुआ था?"),
    "it": ("E quanto è largo il ponte?", "Quanto è costata la sua costruzione in tutto?"),
    "nl": ("En hoe breed is de brug?", "Wanneer is hij over de rivier gebouwd?"),
    "pl": ("A jak szeroki jest ten most?", "Kiedy go zbudowano nad rzeką?"),
    "pt": ("E qual é a largura da ponte?", "Quanto custou a sua construção no total?"),
    "th": ("แล้วสะพานกว้างเท่าไร", "มันสร้างข้ามแม่น้ำเมื่อใด"),
}
ABBREVIATED = {
    "de": "Das zeigt z. B. Prof. Weber am 3. Mai in Abb. 3 auf S. 12, vgl. Nr. 5.",
    "en": "Ask Dr. Smith about Fig. 3 and vol. 2.",
    "es": "El Sr. Pérez lo explica en la pág. 12.",
    "fr": "Voir le chap. 3 de M. Dupont et l'art. 5.",
    "hi": "डॉ. शर्मा ने पृ. 12 पर लिखा है।",
    "it": "Si veda cfr. Rossi e il dott. Bianchi.",
    "nl": "Volgens dhr. Jansen, o.a. Nederland, staat het op blz. 12 van nr. 5.",
    "pl": "Pisze o tym prof. Nowak, m.in. Jan, na str. 12 i w rozdz. 3, zob. Tab. 4.",
    "pt": "A Dra. Silva explica-o na pág. 7.",
    "th": "ถาม ดร. สมชาย เมื่อ พ.ศ. 2500 ที่กรุงเทพ",
}
SWEDISH = """
name = "Swedish"
native = "Svenska"
script = "Latin"
stemmer = "swedish"
abbreviations = ["bl.a", "t.ex"]
back_matter = ["innehållsförteckning"]
suspended_hyphen_words = ["och"]
overview_questions = ["Vad handlar dokumentet om?"]
centering = [
  "Staden ligger i norra delen av landet.", "Kapitlet beskriver studiens resultat.",
  "Boken gavs ut på 1800-talet.", "Hur många människor bor där i dag?",
  "Företaget grundades av två bröder.", "Det är en av systemets viktigaste delar.",
  "Regeringen beslutade att ändra lagen.", "Vatten och energi används i processen.",
  "Vem skrev det första brevet och när?", "Eleverna lär sig läsa och skriva i skolan.",
  "Priset steg under kriget.", "Laget vann säsongens sista match.",
]
[phrases]
question = "Fråga"
answer = "Svara på svenska i fullständiga meningar."
not_found = "Dokumenten innehåller inte svaret."
summarise = "Ange på svenska textens {points} viktigaste fakta."
overview = "Ange på svenska de {points} viktigaste fakta i allt detta."
focus = "Endast fakta om: {focus}."
nothing = "Inget om detta hittades i dokumentet."
reply_start = "Enligt texten"
page = "s."
overview_title = "Sammanfattning"
[refusals]
negations = ["inte"]
variants = ["Avsnitten innehåller inte svaret."]
[follow_ups]
openings = ["och", "men"]
pronouns = ["den", "det", "han", "hon", "dess"]
"""


@pytest.mark.parametrize("each", languages(), ids=supported())
def test_a_file_holds_every_key_with_values_of_its_type(each: Language) -> None:
    TypeAdapter(Language).validate_python(asdict(each))
    assert [key for key, text in asdict(each.phrases).items() if not text.strip()] == []
    for texts in (each.overview_questions, each.refusals.negations, each.follow_ups.openings):
        assert len(set(texts)) == len(texts) > 0
    lowered = (*each.follow_ups.pronouns, *each.abbreviations, *each.back_matter)
    assert [text for text in lowered if not text or text != text.strip().lower()] == []


@pytest.mark.parametrize("each", languages(), ids=supported())
def test_placeholders_are_filled_in(each: Language) -> None:
    assert "{" not in each.phrases.summarise.format(points=3)
    assert " 3 " in each.phrases.overview.format(points=3)
    assert "water" in each.phrases.focus.format(focus="water")


@pytest.mark.parametrize("each", languages(), ids=supported())
def test_a_reply_goes_on_behind_its_start(each: Language) -> None:
    start = each.phrases.reply_start
    assert start == start.strip()
    assert len(split(f"{start} x")) == 1


@pytest.mark.parametrize("each", languages(), ids=supported())
def test_every_language_has_the_same_centring_sentences(each: Language) -> None:
    assert len(each.centering) == len(language("en").centering) == len(set(each.centering))
    questions = [place for place, text in enumerate(each.centering) if "?" in text]
    assert each.code == "th" or questions == [3, 8]


@pytest.mark.parametrize("each", languages(), ids=supported())
def test_abbreviations_stemmers_and_patterns_are_well_formed(each: Language) -> None:
    assert [
        word for word in each.abbreviations | each.numbered_abbreviations if word[-1] == "."
    ] == []
    assert each.stemmer in ("", *Stemmer.algorithms())
    for pattern in each.follow_ups.patterns:
        re.compile(pattern)


@pytest.mark.parametrize("code", supported())
def test_the_phrases_of_a_language_are_in_it(code: str) -> None:
    for text in (phrases(code).answer, phrases(code).summarise, *language(code).centering[:3]):
        assert identify(text) == code


@pytest.mark.parametrize("code", supported())
def test_a_refusal_is_recognised_in_every_language(code: str) -> None:
    for sentence in (phrases(code).not_found, *language(code).refusals.variants):
        assert says_not_found(f"{sentence} [2]")
    assert not says_not_found(language(code).centering[1])


@pytest.mark.parametrize("code", supported())
def test_a_follow_up_is_recognised_in_every_language(code: str) -> None:
    assert [question for question in FOLLOW_UPS[code] if stands_alone(question)] == []
    assert stands_alone(language(code).overview_questions[3])


@pytest.mark.parametrize("code", supported())
def test_an_abbreviation_ends_no_sentence_in_any_language(code: str) -> None:
    text = f"{ABBREVIATED[code]} {language(code).centering[0]}"
    first = text if code == "th" else ABBREVIATED[code]
    assert next(text[start:end].strip() for start, end in split(text)) == first


@pytest.mark.parametrize("code", supported())
def test_lists_of_contents_are_back_matter_in_every_language(code: str) -> None:
    assert len(language(code).back_matter) >= 3
    listed = Chunk("d", 0, "1 … 5", 0, 5, ((0, 1),), min(language(code).back_matter).title())
    body = Chunk("d", 1, "Text", 5, 9, ((0, 2),), "1 Text")
    assert without_back_matter([listed, body]) == ([body], [1])


def test_english_is_first_and_the_others_follow_by_code() -> None:
    assert supported()[0] == "en"
    assert list(supported()[1:]) == sorted(supported()[1:])
    assert {"de", "es", "fr", "hi", "it", "pt", "th"} < set(supported())


def test_a_language_without_a_file_is_named_in_the_english_phrases() -> None:
    assert name_of("ja") == "Japanese"
    assert native("ru") == "Русский"
    assert language("ru").stemmer == "russian"
    assert phrases("ja").answer == "Answer in Japanese in full sentences."
    assert "Japanese" in phrases("ja").summarise
    assert phrases("ja").not_found == phrases("en").not_found
    assert phrases("ja").reply_start == ""
    assert set(supported()) < set(known())


def test_an_unknown_code_is_its_own_name() -> None:
    assert (name_of("xx"), native("xx"), phrases("xx").question) == ("xx", "xx", "Question")


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return what puts a language file in a second folder."""
    monkeypatch.setattr(registry, "FOLDERS", (*registry.FOLDERS, tmp_path))

    def add(code: str, text: str) -> None:
        (tmp_path / f"{code}.toml").write_text(text, encoding="utf-8")

    return add


def test_a_new_file_is_a_new_language_everywhere(added: Callable[[str, str], None]) -> None:
    added("sv", SWEDISH)
    assert "sv" in supported()
    assert (check("SV"), native("sv")) == ("sv", "Svenska")
    assert identify("Floden rinner mellan kullarna och den gamla staden.") == "sv"
    assert written_in("Bron byggdes av staden år 1820.") == "sv"
    asked = ask_prompt(Query("Hur lång är bron?", "sv"), "Text").messages[-1].text
    assert asked == "Fråga: Hur lång är bron?\n\nSvara på svenska i fullständiga meningar."
    summary = summary_messages("Text", "sv", points=3, focus="broar")[-1].text
    assert summary == "Ange på svenska textens 3 viktigaste fakta. Endast fakta om: broar."
    assert says_not_found("Dokumenten innehåller inte svaret på frågan.")
    assert says_not_found("Avsnitten innehåller inte svaret. [1]")
    assert not stands_alone("Och hur bred är bron över älven?")
    assert not stands_alone("När byggdes den över älven?")
    assert stands_alone("När byggdes bron över älven?")
    assert clean_text("för-\noch nackdelar") == "för- och nackdelar"


def test_chunks_keep_the_abbreviations_of_a_new_language(
    added: Callable[[str, str], None],
) -> None:
    added("sv", SWEDISH)
    sentences = ["Många städer, t.ex. Lund, har broar.", "De är gamla, bl.a. Stora bron."]
    text = DocumentText.of([Page(1, " ".join(sentences))], [])
    chunks = chunk("d", text, lambda texts: [len(t.split()) for t in texts], limit_tokens=7)
    assert [each.text for each in chunks] == sentences


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('native = "Svenska"\n', ""), "sv.toml: .*'native'"),
        (('native = "Svenska"', 'native = "Svenska"\nvoice = "x"'), "sv.toml: .*'voice'"),
        (("{focus}", "ämnet"), r"sv.toml: phrases.focus lacks \{focus\}"),
        (('reply_start = "Enligt texten"\n', ""), "sv.toml: .*'reply_start'"),
        (('"Priset steg under kriget.", ', ""), "sv.toml: centering needs 12 sentences"),
    ],
)
def test_a_wrong_file_is_refused_by_name(
    added: Callable[[str, str], None], change: tuple[str, str], complaint: str
) -> None:
    added("sv", SWEDISH.replace(*change))
    with pytest.raises(ValueError, match=complaint):
        supported()


def test_every_phrase_is_documented() -> None:
    for kind in (Language, Phrases):
        documented = re.findall(r"^ {8}(\w+):", kind.__doc__ or "", re.MULTILINE)
        required = {field.name for field in fields(kind)}
        assert required - set(documented) <= {"phrases", "refusals", "follow_ups"}
