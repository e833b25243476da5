"""What reading once and keeping it brings, against reading again, llama.cpp and LlamaIndex.

    python benchmarks/engine.py [--only second kept ...] [--rounds 5] [--model starter]

Sides take turns in one run; medians of the rounds, CPU seconds beside wall seconds. Every start
of a process is a real one. Prints a table and keeps it as JSON under `benchmarks/results/`, with
the machine and the commit. Documents are made up (`benchmarks/documents.py`); a question's answer
stands in one sentence alone. Times to the first token (TTFT) count from the question on, with the
models loaded; `cold` counts the reading of the whole document.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BENCHMARKS = Path(__file__).parent
QUESTION_LANGUAGES = ("es", "fr", "de", "en")


@dataclass(frozen=True)
class Row:
    """One line of the table; `target` is what the project asks of itself."""

    measure: str
    value: float
    unit: str
    target: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Bench:
    """What all measurements share."""

    folder: Path
    rounds: int
    model: str
    asked: dict[str, list[tuple[float, float]]]  # kind -> seconds (told beforehand, taken)

    def note(self, kind: str, answer: dict[str, Any]) -> None:
        """Keep what was told of a time and what it took."""
        self.asked.setdefault(kind, []).append((answer["predicted_s"], answer["ttft_s"]))


# what runs in processes of its own


@dataclass(frozen=True)
class Side:
    """A process that answers requests, one JSON line each."""

    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, program: str, request: dict[str, Any]) -> "Side":
        """Start a program of this folder and wait until it is ready."""
        process = subprocess.Popen(
            [sys.executable, str(BENCHMARKS / program), json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"},
            text=True,
        )
        side = cls(process)
        side.answer()
        return side

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                return dict(json.loads(line))
        raise RuntimeError(f"the process ended: {self.process.wait()}")

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def quipu(bench: Bench, home: Path, **settings: Any) -> Side:
    request = {"home": str(home), "model": bench.model, **settings}
    return Side.start("engine_side.py", request)


def median(values: Iterator[float] | list[float]) -> float:
    return statistics.median(values)


# measurements


def second(
    bench: Bench, tokens: int, targets: tuple[float, float | None], rounds: int
) -> list[Row]:
    """Return how much sooner later questions are answered than the first, which reads it all."""
    cold, later, restarted, right = [], [], [], []
    for number in range(rounds):
        home = bench.folder / f"second-{tokens}-{number}"
        for start in range(2 if targets[1] else 1):
            side = quipu(bench, home, tokens=tokens)
            if not start:
                cold.append(side.ask({"prepare": True, "question": 0}))
                later.append(side.ask({"question": 5}))
            else:
                restarted.append(side.ask({"question": 9}))
            side.stop()
    asked = [*cold, *later, *restarted]
    right = [bool(answer["correct"]) for answer in asked]
    for answer in cold:
        times = (answer["predicted_prepare_s"], answer["prepare_s"])
        bench.asked.setdefault("prepare", []).append(times)
    first = median([answer["ttft_s"] for answer in cold])
    cpu = median([answer["cpu_s"] for answer in cold])

    def row(name: str, answers: list[dict[str, Any]], target: float) -> Row:
        ttft = median([answer["ttft_s"] for answer in answers])
        detail = (
            f"TTFT {first:.1f} s (CPU {cpu:.0f} s) against {ttft:.2f} s "
            f"(CPU {median([a['cpu_s'] for a in answers]):.1f} s), "
            f"{answers[0]['prompt_tokens']} prompt tokens of which "
            f"{answers[0]['cached_tokens']} cached; {sum(right)} of {len(right)} answers right"
        )
        return Row(name, first / ttft, "x", f">= {target:.0f}", first / ttft >= target, detail)

    rows = [row(f"second question, {tokens // 1024}K", later, targets[0])]
    if targets[1]:
        rows.append(row(f"after a restart, {tokens // 1024}K", restarted, targets[1]))
    return rows


def later_questions(bench: Bench) -> list[Row]:
    rows = second(bench, 8_192, (50, 100), bench.rounds)
    return rows + second(bench, 32_768, (300, None), 1)


def kept_and_fresh(bench: Bench) -> list[Row]:
    """Return how much sooner questions are answered from cached KV than from fresh passages."""
    rows = []
    for name, several, tokens in (("one document", 1, 8_192), ("three documents", 3, 4_096)):
        kept = quipu(bench, bench.folder / f"kept-{several}", tokens=tokens, documents=several)
        fresh = quipu(bench, bench.folder / f"fresh-{several}", tokens=tokens, documents=several)
        kept.ask({"prepare": True, "question": 0})
        pairs = []
        for number in range(bench.rounds):
            request = {"question": 3 + 7 * number}
            pairs.append((kept.ask(request), fresh.ask(request)))
            bench.note("kept", pairs[-1][0])
            bench.note("fresh", pairs[-1][1])
        kept.stop()
        fresh.stop()
        ratio = median([f["ttft_s"] / k["ttft_s"] for k, f in pairs])
        detail = (
            f"TTFT {median([k['ttft_s'] for k, _ in pairs]):.2f} s against "
            f"{median([f['ttft_s'] for _, f in pairs]):.1f} s; CPU "
            f"{median([k['cpu_s'] for k, _ in pairs]):.1f} against "
            f"{median([f['cpu_s'] for _, f in pairs]):.1f} s; right {_right(pairs, 0)} and "
            f"{_right(pairs, 1)} of {len(pairs)}"
        )
        rows.append(Row(f"kept against fresh, {name}", ratio, "x", ">= 6", ratio >= 6, detail))
    return rows


def _right(pairs: list[tuple[dict[str, Any], dict[str, Any]]], side: int) -> int:
    return sum(bool(pair[side]["correct"]) for pair in pairs)


def against_llamaindex(bench: Bench) -> list[Row]:
    """Return how much sooner than LlamaIndex's default engines over the same files."""
    rows = []
    for engine in ("query", "chat"):
        unread = quipu(bench, bench.folder / "fresh-1", tokens=8_192)
        other = Side.start("llamaindex_side.py", {**unread.ask({"setup": True}), "engine": engine})
        pairs = [(unread.ask({"question": 3}), other.ask({"question": 3}))]
        unread.stop()
        mine = quipu(bench, bench.folder / "kept-1", tokens=8_192)
        mine.ask({"prepare": True, "question": 1})
        for number in range(1, bench.rounds + 1):
            request = {"question": 3 + 7 * number}
            pairs.append((mine.ask(request), other.ask(request)))
        mine.stop()
        other.stop()
        first, *later = [o["ttft_s"] / m["ttft_s"] for m, o in pairs]
        detail = (
            f"TTFT {median([m['ttft_s'] for m, _ in pairs[1:]]):.2f} s against "
            f"{median([o['ttft_s'] for _, o in pairs[1:]]):.1f} s; right {_right(pairs, 0)} and "
            f"{_right(pairs, 1)} of {len(pairs)}"
        )
        ratio, name = median(later), f"LlamaIndex's {engine} engine"
        rows.append(Row(f"{name}, later", ratio, "x", ">= 20", ratio >= 20, detail))
        begun = (
            f"TTFT {pairs[0][0]['ttft_s']:.1f} s, nothing prepared, against "
            f"{pairs[0][1]['ttft_s']:.1f} s"
        )
        rows.append(Row(f"{name}, first", first, "x", ">= 1", first >= 1, begun))
    return rows


def against_llama_cpp(bench: Bench) -> list[Row]:
    """Return the share of llama.cpp's own speed in a bare loop with the same settings."""
    side = quipu(bench, bench.folder / "bare", tokens=4_096)
    rounds = [side.ask({"bare": True}) for _ in range(bench.rounds)]
    side.stop()
    rows = []
    for name in ("prefill", "decode"):
        ratio = median([r[f"{name}_bare_s"] / r[f"{name}_s"] for r in rounds])
        detail = (
            f"{median([r[f'{name}_tokens'] / r[f'{name}_s'] for r in rounds]):.1f} against "
            f"{median([r[f'{name}_tokens'] / r[f'{name}_bare_s'] for r in rounds]):.1f} tokens a "
            f"second; same tokens {all(r['same'] for r in rounds)}"
        )
        rows.append(Row(f"{name}, of a bare loop", ratio, "x", ">= 0.95", ratio >= 0.95, detail))
    return rows


def memory(bench: Bench) -> list[Row]:
    side = quipu(bench, bench.folder / "memory", tokens=4_096, window=32_768)
    used = side.ask({"memory": 31_000})
    side.stop()
    allowed = used["weights"] + used["embedder"] + used["kv"] + 500_000_000
    ratio = used["peak"] / allowed
    detail = (
        f"peak {used['peak'] / 1e9:.2f} GB; weights {used['weights'] / 1e9:.2f}, of the embedding "
        f"model {used['embedder'] / 1e9:.2f}, KV {used['kv'] / 1e9:.2f} GB"
    )
    return [Row("peak memory at 32K", ratio, "of allowed", "<= 1.15", ratio <= 1.15, detail)]


def stored(bench: Bench) -> list[Row]:
    side = quipu(bench, bench.folder / "kept-1", tokens=8_192)
    side.ask({"prepare": True, "question": 0})
    rounds = [side.ask({"stored": number}) for number in range(0, 100, 5)]
    side.stop()
    share = median([r["kept_bytes"] / r["f16_bytes"] for r in rounds])
    same = sum(r["same"] for r in rounds) / len(rounds)
    detail = f"first 32 tokens equal in {same:.0%} of {len(rounds)} questions"
    return [
        Row("stored, of f16", share, "x", "<= 0.55", share <= 0.55, detail),
        Row("same first 32 tokens", same, "share", ">= 0.95", same >= 0.95, detail),
    ]


def neighbours(bench: Bench) -> list[Row]:
    """Return the share of the decode speed that stays beside two busy programs."""
    side = quipu(bench, bench.folder / "bare", tokens=4_096)
    ratios, speeds = [], []
    for _ in range(bench.rounds):
        idle = side.ask({"decode": True})["decode_s"]
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        time.sleep(0.5)
        beside = side.ask({"decode": True})["decode_s"]
        for process in busy:
            process.kill()
            process.wait()
        ratios.append(idle / beside)
        speeds.append((32 / idle, 32 / beside))
    side.stop()
    ratio = median(ratios)
    detail = f"{speeds[0][0]:.1f} alone, {speeds[0][1]:.1f} tokens a second beside two busy ones"
    return [Row("decode beside busy ones", ratio, "x", ">= 0.45", ratio >= 0.45, detail)]


def estimates(bench: Bench) -> list[Row]:
    """Return how far the time told beforehand is from the time it took, in what was asked."""
    rows = []
    for kind, times in bench.asked.items():
        ratios = [told / taken for told, taken in times]
        detail = "told / taken: " + " ".join(f"{ratio:.2f}" for ratio in ratios)
        holds = all(0.7 <= ratio <= 1.3 for ratio in ratios)
        rows.append(Row(f"time told, {kind}", median(ratios), "x", "0.7 to 1.3", holds, detail))
    return rows


def cancelling(bench: Bench) -> list[Row]:
    side = quipu(bench, bench.folder / "cancel", tokens=16_384, window=32_768)
    waits = [side.ask({"cancel": after})["waited_s"] for after in (0.3, 1.1, 2.9, 6.3, 12.7)]
    side.stop()
    worst = max(waits)
    detail = "while reading, after .3 to 13 s: " + " ".join(f"{w * 1000:.0f}" for w in waits)
    return [Row("slowest to stop", worst * 1000, "ms", "<= 200", worst <= 0.2, detail)]


def speed_by_depth(bench: Bench) -> list[Row]:
    side = quipu(bench, bench.folder / "bare", tokens=4_096)
    rows = []
    for depth in (0, 2_048, 8_192, 16_384, 31_000):
        found = side.ask({"depth": depth})
        detail = f"prefill {found['read']:.0f}, decode {found['write']:.1f} tokens a second"
        rows.append(Row(f"prefill at depth {depth}", found["read"], "tok/s", "", True, detail))
    side.stop()
    return rows


MEASUREMENTS: dict[str, Callable[[Bench], list[Row]]] = {
    "depth": speed_by_depth,
    "bare": against_llama_cpp,
    "neighbours": neighbours,
    "cancel": cancelling,
    "kept": kept_and_fresh,
    "llamaindex": against_llamaindex,
    "second": later_questions,
    "stored": stored,
    "memory": memory,
    "estimates": estimates,  # of what the others asked
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="starter")
    options = parser.parse_args()
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rounds, options.model, {})
        for name in options.only:
            for row in MEASUREMENTS[name](bench):
                rows.append(row)
                print(line(row), flush=True)
    keep(rows, options)


def line(row: Row) -> str:
    mark = " " if not row.target else ("+" if row.holds else "-")
    return f"{mark} {row.measure:34} {row.value:9.2f} {row.unit:10} {row.target:12} {row.detail}"


def keep(rows: list[Row], options: argparse.Namespace) -> None:
    from assistant.backends.llama.weights import build, build_features
    from evaluation.provenance import surroundings

    record = {
        **surroundings(build_features()),
        "llama.cpp": build(),
        "model": options.model,
        "rounds": options.rounds,
        "rows": [asdict(row) for row in rows],
    }
    folder = BENCHMARKS / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"engine-{record['date']}-{record['commit']}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(BENCHMARKS.parent)}")


if __name__ == "__main__":
    main()
