"""Quipu as parts of a LlamaIndex program, on the fake workspace."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from llama_index.core import set_global_tokenizer
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.query_engine import RetrieverQueryEngine

from assistant.backends.fake import ScriptedModel
from assistant.types import Filters, Message, Query, Role
from assistant.workspace import Workspace
from ingest.indexing import add_documents
from tests.ui.workspaces import REPLY, fake_workspace, with_report
from ui.llama_index import QuipuLLM, QuipuQueryEngine, QuipuRetriever

ROOT = Path(__file__).parents[2]
QUESTION = "¿Cuánta lluvia recibió el valle en 1998?"


BRIDGE = "# El puente\n\nEl puente del valle mide noventa metros y se abrió en el año 1931.\n"


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


def test_the_retriever_keeps_to_the_query_s_documents_and_filters(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "puente.md").write_text(BRIDGE, encoding="utf-8")
    add_documents(workspace, [tmp_path / "puente.md"])

    def titles(query: Query) -> set[str]:
        nodes = asyncio.run(QuipuRetriever(workspace.assistant, query).aretrieve(QUESTION))
        return {node.metadata["title"] for node in nodes}

    assert titles(Query("")) == {"Water in the valley", "El puente"}
    assert titles(Query("", documents=("puente.md",))) == {"El puente"}
    assert titles(Query("", filters=Filters(languages=("en",)))) == {"Water in the valley"}


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


def test_the_language_model_works_asynchronously_and_outside_the_event_loop() -> None:
    threads: set[int] = set()

    def reply(messages: Sequence[Message]) -> str:
        threads.add(threading.get_ident())
        return "It is 91 metres long."

    llm = QuipuLLM(ScriptedModel(reply))
    talk = [ChatMessage(role=MessageRole.USER, content="How long?")]

    async def run() -> list[str]:
        chat, complete = await llm.achat(talk), await llm.acomplete("How long?")
        chats = [response.delta async for response in await llm.astream_chat(talk)]
        deltas = [response.delta async for response in await llm.astream_complete("How long?")]
        return [str(chat.message.content), complete.text, "".join(chats), "".join(deltas)]

    assert asyncio.run(run()) == ["It is 91 metres long."] * 4
    assert threading.get_ident() not in threads


def test_llama_index_can_count_as_the_model_does() -> None:
    llm = QuipuLLM(ScriptedModel(""))
    assert len(llm.tokens("It is 91 metres long.")) == 6


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
    set_global_tokenizer(None)
    assert "El valle recibió 812 milímetros" in capsys.readouterr().out


def test_it_opens_no_connection_and_downloads_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "seen = []\n"
        "network = ('socket.connect', 'socket.getaddrinfo', 'socket.sendto', 'urllib.Request')\n"
        "sys.addaudithook(lambda event, facts: seen.append(event) if event in network else None)\n"
        "import quipu\n"
        "from tests.ui.workspaces import fake_workspace, with_report\n"
        "folder = Path(sys.argv[1])\n"
        "workspace = with_report(fake_workspace(folder / 'home'), folder)\n"
        "quipu.open_workspace = lambda _: workspace\n"
        f"{''.join(examples())}"
        "from llama_index.core.utils import get_tokenizer\n"
        "set_global_tokenizer(None)\n"
        "assert get_tokenizer()('tokens of another model')\n"
        "print(own.query('How much rain?'))\n"
        "print(seen, [path.name for path in Path.home().iterdir()])\n"
    )
    (tmp_path / "user").mkdir()
    (tmp_path / "documents").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "documents")],
        cwd=ROOT, env={**os.environ, "HOME": str(tmp_path / "user")}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[] []"
