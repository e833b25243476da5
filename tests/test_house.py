"""The rules of the house: who may import whom, one door per heavy library, and what is public."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("assistant", "ingest", "evaluation", "ui")
MODULES = sorted(
    [ROOT / "quipu.py", *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))]
)
TEXTS = [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]

# Library -> the one module, or the one folder, that may import it.
DOORS = {
    "llama_cpp": "assistant/backends/llama/",
    "chromadb": "assistant/storage/chroma.py",
    "sentence_transformers": "assistant/backends/sentence_transformers.py",
    "torch": "assistant/backends/sentence_transformers.py",
    "transformers": "assistant/backends/sentence_transformers.py",
    "sqlite3": "assistant/storage/database.py",
    "jinja2": "assistant/backends/llama/templates.py",
    "Stemmer": "assistant/storage/keywords.py",
    "py3langid": "assistant/languages/detection.py",
    "huggingface_hub": "assistant/models/sources/hub.py",
    "safetensors": "assistant/models/sources/e5_four_bit.py",
    "tokenizers": "assistant/models/sources/e5_four_bit.py",
    "liteparse": "ingest/readers/pdf.py",
    "pypdfium2": ("ingest/readers/pdf.py", "ingest/page_images.py"),
    "docx": ("ingest/readers/docx.py", "ui/exports.py"),
    "selectolax": "ingest/readers/html.py",
    "markdown_it": "ingest/readers/markdown.py",
    "streamlit": "ui/page/",
    "rich": ("ui/cli/tables.py", "ui/cli/bars.py"),
    "ir_measures": "evaluation/scoring.py",
    "pydantic_settings": "assistant/settings.py",
    "scipy": "evaluation/differences.py",
    "babel": "ui/words/words.py",
    "typer": "ui/cli/",
    "llama_index": ("evaluation/llama_index.py", "ui/llama_index.py"),
}
# The contract, and what faces may ask about the local engine.
OPEN_BACKENDS = (
    "assistant.backends.base", "assistant.backends.llama.opening",
    "assistant.backends.llama.tuning",
)  # fmt: skip
# What ingestion may know of the assistant.
VOCABULARY = (
    "assistant.types", "assistant.errors", "assistant.backends.base", "assistant.storage.base",
    "assistant.languages.detection", "assistant.languages.registry",
    "assistant.languages.sentences", "assistant.streams",
)  # fmt: skip
# Modules that name no library but numpy and do no input or output.
PURE = (
    "types", "errors", "streams", "generation.budget", "generation.prompts", "generation.citing",
    "generation.sections", "retrieval.rewriting", "languages.sentences", "backends.base",
    "storage.base",
)  # fmt: skip


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Return the full names of the modules a file imports, wherever in it they stand."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            found |= {
                full if is_module(full := f"{module}.{alias.name}") else module
                for alias in node.names
            }
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def importing(prefix: str) -> Iterator[tuple[str, str]]:
    """Yield (module, what it imports) for each import at or below `prefix`."""
    for path in MODULES:
        for name in imports(path):
            if name == prefix or name.startswith(f"{prefix}."):
                yield name_of(path), name


def test_imports_point_inward() -> None:
    allowed = {
        "assistant": {"assistant"},
        "ingest": {"assistant", "ingest"},
        "evaluation": {"assistant", "ingest", "evaluation"},
        "ui": set(PACKAGES),
        "quipu": set(PACKAGES),
    }
    wrong = [
        (name_of(path), name)
        for path in MODULES
        for name in imports(path)
        if (top := name.split(".")[0]) in PACKAGES
        and top not in allowed[name_of(path).split(".")[0]]
    ]
    assert wrong == []


def test_ingestion_knows_only_the_assistant_s_vocabulary() -> None:
    wrong = [
        (module, name)
        for module, name in importing("assistant")
        if module.startswith("ingest") and name not in VOCABULARY
    ]
    assert wrong == []


def test_only_the_wiring_names_a_backend() -> None:
    wrong = [
        (module, name)
        for module, name in importing("assistant.backends")
        if not module.startswith("assistant.backends")
        and module != "assistant.wiring"
        and name not in OPEN_BACKENDS
    ]
    assert wrong == []


def test_nobody_inside_imports_the_public_surface() -> None:
    assert list(importing("quipu")) == []


def test_nobody_inside_imports_the_wiring() -> None:
    found = {module for module, _ in importing("assistant.wiring")}
    assert [module for module in found if not module.startswith(("ui.", "quipu"))] == []


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_no_library_but_numpy(name: str) -> None:
    pure = {f"assistant.{other}" for other in (*PURE, "languages.detection", "languages.registry")}
    known = pure | {"numpy", "numpy.typing"}
    foreign = {
        module
        for module in imports(ROOT.joinpath("assistant", *name.split(".")).with_suffix(".py"))
        if module.split(".")[0] not in sys.stdlib_module_names and module not in known
    }
    assert foreign == set()


@pytest.mark.parametrize(("library", "door"), DOORS.items())
def test_each_heavy_library_has_one_door(library: str, door: str | tuple[str, ...]) -> None:
    places = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert [place for place in places if not place.startswith(door)] == []


def test_every_error_says_when_it_is_raised() -> None:
    errors = tree(ROOT / "assistant" / "errors.py").body
    silent = [
        each.name
        for each in errors
        if isinstance(each, ast.ClassDef) and not ast.get_docstring(each)
    ]
    assert silent == []


def test_no_class_name_stands_twice() -> None:
    defined: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append(name_of(path))
    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


def test_there_is_no_cupboard_for_everything() -> None:
    names = {path.stem for path in MODULES}
    assert names & {"utils", "util", "helpers", "helper", "common", "misc"} == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_to_do_and_nothing_is_pickled(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    marks = ("TO" + "DO", "FIX" + "ME", "X" * 3)
    assert [mark for mark in marks if re.search(rf"\b{mark}\b", text)] == []
    picklers = {"pickle", "dill", "joblib", "shelve", "marshal"}
    assert {name.split(".")[0] for name in imported(path)} & picklers == set()


def imported(path: Path) -> set[str]:
    """Return what a file imports, as it is written."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_every_module_says_what_it_is() -> None:
    assert [name_of(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


HEAVY = {
    "torch", "llama_cpp", "chromadb", "streamlit", "scipy", "transformers", "sentence_transformers",
    "huggingface_hub", "py3langid",
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--help"], {"numpy", "pydantic", "rich", "babel"}),
        (["docs", "list"], {"numpy"}),
        (["models", "list"], {"numpy"}),
        (["cache", "list"], set()),
        (["docs", "list", "--ui-lang", "es"], {"numpy"}),
        (["models", "remove", "nothing", "--ui-lang", "es"], {"numpy", "rich"}),
    ],
)
def test_commands_without_a_model_load_no_heavy_library(
    arguments: list[str], more: set[str], tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        "from ui.cli.app import run\n"
        f"code = run({arguments})\n"
        f"print('loaded:', code, sorted({HEAVY | more} & set(sys.modules)))\n"
    )
    environment = {**os.environ, "QUIPU_HOME": str(tmp_path), "QUIPU_MODELS": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    code = 1 if "nothing" in arguments else 0
    assert done.stdout.splitlines()[-1] == f"loaded: {code} []"
    assert "nothing" not in arguments or "No hay ningún modelo" in done.stderr


# the documentation, and the limits of the code


def test_the_tree_of_the_readme_is_true() -> None:
    from scripts.write_tree import README, written

    text = README.read_text(encoding="utf-8")
    assert text == written(text), "run `python -m scripts.write_tree`"


def test_documents_name_files_that_are_there() -> None:
    texts = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = re.compile(r"\]\((?!http)([^)#]+)\)")
    missing = [
        (path.name, link)
        for path in texts
        for link in named.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / link).exists()
    ]
    assert missing == []


def test_functions_and_files_stay_short() -> None:
    from scripts.measure_code import functions, lines, modules, percentile

    found = [(n, f"{path.name}:{name}") for path in modules() for name, n in functions(path)]
    lengths = [n for n, _ in found]
    assert percentile(lengths, 50) <= 6
    assert percentile(lengths, 90) <= 18
    assert [name for n, name in found if n > 50] == []
    assert [path.name for path in modules() if lines(path) > 400] == []


def test_a_file_format_is_one_module_and_one_line_of_the_table() -> None:
    from ingest.readers.registry import READERS

    readers = {module for module, _ in READERS.values()}
    drawing = ROOT / "ingest" / "rendering.py"  # pages of a PDF have a look of their own
    for path in MODULES:
        if path.parent.name != "readers":
            assert imports(path).isdisjoint(readers), path
            if path.parent.name == "ingest" and path != drawing:
                literals = {n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant)}
                assert literals.isdisjoint(READERS), path


def test_a_backend_is_opened_by_the_wiring_alone() -> None:
    """Faces ask a local engine for facts, which another backend need not have."""
    opened = {"open_model", "SentenceTransformerEmbedder", "CrossEncoderReranker"}
    for path in MODULES:
        if "backends" not in path.parts and path.name != "wiring.py":
            nodes = [n for n in ast.walk(tree(path)) if isinstance(n, ast.ImportFrom)]
            assert opened.isdisjoint(alias.name for node in nodes for alias in node.names), path


def test_the_top_of_the_assistant_is_small_and_the_wiring_knows_little() -> None:
    top = [path.stem for path in (ROOT / "assistant").glob("*.py") if path.stem != "__init__"]
    assert len(top) <= 12
    ours = [name for name in imports(ROOT / "assistant" / "wiring.py") if "." in name]
    assert len([name for name in ours if name.split(".")[0] in PACKAGES]) <= 12


def at_import(path: Path) -> set[str]:
    """Return the modules that a file imports at its top level."""
    return {node.module or "" for node in tree(path).body if isinstance(node, ast.ImportFrom)}


def test_no_imports_go_in_circles() -> None:
    edges = {name_of(path): at_import(path) for path in MODULES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name in edges and name not in done:
            for other in edges[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in edges:
        visit(name, ())
