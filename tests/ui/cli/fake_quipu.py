"""The `quipu` command over a library with one short report and a model that has one reply.

Run as `python -m tests.ui.cli.fake_quipu FOLDER REPLY ARGUMENT…`, for tests in a real terminal.
"""

import sys
from pathlib import Path

import assistant.wiring
from assistant.settings import Settings
from assistant.workspace import Workspace
from tests.ui.workspaces import fake_workspace, with_report
from ui.cli.app import main


def run(folder: Path, reply: str, arguments: list[str]) -> None:
    """Run one command; its workspace is made of fakes."""

    def open_workspace(settings: Settings) -> Workspace:
        return with_report(fake_workspace(folder, reply), folder)

    assistant.wiring.open_workspace = open_workspace
    main(arguments)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
