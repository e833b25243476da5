"""Which questions are about a document as a whole, and not about something in it.

Told by nearness to such questions in the embedding model's space, where languages meet. Knows no
document.
"""

from functools import cached_property
from typing import Final

from assistant.backends.base import Embedder
from assistant.generation.citing import numbers_of
from assistant.types import Matrix

# Cosine of multilingual-e5-small to the nearest example; measured in docs/architecture.md.
NEAR: Final = 0.885

EXAMPLES: Final = (
    "What is this document about?",
    "Summarise the document.",
    "Give me a summary.",
    "What are the main points of the report?",
    "What are the key findings and conclusions?",
    "Which topics are covered?",
    "Give me an overview of the whole text.",
    "¿De qué trata este documento?",
    "Resume el documento.",
    "Hazme un resumen.",
    "¿Cuáles son los puntos principales del informe?",
    "¿Cuáles son las conclusiones principales?",
    "¿Qué temas se tratan?",
    "Dame una visión general de todo el texto.",
    "De quoi parle ce document ?",
    "Résume le document.",
    "Fais-moi un résumé.",
    "Quels sont les points principaux du rapport ?",
    "Quelles sont les principales conclusions ?",
    "Quels sujets sont abordés ?",
    "Donne-moi une vue d'ensemble de tout le texte.",
    "Worum geht es in diesem Dokument?",
    "Fasse das Dokument zusammen.",
    "Gib mir eine Zusammenfassung.",
    "Was sind die wichtigsten Punkte des Berichts?",
    "Was sind die wichtigsten Ergebnisse?",
    "Welche Themen werden behandelt?",
    "Gib mir einen Überblick über den ganzen Text.",
    "Di che cosa parla questo documento?",
    "Riassumi il documento.",
    "Fammi un riassunto.",
    "Quali sono i punti principali della relazione?",
    "Quali sono le conclusioni principali?",
    "Quali argomenti vengono trattati?",
    "Dammi una panoramica di tutto il testo.",
    "De que trata este documento?",
    "Resume o documento.",
    "Faz-me um resumo.",
    "Quais são os pontos principais do relatório?",
    "Quais são as principais conclusões?",
    "Que temas são tratados?",
    "Dá-me uma visão geral de todo o texto.",
    "यह दस्तावेज़ किस बारे में है?",
    "दस्तावेज़ का सारांश दो।",
    "रिपोर्ट के मुख्य बिंदु क्या हैं?",
    "मुख्य निष्कर्ष क्या हैं?",
    "पूरे पाठ का एक अवलोकन दो।",
    "เอกสารนี้เกี่ยวกับอะไร",
    "สรุปเอกสารนี้",
    "ประเด็นหลักของรายงานคืออะไร",
    "ข้อสรุปสำคัญคืออะไร",
    "ขอภาพรวมของข้อความทั้งหมด",
)


class Overviews:
    """Tells questions about a whole document from others."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @cached_property
    def examples(self) -> Matrix:
        """Vectors of the examples, (n, dim)."""
        return self._embedder.embed_queries(EXAMPLES)

    def load(self) -> None:
        """Embed the examples, which the first question would do otherwise."""
        _ = self.examples

    def is_overview_question(self, question: str) -> bool:
        """Tell whether the question is about the whole: near to an example, and without figures."""
        near = self.examples @ self._embedder.embed_queries([question])[0]  # (n, dim) @ (dim,)
        return float(near.max()) >= NEAR and not numbers_of(question)
