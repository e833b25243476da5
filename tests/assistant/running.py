"""Runs streams to their end, for tests that look at all that happens."""

from typing import Any

from assistant.assistant import Assistant
from assistant.reports import kinds
from assistant.streams import IsCancelled, Stream, never
from assistant.types import Query


def events_and_result(stream: Stream[Any]) -> list[Any]:
    """Return the events of a stream, and its result behind them."""
    return [*stream, stream.result]


def query(question: str, **options: Any) -> Query:
    """Return a query; lists become tuples."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    return Query(question, **values)


def report(
    assistant: Assistant,
    kind: str,
    *documents: str,
    language: str = "",
    cancelled: IsCancelled = never,
    **options: str,
) -> list[Any]:
    """Write a report; return the events, and the report behind them."""
    spec = kinds()[kind].spec(documents, language, **options)
    return events_and_result(assistant.write(spec, cancelled=cancelled))
