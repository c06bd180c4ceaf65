"""A local server that speaks as much of the Hugging Face hub's protocol as a download needs.

As huggingface_hub asks for it: a repository's files with sizes and sums, HEAD and GET of each with ETag and commit,
ranges, and a connection that breaks off in the middle.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What lies on the server, and what was asked of it."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.licenses: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []  # method, path, range
        self.break_off_at: int | None = None  # bytes of a GET, once
        self.gated: dict[str, int] = {}  # repositories whose files are refused so: 401 without a token, 403 with one
        self.spoiled: set[str] = set()  # files whose contents are not those of their sums
        self.url = ""

    def info(self, repo: str) -> dict[str, Any]:
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "blobId": "0" * 40,
                "lfs": {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130},
            }
            for name, data in self.repos[repo].items()
        ]
        tags = [f"license:{self.licenses[repo]}"] if repo in self.licenses else []
        return {"_id": "1", "id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": tags,
                "private": False, "downloads": 0, "likes": 0}  # fmt: skip


@contextmanager
def serving() -> Iterator[Hub]:
    """Run a hub while this context is entered; its address is in `url`."""
    hub = Hub()

    class Handler(_Handler):
        state = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.state.asked.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("/api/models/"):
            repo = path.removeprefix("/api/models/").partition("/revision/")[0]
            if repo in self.state.repos:
                self._send(200, json.dumps(self.state.info(repo)).encode(), {"Content-Type": "application/json"})
                return
        elif "/resolve/" in path:
            repo, _, rest = path[1:].partition("/resolve/")
            name = rest.partition("/")[2]
            if repo in self.state.gated:
                self._send(self.state.gated[repo], b"{}", {"X-Error-Code": "GatedRepo"})
                return
            if name in self.state.repos.get(repo, {}):
                self._file(repo, name)
                return
        self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _file(self, repo: str, name: str) -> None:
        data = self.state.repos[repo][name]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if name in self.state.spoiled:
            data = data[:-1] + bytes([data[-1] ^ 1])
        asked = self.headers.get("Range", "")
        if self.command == "HEAD" or not asked:
            self._send(200, data, headers)
            return
        begin = int(asked.removeprefix("bytes=").partition("-")[0])
        span = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        self._send(206, data[begin:], headers | {"Content-Range": span})

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "GET":
            return
        if self.state.break_off_at is not None and len(data) > self.state.break_off_at:
            data, self.state.break_off_at = data[: self.state.break_off_at], None
            self.close_connection = True
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
