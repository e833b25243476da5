"""The machine, versions and models with which figures were measured."""

import hashlib
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.models.hardware import measure

SOURCES = Path(__file__).parents[1]
PACKAGES = ("assistant", "ingest", "evaluation")


def surroundings(engine: Sequence[str]) -> dict[str, Any]:
    """Return date, commit and machine.

    Args:
        engine: what the build of llama.cpp can use.
    """
    machine = measure()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "memory_gb": round(machine.memory_bytes / 1e9, 1),
        },
        "engine": " ".join(engine),
    }


def commit() -> str:
    """Return the short commit of the sources, "" where they are no working copy."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def sources_hash() -> str:
    """Return a name for the code as it is: what another one found is not to be mixed with it."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((SOURCES / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
