"""Where each language lies in the space of vectors, so that no language crowds out another.

A multilingual embedding model puts a text near others of its language as well as near others of
its meaning: beside a Spanish question, a Spanish page about something else wins over the English
page that answers it. The same plain sentences in each language show where that language lies;
taking most of that away from questions and passages leaves the meaning. Knows no store.
"""

from typing import Final

import numpy as np

from assistant.backends.base import Embedder
from assistant.types import Matrix, Vector

SENTENCES: Final = {
    "de": (
        "Die Stadt liegt im Norden des Landes.",
        "Dieses Kapitel beschreibt die Ergebnisse der Studie.",
        "Das Buch wurde im neunzehnten Jahrhundert veröffentlicht.",
        "Wie viele Menschen leben heute dort?",
        "Das Unternehmen wurde von zwei Brüdern gegründet.",
        "Es ist einer der wichtigsten Teile des Systems.",
        "Die Regierung beschloss, das Gesetz zu ändern.",
        "In diesem Prozess werden Wasser und Energie verbraucht.",
        "Wer schrieb den ersten Brief und wann?",
        "Die Schüler lernen in der Schule lesen und schreiben.",
        "Der Preis stieg während des Krieges.",
        "Die Mannschaft gewann das letzte Spiel der Saison.",
    ),
    "en": (
        "The city is in the north of the country.",
        "This chapter describes the results of the study.",
        "The book was published in the nineteenth century.",
        "How many people live there today?",
        "The company was founded by two brothers.",
        "It is one of the most important parts of the system.",
        "The government decided to change the law.",
        "Water and energy are used in this process.",
        "Who wrote the first letter and when?",
        "The students learn to read and write at school.",
        "The price rose during the war.",
        "The team won the last game of the season.",
    ),
    "es": (
        "La ciudad está en el norte del país.",
        "Este capítulo describe los resultados del estudio.",
        "El libro se publicó en el siglo diecinueve.",
        "¿Cuántas personas viven allí hoy?",
        "La empresa fue fundada por dos hermanos.",
        "Es una de las partes más importantes del sistema.",
        "El gobierno decidió cambiar la ley.",
        "En este proceso se usan agua y energía.",
        "¿Quién escribió la primera carta y cuándo?",
        "Los estudiantes aprenden a leer y escribir en la escuela.",
        "El precio subió durante la guerra.",
        "El equipo ganó el último partido de la temporada.",
    ),
    "fr": (
        "La ville se trouve dans le nord du pays.",
        "Ce chapitre décrit les résultats de l'étude.",
        "Le livre a été publié au dix-neuvième siècle.",
        "Combien de personnes y vivent aujourd'hui ?",
        "L'entreprise a été fondée par deux frères.",
        "C'est l'une des parties les plus importantes du système.",
        "Le gouvernement a décidé de changer la loi.",
        "De l'eau et de l'énergie sont utilisées dans ce processus.",
        "Qui a écrit la première lettre et quand ?",
        "Les élèves apprennent à lire et à écrire à l'école.",
        "Le prix a augmenté pendant la guerre.",
        "L'équipe a gagné le dernier match de la saison.",
    ),
    "hi": (
        "शहर देश के उत्तर में है।",
        "यह अध्याय अध्ययन के परिणामों का वर्णन करता है।",
        "पुस्तक उन्नीसवीं सदी में प्रकाशित हुई थी।",
        "आज वहाँ कितने लोग रहते हैं?",
        "कंपनी की स्थापना दो भाइयों ने की थी।",
        "यह प्रणाली के सबसे महत्वपूर्ण भागों में से एक है।",
        "सरकार ने कानून बदलने का फैसला किया।",
        "इस प्रक्रिया में पानी और ऊर्जा का उपयोग होता है।",
        "पहला पत्र किसने और कब लिखा?",
        "छात्र स्कूल में पढ़ना और लिखना सीखते हैं।",
        "युद्ध के दौरान कीमत बढ़ गई।",
        "टीम ने सीज़न का आखिरी मैच जीता।",
    ),
    "it": (
        "La città si trova nel nord del paese.",
        "Questo capitolo descrive i risultati dello studio.",
        "Il libro fu pubblicato nel diciannovesimo secolo.",
        "Quante persone vivono lì oggi?",
        "L'azienda fu fondata da due fratelli.",
        "È una delle parti più importanti del sistema.",
        "Il governo decise di cambiare la legge.",
        "In questo processo si usano acqua ed energia.",
        "Chi scrisse la prima lettera e quando?",
        "Gli studenti imparano a leggere e scrivere a scuola.",
        "Il prezzo aumentò durante la guerra.",
        "La squadra vinse l'ultima partita della stagione.",
    ),
    "pt": (
        "A cidade fica no norte do país.",
        "Este capítulo descreve os resultados do estudo.",
        "O livro foi publicado no século dezanove.",
        "Quantas pessoas vivem lá hoje?",
        "A empresa foi fundada por dois irmãos.",
        "É uma das partes mais importantes do sistema.",
        "O governo decidiu mudar a lei.",
        "Neste processo usam-se água e energia.",
        "Quem escreveu a primeira carta e quando?",
        "Os alunos aprendem a ler e a escrever na escola.",
        "O preço subiu durante a guerra.",
        "A equipa venceu o último jogo da época.",
    ),
    "th": (
        "เมืองนี้อยู่ทางเหนือของประเทศ",
        "บทนี้อธิบายผลของการศึกษา",
        "หนังสือเล่มนี้ตีพิมพ์ในศตวรรษที่สิบเก้า",
        "วันนี้มีคนอาศัยอยู่ที่นั่นกี่คน",
        "บริษัทนี้ก่อตั้งโดยพี่น้องสองคน",
        "มันเป็นหนึ่งในส่วนที่สำคัญที่สุดของระบบ",
        "รัฐบาลตัดสินใจเปลี่ยนกฎหมาย",
        "กระบวนการนี้ใช้น้ำและพลังงาน",
        "ใครเขียนจดหมายฉบับแรกและเมื่อไร",
        "นักเรียนเรียนรู้การอ่านและการเขียนที่โรงเรียน",
        "ราคาสูงขึ้นในช่วงสงคราม",
        "ทีมชนะการแข่งขันนัดสุดท้ายของฤดูกาล",
    ),
}


class LanguageCentering:
    """Compares questions and passages as if they were of one language."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._centres: dict[str, tuple[Vector, Vector]] = {}

    def compare(
        self, query: Vector, passages: Matrix, asked_in: str, written_in: str, *, share: float
    ) -> Vector:
        """Return a cosine for each passage, of what remains without the languages' places.

        Args:
            query: (dim,).
            passages: (n, dim).
            share: of the places that is taken away, from 0 to 1.
        """
        asked, written = self._centre(asked_in)[0], self._centre(written_in)[1]
        left = _unit((query - share * asked)[None, :])[0]
        cosines: Vector = _unit(passages - share * written) @ left  # (n, dim) @ (dim,) -> (n,)
        return cosines

    def _centre(self, language: str) -> tuple[Vector, Vector]:
        """Return the place of a language among questions and among passages.

        A language without sentences has the place of all of them together.
        """
        if language not in self._centres:
            own = SENTENCES.get(language) or [s for each in SENTENCES.values() for s in each]
            asked = self._embedder.embed_queries(list(own)).mean(axis=0)
            written = self._embedder.embed_passages(list(own)).mean(axis=0)
            self._centres[language] = asked, written
        return self._centres[language]


def _unit(rows: Matrix) -> Matrix:
    lengths: Matrix = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Matrix = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return units
