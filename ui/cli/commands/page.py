"""`quipu page`: the page in a browser."""

from typing import Annotated

from typer import Option

from ui.cli import options, terminal

app = options.group()
Port = Annotated[int, Option("--port", min=1, max=65_535, metavar="PORT", help="options.port")]


@options.command(app, "page", "quipu page --port 8501")
def page(
    port: Port = 8501,
    host: Annotated[str, Option("--host", metavar="ADDRESS", help="options.host")] = "127.0.0.1",
    name: Annotated[list[str] | None, Option("--name", metavar="NAME", help="options.name")] = None,
    no_browser: Annotated[bool, Option("--no-browser", help="options.no_browser")] = False,
    model: options.Model = None,
    window: options.Window = None,
    kv: options.KV = "f16",
) -> int:
    """Serve the page until it is stopped; return the exit code of the server."""
    from ui.page.serve import Address, serve

    address = Address(host, port, tuple(name or ()))
    settings = options.settings(model, window, kv)
    return serve(address, settings, terminal.words, opens_browser=not no_browser)
