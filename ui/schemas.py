"""The JSON that scripts read: fields are added, never renamed; notes and errors are in English.

Each model takes its values from the object of the same name. Used by every face that prints JSON.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ui.page_numbers import by_document

if TYPE_CHECKING:
    from assistant.backends.base import CachedPrefix
    from assistant.models.catalogue import ModelEntry
    from assistant.reports.base import ReportKind
    from assistant.types import Answer, ContextPlan, Document, Page, Passage
    from ingest.indexing import Outcome

PagesByDocument: TypeAlias = Annotated[dict[str, list[int]], BeforeValidator(by_document)]
Notes: TypeAlias = Annotated[list[str], BeforeValidator(lambda notes: [str(n) for n in notes])]
Sources: TypeAlias = Annotated[
    list[dict[str, Any]], BeforeValidator(lambda sources: [asdict(s) for s in sources])
]


class Schema(BaseModel):
    """A JSON object; fields that were not set are left out."""

    model_config = ConfigDict(from_attributes=True, defer_build=True)

    def plain(self) -> dict[str, Any]:
        """Return it as the values that JSON has."""
        return self.model_dump(mode="json", exclude_unset=True)


class PlanJson(Schema):
    """A `ContextPlan`; pages by document id."""

    mode: str
    window: int
    ledger: dict[str, int]
    pages_read: PagesByDocument
    pages_left_out: PagesByDocument
    page_tokens: list[tuple[str, int, int]]
    kept_tokens: int
    turns_left_out: int
    predicted_s: float | None
    reason: str


class TimingsJson(Schema):
    """The `Timings` of an answer."""

    load_s: float
    ttft_s: float
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    total_s: float


class CitationJson(Schema):
    """A `Citation`; `translation` only where one was asked for."""

    marker: int
    document_id: str
    document: str
    page: int
    quote: str
    char_start: int
    claim: str
    strength: float
    supported: bool
    translation: str = ""


class AnswerJson(Schema):
    """An `Answer`: `quipu ask --json`."""

    question: str
    language: str
    text: str
    answerable: bool
    citations: list[CitationJson]
    plan: PlanJson
    timings: TimingsJson
    model: str
    written_in: str
    searched_for: str
    verified_share: float
    unsupported: list[str]
    repaired: str
    truncated: bool


class PageJson(Schema):
    """A `Page`."""

    number: int
    text: str
    label: str


class DocumentJson(Schema):
    """A `Document`, its notes in English; `pages` only where their texts were asked for."""

    id: str
    title: str
    path: str
    language: str
    page_count: int
    word_count: int
    chunk_count: int
    added_at: str
    notes: Notes
    read_as: str
    pages: list[PageJson] = []


class OutcomeJson(Schema):
    """What became of a file: `quipu add --json`; None where there is no document."""

    path: str
    document_id: str | None
    status: str
    pages: int | None
    language: str | None
    error: str | None
    notes: list[str]


class PassageJson(Schema):
    """A passage that a search found: `quipu search --json`."""

    document_id: str
    document: str
    page: int
    heading: str
    score: float
    text: str


class ModelJson(Schema):
    """A `ModelEntry`, and whether it is installed: `quipu models list --json`."""

    name: str
    role: str
    family: str
    parameters: str
    licence: str
    file: str
    size_bytes: int
    trained_window_tokens: int
    effective_window_tokens: int
    full_context_limit: int
    languages: list[str]
    sources: Sources
    sha256: str
    opens: str
    size_is_exact: bool
    expanded_bytes: int
    packing: str
    has_chat_template: bool
    template_note: str
    query_prefix: str
    passage_prefix: str
    dimensions: int
    layers: int
    kv_heads: int
    head_size: int
    installed: bool = False


class CachedJson(Schema):
    """A `CachedPrefix`: `quipu cache list --json`."""

    document_id: str
    model: str
    note: str
    tokens: int
    size_bytes: int
    used_at: float


def answer_json(answer: "Answer", translations: Sequence[str] = ()) -> dict[str, Any]:
    """Return an answer.

    Args:
        translations: of the quotes, in the order of the citations; none when not asked for.
    """
    told = AnswerJson.model_validate(answer)
    for citation, translation in zip(told.citations, translations, strict=False):
        citation.translation = translation
    return told.plain()


def plan_json(plan: "ContextPlan") -> dict[str, Any]:
    """Return a plan."""
    return PlanJson.model_validate(plan).plain()


def document_json(document: "Document", pages: "Sequence[Page] | None" = None) -> dict[str, Any]:
    """Return a document, with the texts of its pages when they are given."""
    told = DocumentJson.model_validate(document)
    if pages is not None:
        told.pages = [PageJson.model_validate(page) for page in pages]
    return told.plain()


def outcome_json(outcome: "Outcome") -> dict[str, Any]:
    """Return what became of a file."""
    document = outcome.document
    return OutcomeJson(
        path=outcome.path,
        document_id=document.id if document else None,
        status=outcome.status,
        pages=document.page_count if document else None,
        language=document.language if document else None,
        error=outcome.error or None,
        notes=[str(note) for note in document.notes] if document else [],
    ).plain()


def passage_json(passage: "Passage") -> dict[str, Any]:
    """Return a passage with its document and its first page."""
    return PassageJson(
        document_id=passage.document.id,
        document=passage.document.title,
        page=passage.chunk.page_at(0),
        heading=passage.chunk.heading,
        score=passage.score,
        text=passage.chunk.text,
    ).plain()


def report_json(kind: "ReportKind[Any]", report: Any) -> dict[str, Any]:
    """Return a report: `quipu summarize --json` and the like; its fields are the kind's."""
    value: dict[str, Any] = kind.values(report)
    documents = zip(kind.document_fields, kind.documents(report), strict=True)
    value |= {name: document_json(document) for name, document in documents}
    plan = kind.plan(report)
    return value | ({"plan": plan_json(plan)} if plan else {})


def model_json(entry: "ModelEntry", installed: bool) -> dict[str, Any]:
    """Return a model of the catalogue or an imported one."""
    told = ModelJson.model_validate(entry)
    told.installed = installed
    value = told.plain()
    return value | {"whole_text_tokens": value["full_context_limit"]}  # its former name


def cached_json(prefix: "CachedPrefix") -> dict[str, Any]:
    """Return a text in the KV cache."""
    return CachedJson.model_validate(prefix).plain()
