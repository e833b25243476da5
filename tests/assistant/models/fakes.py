"""A package index and a model hub for tests: they keep the real ones' contracts."""

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from assistant.models.catalogue import ModelEntry, ModelRole, Source
from assistant.models.progress import PullProgress
from assistant.models.sources.base import Seen, SourceError

GIB = 1 << 30
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def entry(
    name: str = "tiny",
    *,
    content: bytes = b"",
    sha256: str | None = None,
    sources: tuple[Source, ...],
) -> ModelEntry:
    """A chat model of `content`; its hash is the content's unless another is given."""
    return ModelEntry(
        name=name,
        role=ModelRole.CHAT,
        family="test",
        parameters="1M",
        licence="MIT",
        file=f"{name}.gguf",
        size_bytes=len(content),
        trained_window_tokens=4096,
        effective_window_tokens=2048,
        sources=sources,
        sha256=hashlib.sha256(content).hexdigest() if sha256 is None else sha256,
    )


@dataclass
class Notes:
    """Keeps what was reported."""

    seen: list[PullProgress] = field(default_factory=list)
    first: threading.Event = field(default_factory=threading.Event)

    def __call__(self, progress: PullProgress) -> None:
        self.seen.append(progress)
        self.first.set()

    @property
    def texts(self) -> list[str]:
        return [progress.note for progress in self.seen]


@dataclass
class WheelShop:
    """Has the members of wheels by requirement; fails for those in `broken`."""

    members: dict[str, dict[str, bytes]]
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def fetch(self, requirement: str, folder: Path, seen: Seen) -> Path:
        assert list(folder.iterdir()) == []
        self.asked.append(requirement)
        if requirement in self.broken:
            (folder / "half.whl").write_bytes(b"PK half of a wheel")
            raise SourceError(f"no way to {requirement}")
        seen(1)
        return write_wheel(folder / "any.whl", self.members[requirement])


def write_wheel(path: Path, members: dict[str, bytes]) -> Path:
    """Write a zip file as wheels are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@dataclass
class Hub:
    """The state of a hub.

    Attributes:
        files: contents by `owner/repo/path`.
        breaks: the next answers to GET end after so many bytes of their body.
        ignores_ranges: answers every range with the whole file.
        asked: method, path and range of each request for a file.
    """

    files: dict[str, bytes]
    breaks: list[int] = field(default_factory=list)
    ignores_ranges: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    endpoint: str = ""

    @property
    def ranges(self) -> list[str]:
        """The ranges asked for by GET, `` for the whole file."""
        return [range_ for method, _, range_ in self.asked if method == "GET"]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port of this machine; its endpoint is set meanwhile."""
    handler = type("Handler", (HubHandler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class HubHandler(BaseHTTPRequestHandler):
    """As much of the hub's protocol as downloads need."""

    hub: Hub

    def do_HEAD(self) -> None:
        self.answer_file()

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            self.answer_listing(self.path.removeprefix("/api/models/").partition("?")[0])
        else:
            self.answer_file()

    def answer_listing(self, repo: str) -> None:
        siblings = [
            {"rfilename": name.removeprefix(f"{repo}/"), "size": len(content)}
            for name, content in self.hub.files.items()
            if name.startswith(f"{repo}/")
        ]
        body = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode()
        self.answer(200, body, {"Content-Type": "application/json"})

    def answer_file(self) -> None:
        name = self.path.lstrip("/").replace("/resolve/main/", "/")
        wanted = self.headers.get("Range", "")
        self.hub.asked.append((self.command, name, wanted))
        content = self.hub.files.get(name)
        if content is None:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        facts = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "X-Linked-Size": str(len(content)),
        }
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        if start and not self.hub.ignores_ranges:
            facts["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self.answer(206, content[start:], facts)
        return self.answer(200, content, facts)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        end = self.hub.breaks.pop(0) if self.hub.breaks else len(body)
        self.wfile.write(body[:end])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
