"""The view of models: installed, available, and what fits this machine; and the first run."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from assistant.backends.llama.opening import throughput_of
from assistant.errors import QuipuError
from assistant.models.catalogue import ModelEntry, ModelRole
from assistant.models.choosing import chosen_model, installed_models, prefer, preferred
from assistant.models.hardware import (
    Machine,
    can_chat,
    kv_bytes_per_token,
    largest_window,
    measure,
)
from assistant.models.installed import InstalledModel
from assistant.settings import Settings
from ui.page.evidence import AnswerPart, bar, plain
from ui.page.session import STARTERS, download, shared_downloads, shared_workspace
from ui.words import Words, native

REFRESH_S: Final = 1.0


@st.cache_resource(show_spinner=False)
def _chosen_here() -> list[bool]:
    """Return a list with something in it once a model was chosen on this page, in any tab."""
    return []


def chosen(settings: Settings) -> Settings:
    """Return the settings with the chat model that was chosen on the page, now or before."""
    if settings.model and not _chosen_here():
        return settings
    kept = preferred(settings)
    return settings.override(model=kept.name if kept else None)


def show(settings: Settings, words: Words) -> None:
    """Draw the machine, the models on it, and those that can be fetched."""
    if name := st.session_state.pop("switched", None):
        st.toast(plain(words("models.switched", name=name)))
    machine, local = measure(), installed_models(settings)
    installed = local.installed()
    st.caption(
        f"{plain(machine.processor)} · {words('count.cores', count=machine.cores)} · "
        + words(
            "models.memory",
            free=words.size(machine.free_bytes),
            total=words.size(machine.memory_bytes),
        )
    )
    _downloads(words)
    st.subheader(words("models.installed"), anchor=False)
    used = _used(settings, machine)
    for model in installed:
        _model(settings, words, model, machine, in_use=model.name == used)
    st.subheader(words("models.available"), anchor=False)
    names = {model.name for model in installed}
    _available([e for e in local.catalogue.values() if e.name not in names], settings, words)


def welcome(settings: Settings, words: Words) -> None:
    """Draw the first run: what is missing, and one button that fetches it."""
    local = installed_models(settings)
    installed = {model.name for model in local.installed()}
    missing = [name for name in STARTERS if name not in installed]
    size = sum(local.catalogue[name].size_bytes for name in missing)
    st.subheader(words("models.welcome_title"), anchor=False)
    st.write(words("models.welcome", size=words.size(size)))
    if not shared_downloads().running and st.button(words("models.get_starter"), type="primary"):
        for name in missing:
            download(settings, name)
        st.rerun()
    _downloads(words)


def _used(settings: Settings, machine: Machine) -> str | None:
    try:
        return chosen_model(settings, machine).name
    except QuipuError:
        return None


def _downloads(words: Words) -> None:
    downloads = shared_downloads()
    for failure in downloads.failures.values():
        st.error(plain(words.error(failure)))
    for name in downloads.results:
        st.success(plain(words("models.got", name=name)))
    if downloads.running:
        _live(words)


@st.fragment(run_every=REFRESH_S)
def _live(words: Words) -> None:
    """Draw the progress of downloads; only this part of the page is drawn again."""
    running = shared_downloads().running
    if not running:
        st.rerun()
    for name, job in running.items():
        now = job.view.progress
        done, total = now.done, now.total
        text = words("models.getting", name=name, done=words.size(done), total=words.size(total))
        if now.seconds_left:
            text += f" · {words.left(now.seconds_left)}"
        st.progress(min(1.0, done / total) if total else 0.0, plain(text))


def _model(
    settings: Settings,
    words: Words,
    model: InstalledModel,
    machine: Machine,
    *,
    in_use: bool,
) -> None:
    entry = model.entry
    with st.container(border=True):
        mark = f" · {words('models.in_use')}" if in_use else ""
        role = words(f"models.{entry.role}")
        size = words.size(entry.installed_bytes)
        st.markdown(f"**{plain(model.name)}** · {role} · {size}{mark}")
        if entry.role is not ModelRole.CHAT:
            return
        window = largest_window(entry, machine)
        if not window:
            st.caption(words("models.too_large"))
            return
        st.markdown(_memory(words, entry, machine, window))
        st.caption(words("models.window", tokens=window))
        _speed(settings, words, model)
        if not in_use and can_chat(entry):
            st.button(
                words("models.use"),
                key=f"use-{model.name}",
                on_click=_use,
                args=(settings, model.name),
            )


def _use(settings: Settings, name: str) -> None:
    prefer(settings, name)
    _chosen_here().append(True)
    shared_workspace.clear()  # which stops what goes on with the model before
    st.session_state["switched"] = name


def _memory(words: Words, entry: ModelEntry, machine: Machine, window: int) -> str:
    """Return the memory of the machine as a bar: what the model takes, others take, is free."""
    cache = int(kv_bytes_per_token(entry) * window)
    others = machine.memory_bytes - machine.free_bytes
    free = max(0, machine.free_bytes - entry.installed_bytes - cache)
    sizes = {
        "others": (others, "gray"),
        "weights": (entry.installed_bytes, "blue"),
        "cache": (cache, "violet"),
        "free": (free, "green"),
    }
    parts = [
        AnswerPart(f"{words(f'models.{name}')} {words.size(size)}", size, colour)
        for name, (size, colour) in sizes.items()
    ]
    return bar(parts, machine.memory_bytes)


def _speed(settings: Settings, words: Words, model: InstalledModel) -> None:
    throughput = throughput_of(model, settings)
    if throughput is None:
        st.caption(words("models.no_speed"))
        return
    st.caption(words.speed(throughput))


def _available(entries: Sequence[ModelEntry], settings: Settings, words: Words) -> None:
    """Draw the models that can be had, and a button that fetches one."""
    names = {entry.name: entry for entry in entries}

    def described(name: str) -> str:
        entry = names[name]
        size = words.size(entry.size_bytes)
        return f"{name} · {words(f'models.{entry.role}')} · {size}"

    name = st.selectbox(words("models.choose"), list(names), format_func=described)
    if name is None:
        return
    entry = names[name]
    spoken = ", ".join(native(code) for code in entry.languages[:12])
    licence = words("models.licence", licence=entry.licence)
    st.caption(plain(f"{licence} · {words('models.languages', languages=spoken)}"))
    if st.button(words("models.get")):
        download(settings, name)
        st.rerun()
