"""Prints the size of the code: lines a file, lines a function, imports of the wiring.

python -m scripts.measure_code
"""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("assistant", "ingest", "evaluation", "ui")


def modules() -> list[Path]:
    """Return the source files of all packages, and `quipu.py`."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted([*found, *ROOT.glob("quipu.py")])


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a file with the lines of their bodies, docstrings left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def percentile(values: list[int], percent: int) -> int:
    return int(statistics.quantiles(values, n=100, method="inclusive")[percent - 1])


def main() -> None:
    files = {path: lines(path) for path in modules()}
    lengths = [
        (n, f"{path.relative_to(ROOT)}:{name}") for path in files for name, n in functions(path)
    ]
    values = [n for n, _ in lengths]
    print(f"{sum(files.values())} lines in {len(files)} files, the longest {max(files.values())}")
    print(f"{len(values)} functions: p50 {percentile(values, 50)}, p90 {percentile(values, 90)}")
    for n, name in sorted(lengths, reverse=True)[:5]:
        print(f"  {n:3} {name}")


if __name__ == "__main__":
    main()
