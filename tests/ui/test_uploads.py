"""Sent files: into the library beside, each under a name of its own, and gone afterwards."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import Reason, UnreadableDocument
from assistant.workspace import Workspace
from ingest.indexing import Status
from tests.ui.workspaces import fake_workspace
from ui.uploads import Uploads, file_name


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def uploads(workspace: Workspace) -> Uploads:
    return Uploads(
        workspace.library.folder / "uploads",
        writer=workspace.library,
        embedder=workspace.embedder,
    )


def test_files_go_in_one_after_the_other_and_leave_nothing_behind(tmp_path: Path) -> None:
    workspace = fake_workspace(tmp_path)
    sent = uploads(workspace)
    keys = [
        sent.put("one.txt", b"The bridge was built in 1820."),
        sent.put("bad.pdf", b"%PDF-1.7 nothing"),
        sent.put("one.txt", b"The bridge was built in 1820."),
        sent.put("one.txt", b"Wool is spun in every village."),
    ]
    until(lambda: not sent.jobs.running)
    results = [sent.jobs.results[key] for key in keys]
    assert [result.status for result in results] == [
        Status.ADDED,
        Status.FAILED,
        Status.UNCHANGED,
        Status.ADDED,
    ]
    assert results[1].failure == UnreadableDocument(name="bad.pdf", reason=Reason.INVALID).notice
    titles = {document.title for document in workspace.library.documents()}
    assert titles == {"one", "one (2)"}
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_is_cancelled_or_left_behind_does_not_stay_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    left = tmp_path / "uploads" / "left.waiting"
    left.write_bytes(b"of a process that ended")
    os.utime(left, (0, 0))
    workspace = fake_workspace(tmp_path)
    sent = uploads(workspace)
    assert list((tmp_path / "uploads").iterdir()) == []
    first = sent.put("one.txt", b"The bridge was built in 1820.")
    second = sent.put("two.txt", b"Wool is spun in every village.")
    sent.cancel(second)
    until(lambda: not sent.jobs.running)
    assert first in sent.jobs.results
    assert second not in sent.jobs.results
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\notes.md", "notes.md"),
        ("a\u202efdp.txt", "afdp.txt"),
        ("x" * 300 + ".pdf", "x" * 180 + ".pdf"),
        ("ก" * 300 + ".pdf", "ก" * 60 + ".pdf"),
        ("..", "document.txt"),
    ],
)
def test_file_name_keeps_no_folders_and_hides_nothing(given: str, kept: str) -> None:
    assert file_name(given) == kept
