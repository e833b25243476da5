"""Writes a data set about the user's own documents, with the model.

Every page becomes a text of the set. A question is kept when its answer stands on its page and the
model itself says that the page states it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from assistant.backends.base import ChatModel, Prompt, collect
from assistant.generation.judging import ANSWERABLE_ALONE, Judge
from assistant.generation.prompts import answerable_prompt, ask_prompt, question_messages
from assistant.reports.questions import QUESTION_TOKENS, read_question
from assistant.storage.base import Store
from assistant.types import Document, Query
from evaluation.scoring import holds, plain

PAGE_WORDS: Final = (40, 700)  # fewer say little; more do not fit a small window
ANSWER_WORDS: Final = 12
Done = Callable[[int, int], None]  # questions written, of how many


def write_set(
    folder: Path,
    documents: Sequence[Document],
    *,
    store: Store,
    model: ChatModel,
    languages: Sequence[str],
    count: int,
    report: Done,
) -> int:
    """Write a data set about the documents into `folder`; return how many questions it has.

    Args:
        languages: of the questions, in turn.
        count: of questions, at most; pages are tried in turn until there are so many.
    """
    texts = [text for document in documents for text in _pages(store, document)]
    questions: list[dict[str, Any]] = []
    for page in _spread([text for text in texts if _is_telling(text["text"])]):
        if len(questions) == count:
            break
        language = languages[len(questions) % len(languages)]
        if found := _question(page, language, model):
            questions.append({"id": f"q{len(questions) + 1}", "lang": language, **found})
            report(len(questions), count)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "docs.jsonl", texts)
    _write(folder / "questions.jsonl", questions)
    (folder / "set.json").write_text(
        json.dumps({"name": folder.name, "scope": "all"}), encoding="utf-8"
    )
    return len(questions)


def _pages(store: Store, document: Document) -> Iterator[dict[str, Any]]:
    """Yield the pages of a document as texts of a data set."""
    whole = store.document_text(document.id)
    ends = [*whole.page_starts[1:], len(whole.text)]
    for number, start, end in zip(whole.page_numbers, whole.page_starts, ends, strict=True):
        if text := whole.text[start:end].strip():
            yield {
                "doc_id": f"{document.short_id}#p{number}",
                "lang": document.language,
                "title": document.title,
                "text": text,
            }


def _is_telling(text: str) -> bool:
    least, most = PAGE_WORDS
    return least <= len(text.split()) <= most


def _spread(texts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the texts so that the first of them are far from each other."""
    order = sorted(range(len(texts)), key=lambda number: f"{number:b}"[::-1])
    return [texts[number] for number in order]


def _question(page: dict[str, Any], language: str, model: ChatModel) -> dict[str, Any] | None:
    """Return a question about the page with its answer, unless it is no good."""
    prompt = Prompt.of(question_messages(page["text"], language))
    reply, _ = collect(model.stream(prompt, limit_tokens=QUESTION_TOKENS))
    found = read_question(reply)
    if found is None:
        return None
    question, answer = found
    stands = holds(page["text"], [answer]) and len(plain(answer).split()) <= ANSWER_WORDS
    if not stands or not _answerable(question, page["text"], language, model):
        return None
    return {
        "question": question,
        "answers": [answer],
        "answers_doc_lang": [answer],
        "doc_id": page["doc_id"],
        "doc_lang": page["lang"],
    }


def _answerable(question: str, text: str, language: str, model: ChatModel) -> bool:
    query = Query(question, language)
    choice = Judge(model).yes(answerable_prompt(ask_prompt(query, text), query))
    return ANSWERABLE_ALONE.met(choice.probabilities[0])


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    path.write_text(lines, encoding="utf-8")
