"""The JSON that scripts read: every field, with its name and its value."""

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.backends.base import CachedPrefix
from assistant.errors import Notice, Reason
from assistant.models.catalogue import load_catalogue
from assistant.reports import kinds
from assistant.reports.comparison import Comparison
from assistant.reports.summary import SectionSummary, Summary
from assistant.types import (
    Answer,
    Citation,
    ContextMode,
    ContextPlan,
    Document,
    Page,
    PlanReason,
    Point,
    Query,
    Repair,
    Timings,
)
from tests.ui.workspaces import fake_workspace, with_report
from ui.schemas import (
    answer_json,
    cached_json,
    document_json,
    model_json,
    passage_json,
    plan_json,
    report_json,
)

DOCUMENT = Document(
    id="abc",
    title="Report",
    path="/docs/report.pdf",
    language="en",
    page_count=2,
    word_count=120,
    chunk_count=3,
    added_at="2026-11-25T10:00:00+00:00",
    notes=(Notice("PagesWithoutText", {"pages": "2", "reason": Reason.SCANNED}),),
)
DOCUMENT_JSON = {
    "id": "abc",
    "title": "Report",
    "path": "/docs/report.pdf",
    "language": "en",
    "page_count": 2,
    "word_count": 120,
    "chunk_count": 3,
    "added_at": "2026-11-25T10:00:00+00:00",
    "notes": ["No text on these pages: 2 (scanned)."],
    "read_as": "",
}
PLAN = ContextPlan(
    ContextMode.PACKED,
    8192,
    {"rules": 100, "documents": 1000, "conversation": 0, "question": 20, "answer": 320},
    pages_read=(("abc", 1), ("abc", 2)),
    pages_left_out=(("def", 7),),
    page_tokens=(("abc", 1, 600), ("abc", 2, 400)),
    kept_tokens=300,
    turns_left_out=1,
    reason=PlanReason.ASKED,
)
PLAN_JSON = {
    "mode": "packed",
    "window": 8192,
    "ledger": {"rules": 100, "documents": 1000, "conversation": 0, "question": 20, "answer": 320},
    "pages_read": {"abc": [1, 2]},
    "pages_left_out": {"def": [7]},
    "page_tokens": [["abc", 1, 600], ["abc", 2, 400]],
    "kept_tokens": 300,
    "turns_left_out": 1,
    "predicted_s": None,
    "reason": "asked",
}
CITATION = Citation(1, "abc", "Report", 2, "It rained.", 40, "Llovió.", 0.8, supported=True)
CITATION_JSON = {
    "marker": 1,
    "document_id": "abc",
    "document": "Report",
    "page": 2,
    "quote": "It rained.",
    "char_start": 40,
    "claim": "Llovió.",
    "strength": 0.8,
    "supported": True,
}
TIMINGS = Timings(0.5, 1.5, 1120, 300, 12, 700.0, 20.0, 2.5)
ANSWER = Answer(
    question="¿Llovió?",
    language="es",
    text="Llovió. [1]",
    answerable=True,
    citations=(CITATION,),
    plan=PLAN,
    timings=TIMINGS,
    model="starter",
    written_in="es",
    searched_for="¿Llovió?",
    verified_share=0.5,
    unsupported=("Nevó.",),
    repaired=Repair.TRANSLATED,
)
ANSWER_JSON: dict[str, Any] = {
    "question": "¿Llovió?",
    "language": "es",
    "text": "Llovió. [1]",
    "answerable": True,
    "citations": [CITATION_JSON],
    "plan": PLAN_JSON,
    "timings": {
        "load_s": 0.5,
        "ttft_s": 1.5,
        "prompt_tokens": 1120,
        "cached_tokens": 300,
        "completion_tokens": 12,
        "prefill_tokens_per_s": 700.0,
        "decode_tokens_per_s": 20.0,
        "total_s": 2.5,
    },
    "model": "starter",
    "written_in": "es",
    "searched_for": "¿Llovió?",
    "verified_share": 0.5,
    "unsupported": ["Nevó."],
    "repaired": "translated",
    "truncated": False,
}
POINT = Point("It rained.", CITATION)
POINT_JSON = {"text": "It rained.", "citation": CITATION_JSON}


def test_an_answer_has_these_fields() -> None:
    assert answer_json(ANSWER) == ANSWER_JSON
    assert [*answer_json(ANSWER)] == [*ANSWER_JSON]


def test_quotes_have_translations_only_when_asked_for() -> None:
    told = answer_json(ANSWER, ["Llovió."])
    assert told["citations"] == [CITATION_JSON | {"translation": "Llovió."}]


def test_a_plan_has_these_fields() -> None:
    assert plan_json(PLAN) == PLAN_JSON


def test_a_document_has_these_fields_and_its_pages_when_they_are_given() -> None:
    assert document_json(DOCUMENT) == DOCUMENT_JSON
    assert document_json(DOCUMENT, [Page(1, "It rained.", "i")]) == DOCUMENT_JSON | {
        "pages": [{"number": 1, "text": "It rained.", "label": "i"}]
    }


def test_a_summary_has_these_fields() -> None:
    section = SectionSummary("Rain", (1, 2), (POINT, Point("Snow.", None)))
    summary = Summary(DOCUMENT, "en", "short", (POINT,), (section,), PLAN, True, "starter", "rain")
    assert report_json(kinds()["summary"], summary) == {
        "document": DOCUMENT_JSON,
        "language": "en",
        "length": "short",
        "overview": [POINT_JSON],
        "sections": [
            {
                "title": "Rain",
                "pages": [1, 2],
                "points": [POINT_JSON, {"text": "Snow.", "citation": None}],
            }
        ],
        "plan": PLAN_JSON,
        "kept": True,
        "model": "starter",
        "focus": "rain",
    }


def test_a_comparison_has_these_fields() -> None:
    pair = (POINT, POINT)
    found = Comparison(DOCUMENT, DOCUMENT, "en", (pair,), (), (POINT,), (), "starter")
    assert report_json(kinds()["comparison"], found) == {
        "first": DOCUMENT_JSON,
        "second": DOCUMENT_JSON,
        "language": "en",
        "agree": [[POINT_JSON, POINT_JSON]],
        "differ": [],
        "only_first": [POINT_JSON],
        "only_second": [],
        "model": "starter",
    }


def test_a_model_has_these_fields() -> None:
    told = model_json(load_catalogue()["llama-3.1-8b"], installed=False)
    assert [*told] == [
        "name", "role", "family", "parameters", "licence", "file", "size_bytes",
        "trained_window_tokens", "effective_window_tokens", "full_context_limit", "languages",
        "sources", "sha256", "opens", "size_is_exact", "expanded_bytes", "packing",
        "has_chat_template", "template_note", "query_prefix", "passage_prefix", "dimensions",
        "layers", "kv_heads", "head_size", "installed", "whole_text_tokens",
    ]  # fmt: skip
    assert (told["name"], told["role"], told["installed"]) == ("llama-3.1-8b", "chat", False)


def test_a_cached_text_has_these_fields() -> None:
    assert cached_json(CachedPrefix("abc", "m", "Report, pages 1-2", 512, 1000, 1.5)) == {
        "document_id": "abc",
        "model": "m",
        "note": "Report, pages 1-2",
        "tokens": 512,
        "size_bytes": 1000,
        "used_at": 1.5,
    }


def test_everything_is_json(tmp_path: Path) -> None:
    workspace = with_report(fake_workspace(tmp_path / "home"), tmp_path)
    (found, *_) = workspace.assistant.search(Query("How much rain fell in 1998?"))
    told = passage_json(found)
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "document_id": found.document.id,
        "document": "Water in the valley",
        "page": 1,
        "heading": found.chunk.heading,
        "score": pytest.approx(found.score),
        "text": found.chunk.text,
    }
