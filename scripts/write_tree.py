"""Writes the tree of the code into the README: each module and its docstring's first sentence.

python -m scripts.write_tree
"""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
START, END = "<!-- tree -->\n", "<!-- end of tree -->"
WIDTH: Final = 100
NAME_WIDTH: Final = 30
PACKAGES: Final = ("assistant", "ingest", "evaluation", "ui")
OTHERS: Final = {
    "quipu.py": "the public Python surface",
    "sample_docs/": "five documents in four languages; docs/samples.md says how they are made",
    "tests/": "at the paths of what they test",
    "benchmarks/": "what is measured, and how",
    "docs/": "architecture, decisions, figures",
    "scripts/": "installation, samples, pictures, generated documentation",
}


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")


def rows() -> Iterator[tuple[str, str]]:
    """Yield each folder and module with what it is."""
    for package in PACKAGES:
        yield from _folder(ROOT / package, "")
    yield from OTHERS.items()


def _folder(folder: Path, indent: str) -> Iterator[tuple[str, str]]:
    yield f"{indent}{folder.name}/", sentence(folder / "__init__.py")
    inside = sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name))
    for path in inside:
        if path.is_dir() and (path / "__init__.py").exists():
            yield from _folder(path, f"{indent}  ")
        elif path.suffix == ".py" and path.name != "__init__.py":
            yield f"{indent}  {path.name}", sentence(path)


def tree() -> str:
    """Return the tree as a block of Markdown."""
    lines = []
    for name, text in rows():
        wrapped = textwrap.wrap(text, WIDTH - NAME_WIDTH - 4) or [""]
        lines.append(f"{name:<{NAME_WIDTH}}{wrapped[0]}")
        lines += [f"{'':<{NAME_WIDTH}}{line}" for line in wrapped[1:]]
    return "".join(f"    {line}".rstrip() + "\n" for line in lines)


def written(readme: str) -> str:
    """Return the README with the tree as it is now."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{tree()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
