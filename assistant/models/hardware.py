"""The memory of this machine, and which model and window fit into it.

Arithmetic on catalogue entries; only `measure` looks at the machine. Knows nothing of how
models are loaded.
"""

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelNotInstalled, NotEnoughMemory
from assistant.models.catalogue import ModelEntry, ModelRole
from assistant.models.installed import InstalledModel

BUFFER_BYTES = 600_000_000  # llama.cpp's compute buffers and Python itself, rounded up
STEP_TOKENS = 1024
SMALLEST_WINDOW_TOKENS = 2048
COMFORTABLE_WINDOW_TOKENS = 8192  # a question, an answer and some twenty passages
UNKNOWN_WINDOW_TOKENS = 4096  # of a file that does not say
KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}  # of one value in the KV cache

BUSY_PERCENT = 30.0  # of all processors

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """Attributes:
    processor: what it calls itself.
    cores: physical ones that may be used.
    processors: what the system calls so; with hyper-threading twice the cores.
    memory_bytes: all of it, or the container's limit.
    free_bytes: what can be taken without swapping.
    """

    processor: str
    cores: int
    processors: int
    memory_bytes: int
    free_bytes: int


def is_busy() -> bool:
    """Whether others work on this machine just now; looks for a fifth of a second."""
    import psutil

    return psutil.cpu_percent(interval=0.2) > BUSY_PERCENT


def measure(cgroup: Path = CGROUP) -> Machine:
    """Return what this process may use."""
    import psutil

    memory = psutil.virtual_memory()
    limit = cgroup_memory(cgroup) or memory.total
    total = min(memory.total, limit)
    used = cgroup_number(cgroup, "memory.current") if total < memory.total else 0
    cores = usable_cores(cgroup)
    return Machine(
        processor=processor_name(),
        cores=cores,
        processors=max(cores, usable_processors(cgroup)),
        memory_bytes=total,
        free_bytes=min(memory.available, max(total - used, 0)),
    )


def processor_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the processor as the system tells it."""
    try:
        named = re.search(r"^model name\s*: (.+)$", info.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        named = None
    return named[1].strip() if named else f"{platform.machine()} {platform.processor()}".strip()


def usable_cores(cgroup: Path) -> int:
    """Return the physical cores, or fewer where affinity or a quota says so."""
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return min(physical, usable_processors(cgroup))


def usable_processors(cgroup: Path) -> int:
    """Return what the system calls processors, or fewer where affinity or a quota says so."""
    every = os.cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    allowed = len(affinity(0)) if affinity else every
    return max(min(allowed, cgroup_cores(cgroup) or allowed), 1)


def cgroup_cores(cgroup: Path) -> int:
    """Return the whole cores of a quota such as `150000 100000`; 0 when there is none."""
    quota, _, period = cgroup_text(cgroup, "cpu.max").partition(" ")
    if not quota.isdigit() or not period.isdigit():
        return 0
    return max(int(quota) // int(period), 1)


def cgroup_memory(cgroup: Path) -> int:
    """Return the memory limit in bytes; 0 when there is none."""
    return cgroup_number(cgroup, "memory.max") or cgroup_number(
        cgroup, "memory/memory.limit_in_bytes"
    )


def cgroup_number(cgroup: Path, name: str) -> int:
    """Return a number of a control group's file; 0 where there is none."""
    text = cgroup_text(cgroup, name)
    return int(text) if text.isdigit() else 0


def cgroup_text(cgroup: Path, name: str) -> str:
    """Return the text of a control group's file; empty where there is none."""
    try:
        return (cgroup / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def kv_bytes_per_token(entry: ModelEntry, bytes_per_value: float = 2.0) -> float:
    """Return the KV cache's bytes a token: K and V for every layer and KV head.

    Args:
        bytes_per_value: one of `KV_BYTES`.
    """
    return 2 * entry.layers * entry.kv_heads * entry.head_size * bytes_per_value


def memory_needed(entry: ModelEntry, window_tokens: int, bytes_per_value: float = 2.0) -> int:
    """Return the bytes that the weights, the KV cache and the buffers take."""
    cache = kv_bytes_per_token(entry, bytes_per_value) * window_tokens
    return entry.installed_bytes + int(cache) + BUFFER_BYTES


def largest_window(entry: ModelEntry, machine: Machine, bytes_per_value: float = 2.0) -> int:
    """Return the largest window that fits, in steps of 1024; 0 if not even 2048 does.

    Never more than the trained window.
    """
    room = machine.free_bytes - memory_needed(entry, 0)
    cost = kv_bytes_per_token(entry, bytes_per_value)
    fitting = int(room / cost) if cost else entry.trained_window_tokens
    window = min(fitting, entry.trained_window_tokens) // STEP_TOKENS * STEP_TOKENS
    return window if room >= 0 and window >= SMALLEST_WINDOW_TOKENS else 0


def window_for(entry: ModelEntry, machine: Machine, wanted: int | None, kv: str = "f16") -> int:
    """Return the window that may be opened: what is asked for, else what the model reads well.

    Args:
        wanted: tokens; more than the model was trained for means all of that.

    Raises:
        NotEnoughMemory: what is asked for does not fit, or no window does.
    """
    most = largest_window(entry, machine, KV_BYTES[kv])
    window = min(
        wanted or entry.effective_window_tokens or UNKNOWN_WINDOW_TOKENS,
        entry.trained_window_tokens or wanted or UNKNOWN_WINDOW_TOKENS,
    )
    if window <= most or (most and not wanted):
        return min(window, most)
    window = window if most else SMALLEST_WINDOW_TOKENS
    most_q8 = largest_window(entry, machine, KV_BYTES["q8_0"])
    raise NotEnoughMemory(
        name=entry.name,
        window_tokens=window,
        needed_gb=memory_needed(entry, window, KV_BYTES[kv]) / 1e9,
        free_gb=machine.free_bytes / 1e9,
        fits=most,
        fits_q8=most_q8 if most_q8 > most else 0,
    )


def choose(installed: Iterable[InstalledModel], machine: Machine) -> InstalledModel:
    """Return the chat model with the most parameters that fits comfortably.

    It fits when its effective window, or 8192 tokens of it, does. When none fits, the
    smallest is returned: a slow answer is better than none.

    Raises:
        ModelNotInstalled: there is no chat model at all.
    """
    chat = sorted((m for m in installed if can_chat(m.entry)), key=weight)
    if not chat:
        raise ModelNotInstalled(name="starter")
    fitting = [model for model in chat if fits(model.entry, machine)]
    return fitting[-1] if fitting else chat[0]


def can_chat(entry: ModelEntry) -> bool:
    """Return whether a model can hold a conversation."""
    return entry.role is ModelRole.CHAT and entry.has_chat_template


def fits(entry: ModelEntry, machine: Machine) -> bool:
    """Tell whether the effective window, or 8192 tokens of it, fits."""
    wanted = min(entry.effective_window_tokens, COMFORTABLE_WINDOW_TOKENS)
    return largest_window(entry, machine) >= wanted // STEP_TOKENS * STEP_TOKENS > 0


def weight(model: InstalledModel) -> tuple[float, int]:
    """Order by parameters, then by bytes (of two copies the finer quantisation)."""
    return model.entry.parameter_count, model.entry.installed_bytes
