"""Questions that a document answers, for people who do not know yet what to ask.

The model writes each about a chunk of its own, far from the others'. Knows no screen.
"""

import re
from dataclasses import dataclass
from typing import Final

from assistant.backends.base import Prompt, collect
from assistant.generation.prompts import question_messages
from assistant.reports.base import Part, ReportKind, ReportSpec, Tools
from assistant.streams import Events, Progress, Step, TextDelta
from assistant.types import Chunk, Document, Point

QUESTIONS: Final = 3
QUESTION_TOKENS: Final = 120
LEAST_WORDS: Final = 60  # of a chunk that says enough to be asked about
LINES: Final = re.compile(r"\s*(?:\w+\s*:)?\s*(.+\?)\s*\n+\s*(?:[^\n:]{1,20}:)?\s*(.+)")


@dataclass(frozen=True)
class SuggestedQuestions:
    """Attributes:
    questions: none when the model wrote none that can be used.
    """

    document: Document
    language: str
    questions: tuple[str, ...]
    model: str


def write(
    tools: Tools, documents: tuple[Document, ...], spec: ReportSpec
) -> Events[SuggestedQuestions]:
    """Yield progress before each question, and each question; return all of them."""
    (document,) = documents
    questions: list[str] = []
    chunks = _apart(tools.store.chunks(document.id))
    for number, chunk in enumerate(chunks):
        yield from tools.ticket.turn()
        yield Progress(Step.SUMMARISING, number, len(chunks))
        prompt = Prompt.of(question_messages(chunk.text, spec.language))
        reply, _ = collect(
            tools.model.stream(prompt, limit_tokens=QUESTION_TOKENS, cancelled=tools.cancelled)
        )
        if (found := read_question(reply)) and found[0] not in questions:
            questions.append(found[0])
            yield TextDelta(f"- {found[0]}\n")
        tools.ticket.pass_on()
    return SuggestedQuestions(document, spec.language, tuple(questions), tools.model.name)


def outline(found: SuggestedQuestions) -> tuple[Part, ...]:
    """Return the questions as points without a source."""
    return (Part(items=tuple((Point(question, None),) for question in found.questions)),)


KIND: Final = ReportKind(
    name="questions",
    command="questions",
    document_fields=("document",),
    result=SuggestedQuestions,
    write=write,
    outline=outline,
    streams=True,
    example="quipu questions report.pdf --lang es",
    position=3,
)


def read_question(reply: str) -> tuple[str, str] | None:
    """Return the question and the answer of a model's reply; None when they are not there."""
    match = LINES.match(reply)
    return (match[1].strip(), match[2].strip(' "“”«».')) if match else None


def _apart(chunks: list[Chunk]) -> list[Chunk]:
    """Return a few chunks that say enough, as far as possible from each other and the ends."""
    rich = [chunk for chunk in chunks if len(chunk.text.split()) >= LEAST_WORDS] or chunks
    count = min(QUESTIONS, len(rich))
    return [rich[(2 * n + 1) * len(rich) // (2 * count)] for n in range(count)]
