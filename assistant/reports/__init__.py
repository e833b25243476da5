"""Generated work about documents: one module for each kind of report.

A module here that defines `KIND` is a kind of report; its command, its view on the page, its JSON,
storage, export and removal follow from that.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from assistant.reports.base import ReportKind


@cache
def kinds() -> dict[str, ReportKind[Any]]:
    """Return the kinds of reports by name, in the order in which faces list them."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    found: list[ReportKind[Any]] = [m.KIND for m in modules if hasattr(m, "KIND")]
    return {kind.name: kind for kind in sorted(found, key=lambda kind: kind.position)}
