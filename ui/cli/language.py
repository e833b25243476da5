"""Which language the terminal speaks."""

from collections.abc import Mapping, Sequence
from typing import Final

from assistant.errors import UnknownLanguage
from ui.words import LANGUAGES, nearest

OPTION: Final = "--ui-lang"  # taken out before the grammar, whose values cost 0.1 s to check
VARIABLES: Final = ("QUIPU_LANG", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts


def of(environment: Mapping[str, str]) -> str:
    """Return the language of the environment, English when Quipu does not speak it."""
    return nearest(next((environment[name] for name in VARIABLES if environment.get(name)), None))


def chosen(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the language of `--ui-lang`, and the arguments without it, wherever it was.

    Raises:
        UnknownLanguage: Quipu does not speak it.
    """
    code, rest = None, [*arguments]
    end = rest.index("--") if "--" in rest else len(rest)
    for place in reversed(range(end)):
        name, equals, value = rest[place].partition("=")
        if name == OPTION:
            code = value if equals else "".join(rest[place + 1 : place + 2])
            del rest[place : place + (1 if equals else 2)]
    if code is not None and code not in LANGUAGES:
        raise UnknownLanguage(code=code, names=", ".join(LANGUAGES))
    return code, rest
