"""`quipu ask`, `chat`, `search` and `plan`: questions about the documents."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from typer import Option

from ui.cli import options, terminal

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.types import Answer, Message

app = options.group()
Limit = Annotated[int, Option("--limit", min=1, max=100, metavar="N", help="options.limit")]


@options.command(
    app, "ask", 'quipu ask "¿Cuántos parámetros tiene Llama 3.1?" --lang es --doc report.pdf'
)
def ask(
    question: options.Question,
    lang: options.Language = None,
    doc: options.Only = None,
    doc_lang: options.DocumentLanguages = "",
    pages: options.Pages = "",
    since: options.Since = "",
    until: options.Until = "",
    mode: options.Mode = "auto",
    time_budget: options.TimeBudget = None,
    translate: options.Translate = False,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    reranker: options.Reranker = None,
    json: options.Json = False,
) -> None:
    """Answer a question, with the pages that the answer is based on."""
    from assistant.errors import EmptyQuestion
    from assistant.wiring import open_workspace

    if not question.strip():
        raise EmptyQuestion
    filters = options.filters(doc_lang, pages, since, until)
    settings = options.settings(model, window, kv, reranker=reranker)
    assistant = open_workspace(settings).assistant
    with terminal.interruptible() as stopped:
        query = options.query(question, lang, doc, filters, options.context(mode, time_budget))
        answer = terminal.follow(assistant.ask(query, cancelled=stopped), quiet=json)
        translations = _translations(assistant, answer, stopped) if translate else []
    if json:
        from ui.schemas import answer_json

        return terminal.print_json(answer_json(answer, translations))
    terminal.sources(answer, translations)


@options.command(app, "plan", 'quipu plan "¿De qué trata el informe?" --doc report.pdf')
def plan(
    question: options.Question,
    lang: options.Language = None,
    doc: options.Only = None,
    doc_lang: options.DocumentLanguages = "",
    pages: options.Pages = "",
    since: options.Since = "",
    until: options.Until = "",
    mode: options.Mode = "auto",
    time_budget: options.TimeBudget = None,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    reranker: options.Reranker = None,
    json: options.Json = False,
) -> None:
    """Print what would be read for a question; the model is not run."""
    from assistant.wiring import open_workspace

    filters = options.filters(doc_lang, pages, since, until)
    workspace = open_workspace(options.settings(model, window, kv, reranker=reranker))
    query = options.query(question, lang, doc, filters, options.context(mode, time_budget))
    found = workspace.assistant.plan(query)
    if json:
        from ui.schemas import plan_json

        return terminal.print_json(plan_json(found))
    from ui.cli import tables

    tables.plan(found, {each.id: each.title for each in workspace.library.documents()})


@options.command(app, "search", 'quipu search "reservas de agua" --limit 5')
def search(
    question: options.Question,
    doc: options.Only = None,
    doc_lang: options.DocumentLanguages = "",
    pages: options.Pages = "",
    since: options.Since = "",
    until: options.Until = "",
    limit: Limit = 10,
    reranker: options.Reranker = None,
    json: options.Json = False,
) -> None:
    """Print the passages that a question finds, best first; no chat model is loaded."""
    from assistant.wiring import open_workspace

    filters = options.filters(doc_lang, pages, since, until)
    workspace = open_workspace(options.settings(reranker=reranker))
    query = options.query(question, doc=doc, filters=filters)
    found = workspace.assistant.search(query, limit=limit)
    if json:
        from ui.schemas import passage_json

        return terminal.print_json([passage_json(passage) for passage in found])
    for number, passage in enumerate(found, start=1):
        terminal.passage(number, passage)


@options.command(app, "chat", "quipu chat --doc report.pdf")
def chat(
    lang: options.Language = None,
    doc: options.Only = None,
    doc_lang: options.DocumentLanguages = "",
    pages: options.Pages = "",
    since: options.Since = "",
    until: options.Until = "",
    mode: options.Mode = "auto",
    time_budget: options.TimeBudget = None,
    translate: options.Translate = False,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
    reranker: options.Reranker = None,
) -> None:
    """Answer one question after the other; each may refer to those before."""
    from assistant.assistant import turns
    from assistant.errors import QuipuError
    from assistant.wiring import open_workspace

    filters = options.filters(doc_lang, pages, since, until)
    settings = options.settings(model, window, kv, reranker=reranker)
    assistant = open_workspace(settings).assistant
    context = options.context(mode, time_budget)
    history: list[Message] = []
    terminal.say("ask.chat")
    while question := terminal.typed():
        try:
            with terminal.interruptible() as stopped:
                asked = options.query(question, lang, doc, filters, context)
                query = replace(asked, history=tuple(history))
                answer = terminal.follow(assistant.ask(query, cancelled=stopped), quiet=False)
                translations = _translations(assistant, answer, stopped) if translate else []
        except QuipuError as error:
            terminal.complain(terminal.words.error(error))
            continue
        terminal.sources(answer, translations)
        history += turns(answer)


def _translations(
    assistant: "Assistant", answer: "Answer", cancelled: Callable[[], bool]
) -> list[str]:
    """Return each quote in the answer's language, in the order of the citations."""
    return [
        terminal.follow(
            assistant.translate(citation, answer.language, cancelled=cancelled), quiet=True
        )
        for citation in answer.citations
    ]
