"""Asks for answers of a paragraph, and looks in which language each sentence is.

    python benchmarks/paragraphs.py sample_docs benchmarks/questions/paragraphs.jsonl

Small models drift into the language of the text when they write for long. Prints each answer that
is not, or has sentences that are not, in the language asked for; then the sums. The library is a
temporary one.
"""

import argparse
import json
from pathlib import Path

from workspaces import temporary_workspace

from assistant.generation.citing import without_markers
from assistant.languages import detection
from assistant.languages.sentences import split
from assistant.types import Query


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--model")
    options = parser.parse_args()
    asked = [json.loads(line) for line in options.questions.read_text("utf-8").splitlines()]
    answers, words, sentences, astray, refused = 0, 0, 0, 0, 0
    with temporary_workspace(options.documents, options.model) as workspace:
        for each in asked:
            answer = workspace.assistant.answer(
                Query(each["question"], each["lang"], (each["document"],))
            )
            refused += not answer.answerable
            text = without_markers(answer.text)
            written = [detection.written_in(text[start:end]) for start, end in split(text)]
            told = [language for language in written if language]
            wrong = [language for language in told if language != each["lang"]]
            answers += answer.written_in == each["lang"]
            words += len(text.split())
            sentences, astray = sentences + len(told), astray + len(wrong)
            repaired = f", {answer.repaired}" if answer.repaired else ""
            print(f"{each['lang']} {len(text.split())} words{repaired}", flush=True)
            if wrong or answer.written_in != each["lang"]:
                print(f"  {answer.written_in}, {wrong}: {text}", flush=True)
    print(
        f"in the language asked for: {answers} of {len(asked)} answers, "
        f"{sentences - astray} of {sentences} sentences; {words / len(asked):.0f} words an answer, "
        f"{refused} refused"
    )


if __name__ == "__main__":
    main()
