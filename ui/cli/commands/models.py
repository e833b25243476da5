"""`quipu models …` and `quipu doctor`: models, and what this machine can do with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from ui.cli import options, terminal

if TYPE_CHECKING:
    from assistant.models.catalogue import ModelRole
    from assistant.settings import Settings

app = options.group("models")
top = options.group()


@options.command(app, "models_list", "quipu models list")
def list_(json: options.Json = False) -> None:
    """Print the models of the catalogue and the imported ones."""
    from assistant.models.choosing import installed_models

    local = installed_models(options.settings())
    installed = {model.name: model for model in local.installed()}
    entries = {**local.catalogue, **{name: model.entry for name, model in installed.items()}}
    if json:
        from ui.schemas import model_json

        rows = [model_json(entry, name in installed) for name, entry in entries.items()]
        return terminal.print_json(rows)
    from ui.cli import tables

    tables.models(entries, installed)


@options.command(app, "models_pull", "quipu models pull starter multilingual-e5-small")
def pull(names: options.ModelNames) -> None:
    """Download models."""
    from assistant.models.choosing import installed_models
    from ui.cli import bars

    local = installed_models(options.settings())
    for name in names:
        with bars.pulling(name) as report:
            model = local.pull(name, report)
        terminal.say("models.got", name=model.name)


@options.command(app, "models_import", "quipu models import my-model.gguf")
def import_(file: Annotated[Path, Argument(metavar="FILE", help="options.gguf")]) -> None:
    """Add a GGUF file where it is."""
    from assistant.backends.llama.opening import import_model

    model = import_model(options.settings(), file)
    tokens = model.entry.trained_window_tokens
    terminal.say("models.imported", name=model.name, tokens=tokens)
    if not model.entry.has_chat_template:
        terminal.say("models.base")


@options.command(app, "models_use", "quipu models use llama-3.1-8b")
def use(name: options.ModelName) -> None:
    """Let a chat model answer wherever none is named."""
    from assistant.models.choosing import prefer

    prefer(options.settings(), name)
    terminal.say("models.switched", name=name)


@options.command(app, "models_remove", "quipu models remove starter")
def remove(name: options.ModelName) -> None:
    """Remove a model from the disk."""
    from assistant.models.choosing import installed_models

    installed_models(options.settings()).remove(name)
    terminal.say("models.removed", name=name)


@options.command(top, "doctor", "quipu doctor")
def doctor(again: Annotated[bool, Option("--again", help="options.again")] = False) -> None:
    """Print what the machine, the models, the cache and the library are like, and what to do."""
    from assistant.backends.llama.opening import engine_features, kv_cache
    from assistant.models.choosing import installed_models
    from assistant.models.hardware import measure
    from assistant.wiring import open_library
    from ui.cli import tables

    settings = options.settings()
    library = open_library(settings)
    tables.machine(measure(), engine_features(), str(settings.models))
    _models(settings, again=again)
    problems, documents = library.check(), library.documents()
    cached = sum(each.size_bytes for each in kv_cache(settings).listed())
    stored = (len(documents), str(settings.home))
    tables.summary(stored, cached, settings.quota_bytes, problems)
    roles = {model.entry.role for model in installed_models(settings).installed()}
    terminal.say("doctor.next", step=_next_step(roles, bool(problems), bool(documents)))


def _models(settings: "Settings", *, again: bool) -> None:
    """Print what each model can do here; one that was never measured is measured now."""
    from assistant.backends.llama.opening import tuned_for
    from assistant.models.catalogue import ModelRole
    from assistant.models.choosing import installed_models
    from assistant.models.hardware import largest_window, measure
    from assistant.streams import Progress, Step
    from ui.cli import tables

    machine = measure()
    for model in installed_models(settings).installed():
        runs = model.entry.role is ModelRole.CHAT and largest_window(model.entry, machine) > 0
        with terminal.following() as live:
            live.progress(Progress(Step.MEASURING, note=model.name))
            tuned = tuned_for(model, settings, again=again) if runs else None
        tables.model(model, machine, tuned)


def _next_step(roles: "set[ModelRole]", has_problems: bool, has_documents: bool) -> str:
    """Return the one thing to do next."""
    if "chat" not in roles:
        return "quipu models pull starter"
    if "embed" not in roles:
        return "quipu models pull multilingual-e5-small"
    if has_problems:
        return terminal.words("doctor.add_again")
    return 'quipu ask "…"' if has_documents else "quipu add FILE"
