"""Documents made up for measuring: as long as wanted, with facts that can be asked for.

A report on towns that do not exist. Every town is a chapter of some hundred words with eight
facts; a fact can be asked for in four languages and its answer is a number or a name that stands
nowhere else. The same seed gives the same text.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

Count = Callable[[str], int]

BEGIN = ("Al", "Bel", "Cor", "Dun", "Es", "Fal", "Gor", "Hal", "Ir", "Jas", "Kel", "Lor", "Mar")
MIDDLE = ("a", "e", "i", "o", "u", "an", "el", "in", "or", "us")
END = (
    "bury",
    "dale",
    "feld",
    "garth",
    "mont",
    "nova",
    "port",
    "rive",
    "stad",
    "ton",
    "vik",
    "wick",
)
FIRST = ("Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas")
LAST = ("Abrams", "Bellini", "Castro", "Dupont", "Ekholm", "Fischer", "Garcia", "Hansen", "Ito")

# What is said of a town, and how it is asked for. `{x}` is the answer.
FACTS = (
    (
        "The first charter of {town} was sealed in {x}, after a long dispute over the ford.",
        {
            "en": "In which year was the first charter of {town} sealed?",
            "es": "¿En qué año se selló la primera carta de {town}?",
            "fr": "En quelle année la première charte de {town} a-t-elle été scellée ?",
            "de": "In welchem Jahr wurde die erste Urkunde von {town} gesiegelt?",
        },
    ),
    (
        "At the last census {x} people lived in {town}, most of them in the lower quarters.",
        {
            "en": "How many people lived in {town} at the last census?",
            "es": "¿Cuántas personas vivían en {town} según el último censo?",
            "fr": "Combien de personnes vivaient à {town} au dernier recensement ?",
            "de": "Wie viele Menschen lebten bei der letzten Zählung in {town}?",
        },
    ),
    (
        "The stone bridge of {town} is {x} metres long and stands on piles of oak.",
        {
            "en": "How many metres long is the stone bridge of {town}?",
            "es": "¿Cuántos metros mide el puente de piedra de {town}?",
            "fr": "Combien de mètres mesure le pont de pierre de {town} ?",
            "de": "Wie viele Meter lang ist die Steinbrücke von {town}?",
        },
    ),
    (
        "The library of {town} was founded by {x}, who left it a house and a garden.",
        {
            "en": "Who founded the library of {town}?",
            "es": "¿Quién fundó la biblioteca de {town}?",
            "fr": "Qui a fondé la bibliothèque de {town} ?",
            "de": "Wer hat die Bibliothek von {town} gegründet?",
        },
    ),
    (
        "In an ordinary year {x} millimetres of rain fall on {town}, more than on the coast.",
        {
            "en": "How many millimetres of rain fall on {town} in an ordinary year?",
            "es": "¿Cuántos milímetros de lluvia caen en {town} en un año normal?",
            "fr": "Combien de millimètres de pluie tombent à {town} en une année ordinaire ?",
            "de": "Wie viele Millimeter Regen fallen in {town} in einem gewöhnlichen Jahr?",
        },
    ),
    (
        "The railway reached {town} in {x}, and the old coaching inn closed soon afterwards.",
        {
            "en": "In which year did the railway reach {town}?",
            "es": "¿En qué año llegó el ferrocarril a {town}?",
            "fr": "En quelle année le chemin de fer a-t-il atteint {town} ?",
            "de": "In welchem Jahr erreichte die Eisenbahn {town}?",
        },
    ),
    (
        "The harbour works of {town} were led by {x}, an engineer who had never seen the sea.",
        {
            "en": "Who led the harbour works of {town}?",
            "es": "¿Quién dirigió las obras del puerto de {town}?",
            "fr": "Qui a dirigé les travaux du port de {town} ?",
            "de": "Wer leitete die Hafenarbeiten von {town}?",
        },
    ),
    (
        "The market hall of {town} has room for {x} stalls, which are let by the week.",
        {
            "en": "For how many stalls does the market hall of {town} have room?",
            "es": "¿Para cuántos puestos tiene sitio el mercado cubierto de {town}?",
            "fr": "Pour combien d'étals la halle de {town} a-t-elle de la place ?",
            "de": "Für wie viele Stände hat die Markthalle von {town} Platz?",
        },
    ),
)
FILLING = (
    "The streets follow the old field paths, so that few of them are straight.",
    "Visitors usually arrive from the north and leave the same way.",
    "Most houses have two floors and a cellar that is used for cider.",
    "The council meets in the former granary and keeps no minutes of its quarrels.",
    "Every spring the lower gardens are flooded for a week or two.",
    "The road to the quarry was paved only after the accident with the carts.",
    "There is a weekly paper, which is read mainly for its advertisements.",
    "The school is too small, and the older pupils walk to the next valley.",
    "Wool was the chief trade for generations, and timber came afterwards.",
    "On clear evenings the lights of the ships can be counted from the tower.",
    "The mill was rebuilt twice, each time a little further down the river.",
    "Nobody knows who planted the lime trees along the canal.",
    "The fair in autumn lasts three days and ends with a race of barges.",
    "Older people still count in dozens and pay their debts at Michaelmas.",
    "The chronicle breaks off in the middle of a sentence and was never continued.",
    "A second well was dug when the first one turned salty.",
)


@dataclass(frozen=True)
class Fact:
    """Attributes:
    chapter: number of the chapter that holds it, from 0.
    questions: language -> question.
    """

    chapter: int
    sentence: str
    questions: dict[str, str]
    answer: str


@dataclass(frozen=True)
class Report:
    """A made-up document as Markdown."""

    text: str
    facts: tuple[Fact, ...]


def report(tokens: int, count: Count, *, seed: int = 1) -> Report:
    """Return a report of about so many tokens: the last chapter that fits ends it."""
    chance = random.Random(seed)
    used: set[str] = set()
    chapters: list[str] = ["# A survey of towns\n"]
    facts: list[Fact] = []
    total = count(chapters[0])
    while True:
        chapter, told = _chapter(len(chapters) - 1, chance, used)
        cost = count(chapter)
        if total + cost > tokens and len(chapters) > 1:
            return Report("\n".join(chapters), tuple(facts))
        chapters.append(chapter)
        facts += told
        total += cost


def _chapter(number: int, chance: random.Random, used: set[str]) -> tuple[str, list[Fact]]:
    town = _fresh(lambda: chance.choice(BEGIN) + chance.choice(MIDDLE) + chance.choice(END), used)
    facts = []
    sentences = []
    for sentence, questions in FACTS:
        answer = _answer(sentence, chance, used)
        told = sentence.format(town=town, x=answer)
        asked = {lang: text.format(town=town) for lang, text in questions.items()}
        facts.append(Fact(number, told, asked, answer))
        sentences.append(" ".join([*chance.sample(FILLING, 2), told, chance.choice(FILLING)]))
    paragraphs = [" ".join(sentences[start : start + 2]) for start in range(0, len(sentences), 2)]
    return f"## {town}\n\n" + "\n\n".join(paragraphs) + "\n", facts


def _answer(sentence: str, chance: random.Random, used: set[str]) -> str:
    if " by {x}" in sentence:
        return _fresh(
            lambda: f"{chance.choice(FIRST)} {chance.choice(LAST)}{_suffix(chance)}", used
        )
    if " in {x}" in sentence:
        return _fresh(lambda: str(chance.randint(1200, 1990)), used)
    return _fresh(lambda: str(chance.randint(101, 9899)), used)


def _suffix(chance: random.Random) -> str:
    return chance.choice(("", "-" + chance.choice(LAST)))


def _fresh(make: Callable[[], str], used: set[str]) -> str:
    while (made := make()) in used:
        continue
    used.add(made)
    return made
