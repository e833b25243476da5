"""Two documents side by side: pairs of points that agree or differ, and the rest."""

from collections.abc import Sequence
from pathlib import Path

from assistant.assistant import Assistant
from assistant.backends.fake import HashEmbedder, ScriptedModel
from assistant.reports.comparison import Comparison
from assistant.storage.exact import ExactIndex
from assistant.storage.library import Library
from assistant.types import Message, Point
from tests.assistant.running import report
from tests.assistant.storage.libraries import add

LONG = "The old stone bridge over the river is {} metres long."
DEEP = "The water below it is deep."
FIRST = "\n\n".join([LONG.format(91), DEEP, "Wool is spun in the village."])
SECOND = "\n\n".join([LONG.format(95), DEEP, "Bread is baked on Monday."])


def points_of(messages: Sequence[Message]) -> str:
    """Write down what a text says, a point for each of its sentences; the first has its number."""
    text = FIRST if "91 metres" in messages[0].text else SECOND
    first, *others = text.split("\n\n")
    return "\n".join([f" {first}", *(f"{n}. {line}" for n, line in enumerate(others, 2))])


def compared(folder: Path, *, knows: bool = True) -> Comparison:
    library = Library(folder, ExactIndex(), embedder=HashEmbedder())
    one, other = add(library, FIRST, title="One"), add(library, SECOND, title="Other")
    model = ScriptedModel(points_of, knows=knows)
    assistant = Assistant(model, HashEmbedder(), library)
    *_, result = report(assistant, "comparison", one.id, other.id)
    assert isinstance(result, Comparison)
    return result


def said(points: Sequence[Point]) -> list[str]:
    return [point.text for point in points]


def test_figures_tell_points_apart_and_what_one_says_alone_is_listed(tmp_path: Path) -> None:
    found = compared(tmp_path)
    assert [said(pair) for pair in found.agree] == [[DEEP, DEEP]]
    assert [said(pair) for pair in found.differ] == [[LONG.format(91), LONG.format(95)]]
    assert said(found.only_first) == ["Wool is spun in the village."]
    assert said(found.only_second) == ["Bread is baked on Monday."]
    assert all(p.citation and p.citation.supported for pair in found.agree for p in pair)


def test_what_the_model_does_not_take_for_the_same_differs(tmp_path: Path) -> None:
    found = compared(tmp_path, knows=False)
    assert found.agree == ()
    assert len(found.differ) == 2
