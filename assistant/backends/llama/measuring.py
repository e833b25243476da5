"""Measures the throughput of a model on this machine, and its best settings, in some seconds.

Tries only settings that can make a difference, one after the other. Cells of zeros stand for a
long context: attending to them takes as long as to any others. Stores nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from assistant.backends.base import Throughput
from assistant.backends.llama.cells import blank
from assistant.backends.llama.context import Context
from assistant.backends.llama.tuning import Tuned, Tuning
from assistant.backends.llama.weights import Tokens, Weights, can_repack, uses_gpu

DEPTH: Final = 2_048  # of the deeper of two measurements, in tokens
PROBE_TOKENS: Final = 32  # by which it is found how many tokens may be tried
SAMPLE_S: Final = 1.0  # of reading, in one measurement
SAMPLE_TOKENS: Final = (32, 512)  # least and most of them
WRITTEN: Final = 4  # tokens of one measurement; the fastest counts
# What settings are compared on: a question on passages that have to be prefilled.
READ_TOKENS: Final = 2_000
WRITE_TOKENS: Final = 150
LARGE_BATCH: Final = 512
WORTH: Final = 0.97  # of the time: less is no reason for another setting
UNDISTURBED: Final = 0.65  # of the processors' time, at least: alone it is 0.8 and more


def tune(path: Path, *, cores: int, processors: int, kv: str = "f16") -> Tuned:
    """Return the best settings for a model file, and its throughput with them.

    Args:
        cores: physical ones that may be used.
        processors: what the system calls so; with hyper-threading twice the cores.
        kv: type of the KV cache.

    Raises:
        UnusableModel: the file cannot be read.
    """
    gpu = uses_gpu()
    kept = Tuning(cores, cores, flash_attention=True, gpu_layers=-1 if gpu else 0, kv=kv)
    with _loaded(path, kept) as weights:
        best = _try(weights, kept)
        for changes in _changes(kept, processors):
            best = _better(best, _try(weights, replace(best.tuning, **changes)))
    if gpu or not can_repack():
        return best
    repack = replace(best.tuning, repack=True)
    with _loaded(path, repack) as weights:
        return _better(best, _try(weights, repack))


def _changes(tuning: Tuning, processors: int) -> list[dict[str, Any]]:
    """Return settings that may be faster and need no reload of the weights."""
    changes: list[dict[str, Any]] = [{"batch_tokens": LARGE_BATCH}]
    if tuning.kv == "f16":  # packed values need flash attention
        changes = [{"flash_attention": False}, *changes]
    if processors != tuning.threads:
        changes.append({"batch_threads": processors})
    return changes


def _better(best: Tuned, other: Tuned) -> Tuned:
    """Return the faster one, unless the gain is too small to matter."""
    chosen = other if _cost(other) < WORTH * _cost(best) else best
    return replace(chosen, disturbed=best.disturbed or other.disturbed)


def _cost(tuned: Tuned) -> float:
    throughput = tuned.throughput
    return throughput.prefill_time(READ_TOKENS) + throughput.decode_time(
        WRITE_TOKENS, depth=READ_TOKENS
    )


@contextmanager
def _loaded(path: Path, tuning: Tuning) -> Iterator[Weights]:
    weights = Weights(path, repack=tuning.repack, gpu_layers=tuning.gpu_layers)
    try:
        yield weights
    finally:
        weights.free()


def _try(weights: Weights, tuning: Tuning) -> Tuned:
    context = Context(weights, tuning, DEPTH + SAMPLE_TOKENS[1] + WRITTEN)
    start, cpu = time.perf_counter(), time.process_time()
    try:
        throughput = _throughput(context)
    finally:
        context.free()
    had = (time.process_time() - cpu) / (time.perf_counter() - start) / tuning.threads
    return Tuned(tuning, throughput, disturbed=not tuning.gpu_layers and had < UNDISTURBED)


def _throughput(context: Context) -> Throughput:
    context.decode(_some(PROBE_TOKENS))  # the first time pages come from the disk
    sample = _some(_sample_tokens(context))
    count = len(sample)
    flat, flat_write = _times(context, sample)
    cells = blank(context.cells().layout, DEPTH)
    kept = replace(cells, rows=cells.packed())
    start = time.perf_counter()
    context.place([kept], list(range(DEPTH)))
    restore = (time.perf_counter() - start) / DEPTH
    deep, deep_write = _times(context, sample)
    read, read_deeper = line(flat / count, deep / count, at=count / 2)
    write, write_deeper = line(flat_write, deep_write, at=count)
    return Throughput(
        prefill_s=read,
        prefill_deeper_s=read_deeper,
        decode_s=write,
        decode_deeper_s=write_deeper,
        restore_s=restore,
    )


def line(near: float, far: float, *, at: float) -> tuple[float, float]:
    """Return the seconds of a token at depth 0, and what each token of depth adds.

    Disturbed measurements may say anything: what depth adds is at least nothing, and at most half
    of what was measured near the beginning.

    Args:
        near, far: seconds of a token at depth `at`, and `DEPTH` deeper.
    """
    slope = min(max(0.0, (far - near) / DEPTH), near / 2 / at)
    return near - slope * at, slope


def _sample_tokens(context: Context) -> int:
    context.keep([])
    start = time.perf_counter()
    context.decode(_some(PROBE_TOKENS))
    rate = PROBE_TOKENS / (time.perf_counter() - start)
    context.keep([])
    least, most = SAMPLE_TOKENS
    return max(least, min(most, int(rate * SAMPLE_S)))


def _times(context: Context, sample: Tokens) -> tuple[float, float]:
    """Return the seconds to prefill the sample, and to decode one token behind it."""
    start = time.perf_counter()
    context.decode(sample)
    context.scores([0])  # a GPU is done when its scores are there
    read = time.perf_counter() - start
    written = []
    for token in _some(WRITTEN):
        start = time.perf_counter()
        context.decode([token])
        context.scores([0])
        written.append(time.perf_counter() - start)
    return read, min(written)


def _some(count: int) -> Tokens:
    """Return token ids that every vocabulary has."""
    return [100 + n % 900 for n in range(count)]
