"""Quipu as parts of a LlamaIndex program: a retriever, a query engine and a language model.

The retriever and the query engine use Quipu's own prompts and checks. Nothing here uses the
network: a test refuses every connection.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.base.response.schema import RESPONSE_TYPE, Response
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import (
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from assistant.assistant import Assistant
from assistant.backends.base import ChatModel, Prompt
from assistant.types import Citation, Message, Passage, Query, Role

REPLY_TOKENS = 512  # of `QuipuLLM`, where the caller names no `max_tokens`
ROLES = {  # every other role is the user's
    MessageRole.SYSTEM: Role.SYSTEM,
    MessageRole.DEVELOPER: Role.SYSTEM,
    MessageRole.ASSISTANT: Role.ASSISTANT,
    MessageRole.CHATBOT: Role.ASSISTANT,
    MessageRole.MODEL: Role.ASSISTANT,
}
T = TypeVar("T")


class QuipuRetriever(BaseRetriever):
    """Retrieves passages by vectors and keywords, across languages.

    Nodes have the offsets of the chunk in the document's text, and as metadata `title`, `page`,
    `heading` and `language`.
    """

    def __init__(
        self, assistant: Assistant, query: Query | None = None, *, limit: int = 10
    ) -> None:
        """Args:
        query: documents and filters to search; its question is replaced by the one asked.
        limit: of the passages.
        """
        self._assistant = assistant
        self._query = query or Query("")
        self._limit = limit
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        asked = replace(self._query, question=query_bundle.query_str)
        return [passage_node(found) for found in self._assistant.search(asked, self._limit)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class QuipuQueryEngine(BaseQueryEngine):
    """Answers questions from the documents; source nodes are the verified quotes.

    The response's metadata are `language`, `answerable`, `verified_share` and `model`.
    """

    def __init__(self, assistant: Assistant, query: Query | None = None) -> None:
        """Args:
        query: language of the answer, documents, filters and context options; its question is
            replaced by the one asked.
        """
        self._assistant = assistant
        self._asked = query or Query("")
        super().__init__(None)

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        answer = self._assistant.answer(replace(self._asked, question=query_bundle.query_str))
        return Response(
            response=answer.text,
            source_nodes=[quote_node(citation) for citation in answer.citations],
            metadata={
                "language": answer.language,
                "answerable": answer.answerable,
                "verified_share": answer.verified_share,
                "model": answer.model,
            },
        )

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}


class QuipuLLM(CustomLLM):
    """A chat model of Quipu as a LlamaIndex LLM; the option `max_tokens` limits a reply.

    Messages go to the model's own template; their texts cannot become control tokens. The
    asynchronous methods run the model in a thread and do not block the event loop.
    """

    _model: ChatModel = PrivateAttr()

    def __init__(self, model: ChatModel) -> None:
        super().__init__()
        self._model = model

    @classmethod
    def class_name(cls) -> str:
        return "QuipuLLM"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            context_window=self._model.window_tokens,
            num_output=REPLY_TOKENS,
            is_chat_model=True,
            model_name=self._model.name,
        )

    def tokens(self, text: str) -> list[int]:
        """Return a list with as many items as the text has tokens.

        `set_global_tokenizer(llm.tokens)` makes LlamaIndex count as the model does; otherwise it
        counts with the tokenizer of another model.
        """
        return [0] * self._model.count(text)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        return _chat_response("".join(self._deltas(_ours(messages), options)))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        deltas = self._deltas(_ours(messages), options)
        return _chat_response(await asyncio.to_thread("".join, deltas))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponseGen:
        return _chat_responses(self._deltas(_ours(messages), options))

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **options: Any
    ) -> AsyncIterator[ChatResponse]:
        return _in_thread(_chat_responses(self._deltas(_ours(messages), options)))

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **options: Any) -> CompletionResponse:
        return CompletionResponse(text="".join(self._deltas(_asked(prompt), options)))

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **options: Any
    ) -> CompletionResponse:
        deltas = self._deltas(_asked(prompt), options)
        return CompletionResponse(text=await asyncio.to_thread("".join, deltas))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **options: Any
    ) -> CompletionResponseGen:
        return _completions(self._deltas(_asked(prompt), options))

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **options: Any
    ) -> AsyncIterator[CompletionResponse]:
        return _in_thread(_completions(self._deltas(_asked(prompt), options)))

    def _deltas(self, messages: Sequence[Message], options: dict[str, Any]) -> Iterator[str]:
        limit = int(options.get("max_tokens") or REPLY_TOKENS)
        yield from self._model.stream(Prompt.of(messages), limit_tokens=limit)


def passage_node(passage: Passage) -> NodeWithScore:
    """Return a retrieved passage as a node."""
    chunk, document = passage.chunk, passage.document
    node = TextNode(
        id_=f"{document.id}:{chunk.ordinal}",
        text=chunk.text,
        start_char_idx=chunk.char_start,
        end_char_idx=chunk.char_end,
        metadata={
            "title": document.title,
            "page": chunk.page_at(0),
            "heading": chunk.heading,
            "language": document.language,
        },
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document.id)},
    )
    return NodeWithScore(node=node, score=passage.score)


def quote_node(citation: Citation) -> NodeWithScore:
    """Return a citation as a node: the quote as text, the page and the claim as metadata."""
    node = TextNode(
        text=citation.quote,
        start_char_idx=citation.char_start,
        end_char_idx=citation.char_start + len(citation.quote),
        metadata={
            "title": citation.document,
            "page": citation.page,
            "marker": citation.marker,
            "claim": citation.claim,
            "supported": citation.supported,
        },
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=citation.document_id)},
    )
    return NodeWithScore(node=node, score=citation.strength)


def _ours(messages: Sequence[ChatMessage]) -> list[Message]:
    return [
        Message(ROLES.get(message.role, Role.USER), message.content or "") for message in messages
    ]


def _asked(prompt: str) -> list[Message]:
    return [Message(Role.USER, prompt)]


def _chat_response(text: str, delta: str | None = None) -> ChatResponse:
    message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
    return ChatResponse(message=message, delta=delta)


def _chat_responses(deltas: Iterator[str]) -> ChatResponseGen:
    """Yield a response for each delta, with the text so far."""
    text = ""
    for delta in deltas:
        text += delta
        yield _chat_response(text, delta)


def _completions(deltas: Iterator[str]) -> CompletionResponseGen:
    """Yield a response for each delta, with the text so far."""
    text = ""
    for delta in deltas:
        text += delta
        yield CompletionResponse(text=text, delta=delta)


async def _in_thread(responses: Iterator[T]) -> AsyncIterator[T]:
    """Iterate in a thread, where the model may block."""
    while (response := await asyncio.to_thread(next, responses, None)) is not None:
        yield response
