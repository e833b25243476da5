"""A data set on disk: texts in many languages and questions about them. Knows no library.

A folder holds `docs.jsonl` (doc_id, lang, title, text), `questions.jsonl` (id, lang, question,
answers, answers_doc_lang, doc_id, doc_lang) and `set.json` (name, scope). A question without
answers is one that the texts do not answer.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from assistant.errors import UnusableDataSet

Key: TypeAlias = tuple[str, str]  # doc_id, language: the same text may be there in several


class QuestionScope(StrEnum):
    """Where the passage is searched: everywhere, in texts of its language, in its text alone."""

    ALL = "all"
    LANGUAGE = "language"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Text:
    """One document of the set; `title` may be ""."""

    doc_id: str
    lang: str
    title: str
    text: str

    @property
    def key(self) -> Key:
        """Return what questions name a text by: its id and language."""
        return self.doc_id, self.lang


@dataclass(frozen=True)
class Question:
    """Attributes:
    lang: of the question, and of the answer.
    answers: in the question's language; none when the texts do not answer it.
    answers_doc_lang: the same in the language of the text.
    key: of the text that holds the answer.
    """

    id: str
    lang: str
    question: str
    answers: tuple[str, ...]
    answers_doc_lang: tuple[str, ...]
    key: Key

    @property
    def pair(self) -> str:
        """Return `question language>text language`."""
        return f"{self.lang}>{self.key[1]}"

    @property
    def answerable(self) -> bool:
        """Return whether the text holds the answer."""
        return bool(self.golds)

    @property
    def golds(self) -> tuple[str, ...]:
        """Return the right answers, in the language of the question or of the text."""
        return (*self.answers, *self.answers_doc_lang)


@dataclass(frozen=True)
class DataSet:
    """Attributes:
    fingerprint: of the texts; a library made of them holds for it alone.
    """

    name: str
    scope: QuestionScope
    texts: tuple[Text, ...]
    questions: tuple[Question, ...]
    fingerprint: str

    def searched(self, question: Question) -> list[Key]:
        """Return the keys of the texts in which an answer is looked for."""
        match self.scope:
            case QuestionScope.ALL:
                return [text.key for text in self.texts]
            case QuestionScope.LANGUAGE:
                return [text.key for text in self.texts if text.lang == question.key[1]]
            case QuestionScope.DOCUMENT:
                return [question.key]


def load(folder: Path) -> DataSet:
    """Return the data set of a folder.

    Raises:
        UnusableDataSet: a file is missing or holds something else.
    """
    described = _described(folder)
    texts = tuple(
        Text(row["doc_id"], row["lang"], row.get("title", ""), row["text"])
        for row in _rows(folder / "docs.jsonl", ("doc_id", "lang", "text"))
    )
    wanted = ("id", "lang", "question", "answers", "doc_id", "doc_lang")
    questions = tuple(map(_question, _rows(folder / "questions.jsonl", wanted)))
    known = {text.key for text in texts}
    if lost := [question.id for question in questions if question.key not in known]:
        raise UnusableDataSet(folder=str(folder), where=f"docs.jsonl ({lost[0]})")
    return DataSet(
        name=str(described.get("name", folder.name)),
        scope=QuestionScope(described.get("scope", "all")),
        texts=texts,
        questions=questions,
        fingerprint=hashlib.sha256((folder / "docs.jsonl").read_bytes()).hexdigest(),
    )


def some(questions: Sequence[Question], each: int) -> list[Question]:
    """Return so many questions of each pair of languages, spread over all of the pair.

    Questions without an answer are counted apart.
    """
    groups: dict[tuple[str, bool], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.pair, question.answerable), []).append(question)
    return [group[n * len(group) // min(each, len(group))]
            for group in groups.values() for n in range(min(each, len(group)))]  # fmt: skip


def _described(folder: Path) -> dict[str, Any]:
    try:
        described = json.loads((folder / "set.json").read_text("utf-8"))
        QuestionScope(described.get("scope", "all"))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise UnusableDataSet(folder=str(folder), where="set.json") from error
    return dict(described)


def _rows(path: Path, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, which all have what is wanted."""
    try:
        lines = path.read_text("utf-8").split("\n")  # not splitlines: texts hold other line ends
    except FileNotFoundError as error:
        raise UnusableDataSet(folder=str(path.parent), where=path.name) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            missing = [name for name in wanted if name not in row]
        except (ValueError, TypeError) as error:
            where = f"{path.name}:{number}"
            raise UnusableDataSet(folder=str(path.parent), where=where) from error
        if missing:
            where = f"{path.name}:{number} ({missing[0]})"
            raise UnusableDataSet(folder=str(path.parent), where=where)
        yield row


def _question(row: dict[str, Any]) -> Question:
    return Question(
        id=row["id"],
        lang=row["lang"],
        question=row["question"],
        answers=tuple(row["answers"]),
        answers_doc_lang=tuple(row.get("answers_doc_lang", ())),
        key=(row["doc_id"], row["doc_lang"]),
    )
