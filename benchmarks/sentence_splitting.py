"""Compares sentence splitters by hand-marked sentence ends, and by speed.

    python benchmarks/sentence_splitting.py [--lines DOCS.JSONL] [--texts DOCS.JSONL] [--show]

The splitters are Quipu's own, sentencex and pysbd; one that is not installed is left out. Quality
is the F1 of the marks inside the texts of `questions/sentences.toml`, and of the pairs in
`tests/assistant/languages/test_sentences.py`. Quipu's splitter was corrected on both but for the
part `held_out`. pysbd knows neither Portuguese nor Thai and treats them as Spanish and English. The
two data sets have `lang` and `text` in each line. The first has a sentence on each line of a text
(translated news, say): those that end with a mark are joined, and the joints are the right marks.
On the second speed is measured, all splitters in turn, as the median of the ratios to Quipu's time.
"""

import argparse
import importlib.util
import json
import re
import statistics
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from assistant.languages.registry import supported
from assistant.languages.sentences import split
from tests.assistant.languages.test_sentences import PAIRS

GOLD = Path(__file__).parent / "questions" / "sentences.toml"
MARK = "‖"
SENTENCE = re.compile(r"[.!?…][\"'”’»)]*$")
ROUNDS = 7
TEXTS_A_LANGUAGE = 40
SUBSTITUTES = {"pt": "es", "th": "en"}  # for languages that pysbd does not know

Splitter: TypeAlias = Callable[[str, str], list[int]]  # (language, text) -> starts of sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lines", type=Path, help="docs.jsonl with a sentence on each line")
    parser.add_argument("--texts", type=Path, help="docs.jsonl of a data set, for the speed")
    parser.add_argument("--show", action="store_true", help="print every wrong or missed mark")
    options = parser.parse_args()
    splitters = {name: make() for name, make in SPLITTERS.items() if _is_there(name)}
    gold = tomllib.loads(GOLD.read_text(encoding="utf-8"))
    for part, languages in gold.items():
        print(f"F1, {part}".ljust(16), *(name.rjust(10) for name in splitters))
        for code, texts in languages.items():
            row = [_f1(code, texts, each, show=options.show) for each in splitters.values()]
            _print_row(code, row)
    pairs = [f"{first} {MARK}{second}" for first, second in PAIRS if not first[-1].isalpha()]
    _print_row("tests' pairs", [_f1("en", pairs, each, show=False) for each in splitters.values()])
    for code, joined in _joined(options.lines).items() if options.lines else ():
        _print_row(f"lines, {code}", [_f1(code, joined, s, show=False) for s in splitters.values()])
    if options.texts:
        _print_speed(splitters, _texts(options.texts))


def own() -> Splitter:
    return lambda _, text: [start for start, _ in split(text)]


def sentencex() -> Splitter:
    from sentencex import get_sentence_boundaries

    return lambda code, text: [each["start_index"] for each in get_sentence_boundaries(code, text)]


def pysbd() -> Splitter:
    from pysbd import Segmenter

    @cache
    def segmenter(code: str) -> Segmenter:
        return Segmenter(language=SUBSTITUTES.get(code, code), clean=False, char_span=True)

    return lambda code, text: [span.start for span in segmenter(code).segment(text)]


SPLITTERS: dict[str, Callable[[], Splitter]] = {"own": own, "sentencex": sentencex, "pysbd": pysbd}


def _is_there(name: str) -> bool:
    return name == "own" or importlib.util.find_spec(name) is not None


def _f1(code: str, texts: Iterable[str], splitter: Splitter, *, show: bool) -> float:
    """Return the F1 of the starts of all sentences but the first of each text."""
    right = found = both = 0
    for marked in texts:
        parts = marked.split(MARK)
        text = "".join(parts)
        wanted = {sum(map(len, parts[:n])) for n in range(1, len(parts))}
        starts = {_next_letter(text, start) for start in splitter(code, text)} - {0, len(text)}
        right, found, both = right + len(wanted), found + len(starts), both + len(wanted & starts)
        for start in sorted(wanted ^ starts) if show else ():
            kind = "missed" if start in wanted else "wrong "
            print(f"  {kind} {text[max(0, start - 25) : start]}{MARK}{text[start : start + 15]}")
    return 2 * both / (right + found) if right + found else 1.0


def _next_letter(text: str, start: int) -> int:
    """Return the place after the white space at `start`: splitters differ in where it belongs."""
    return len(text) - len(text[start:].lstrip())


def _print_row(name: str, values: Sequence[float]) -> None:
    print(name.ljust(16), *(f"{value:10.3f}" for value in values))


def _joined(path: Path) -> dict[str, list[str]]:
    """Return the marked texts of each language, of the lines that end with a mark."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        sentences = [each for each in document["text"].split("\n") if SENTENCE.search(each)]
        found.setdefault(document["lang"], []).append(f" {MARK}".join(sentences))
    return found


def _texts(path: Path) -> list[tuple[str, str]]:
    """Return the first texts of each supported language."""
    found: dict[str, list[tuple[str, str]]] = {code: [] for code in supported()}
    for line in path.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        if len(of_language := found.get(document["lang"], [])) < TEXTS_A_LANGUAGE:
            of_language.append((document["lang"], document["text"]))
    return [pair for pairs in found.values() for pair in pairs]


def _print_speed(splitters: dict[str, Splitter], texts: Sequence[tuple[str, str]]) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in splitters}
    for _ in range(ROUNDS):
        for name, splitter in splitters.items():
            start = time.perf_counter()
            for code, text in texts:
                splitter(code, text)
            seconds[name].append(time.perf_counter() - start)
    print(f"time, own = 1; {len(texts)} texts, {sum(len(text) for _, text in texts):,} characters")
    for name, rounds in seconds.items():
        ratios = [mine / base for mine, base in zip(rounds, seconds["own"], strict=True)]
        print(name.ljust(16), f"{statistics.median(ratios):10.2f}")


if __name__ == "__main__":
    main()
