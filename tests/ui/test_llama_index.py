"""Quipu as parts of a LlamaIndex program, on the fake workspace."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.query_engine import RetrieverQueryEngine

from assistant.backends.fake import ScriptedModel
from assistant.types import Filters, Query, Role
from assistant.workspace import Workspace
from tests.ui.workspaces import REPLY, fake_workspace, with_report
from ui.llama_index import QuipuLLM, QuipuQueryEngine, QuipuRetriever

ROOT = Path(__file__).parents[2]
QUESTION = "¿Cuánta lluvia recibió el valle en 1998?"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return with_report(fake_workspace(tmp_path / "home"), tmp_path)


def test_the_retriever_returns_what_a_search_finds(workspace: Workspace) -> None:
    (document,) = workspace.library.documents()
    found = workspace.assistant.search(Query(QUESTION), 2)
    nodes = QuipuRetriever(workspace.assistant, limit=2).retrieve(QUESTION)
    assert [node.text for node in nodes] == [passage.chunk.text for passage in found]
    assert [node.score for node in nodes] == [passage.score for passage in found]
    first = nodes[0]
    assert first.metadata == {
        "title": "Water in the valley",
        "page": 1,
        "heading": found[0].chunk.heading,
        "language": "en",
    }
    assert first.node.source_node is not None
    assert first.node.source_node.node_id == document.id


def test_the_retriever_keeps_to_the_query_s_documents_and_filters(workspace: Workspace) -> None:
    none = Query("", filters=Filters(languages=("en",)), documents=("Water in the valley",))
    nodes = asyncio.run(QuipuRetriever(workspace.assistant, none).aretrieve(QUESTION))
    assert nodes


@pytest.mark.parametrize("is_async", [False, True])
def test_the_query_engine_answers_and_its_sources_are_the_verified_quotes(
    workspace: Workspace, is_async: bool
) -> None:
    engine = QuipuQueryEngine(workspace.assistant, Query("", language="es"))
    response = asyncio.run(engine.aquery(QUESTION)) if is_async else engine.query(QUESTION)
    answer = workspace.assistant.answer(Query(QUESTION, "es"))
    assert str(response) == answer.text == REPLY
    assert [(n.text, n.metadata["page"], n.score) for n in response.source_nodes] == [
        (citation.quote, citation.page, citation.strength) for citation in answer.citations
    ]
    assert response.metadata is not None
    assert response.metadata["language"] == "es"
    assert response.metadata["answerable"] is True


def test_the_language_model_gets_messages_and_streams(workspace: Workspace) -> None:
    model = ScriptedModel("It is 91 metres long.")
    llm = QuipuLLM(model)
    assert (llm.metadata.context_window, llm.metadata.model_name) == (8192, "scripted")
    talk = [
        ChatMessage(role=MessageRole.SYSTEM, content="Be short."),
        ChatMessage(role=MessageRole.USER, content="How long?"),
    ]
    assert llm.chat(talk).message.content == "It is 91 metres long."
    assert [(m.role, m.text) for m in model.asked[-1]] == [
        (Role.SYSTEM, "Be short."),
        (Role.USER, "How long?"),
    ]
    deltas = [response.delta for response in llm.stream_chat(talk)]
    assert "".join(filter(None, deltas)) == "It is 91 metres long."
    assert len(deltas) == 5
    assert llm.complete("How long?", max_tokens=3).text == "It is 91"
    assert [*llm.stream_complete("How long?")][-1].text == "It is 91 metres long."


def test_the_language_model_works_asynchronously() -> None:
    llm = QuipuLLM(ScriptedModel("It is 91 metres long."))
    talk = [ChatMessage(role=MessageRole.USER, content="How long?")]

    async def run() -> tuple[str | None, list[str | None]]:
        reply = await llm.achat(talk)
        return reply.message.content, [r.delta async for r in await llm.astream_chat(talk)]

    text, deltas = asyncio.run(run())
    assert text == "It is 91 metres long." == "".join(filter(None, deltas))


def test_a_llama_index_query_engine_runs_over_our_retriever_and_model(
    workspace: Workspace,
) -> None:
    llm = QuipuLLM(ScriptedModel("812 millimetres."))
    engine = RetrieverQueryEngine.from_args(QuipuRetriever(workspace.assistant), llm=llm)
    response = engine.query(QUESTION)
    assert str(response) == "812 millimetres."
    assert response.source_nodes[0].metadata["title"] == "Water in the valley"


def examples() -> Iterator[str]:
    text = (ROOT / "docs" / "llamaindex.md").read_text(encoding="utf-8")
    yield from re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_program_of_the_documentation_runs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("quipu.open_workspace", lambda _: workspace)
    for program in examples():
        exec(compile(program, "llamaindex.md", "exec"), {})
    assert "El valle recibió 812 milímetros" in capsys.readouterr().out
