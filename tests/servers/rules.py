"""What is sent to a server while a story is played, and the rules that it keeps to (docs/servers.md)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from advrepl.engines.remote.dialects import Dialect
from advrepl.engines.remote.wire import Stream, Wire


@dataclass
class Sent:
    """All that was sent: the paths that were asked, and the requests for text."""

    paths: set[str] = field(default_factory=set)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def take(self) -> list[dict[str, Any]]:
        """Return the requests since the last time."""
        taken, self.requests = self.requests, []
        return taken


@contextmanager
def listening() -> Iterator[Sent]:
    """Note what every engine sends to its server."""
    sent, call, stream = Sent(), Wire._call, Wire.stream

    def noted(wire: Wire, method: str, path: str, payload: Any) -> Any:
        sent.paths.add(path.partition("?")[0])
        return call(wire, method, path, payload)

    def streamed(wire: Wire, path: str, payload: Any, most: int) -> Stream:
        sent.paths.add(path)
        sent.requests.append(payload)
        return stream(wire, path, payload, most)

    with patch.object(Wire, "_call", noted), patch.object(Wire, "stream", streamed):
        yield sent


def check(request: dict[str, Any], dialect: Dialect) -> None:
    """Hold one request to what its server needs."""
    assert isinstance(request["prompt"], list) == dialect.takes_ids, "token ids where they are taken"
    begin = request["prompt"][:2]
    assert not dialect.takes_ids or begin[0] != begin[-1] or len(begin) < 2, "no doubled begin token"
    missing = {*dialect.samplers.values(), *dialect.extras, dialect.limit} - {*request}
    assert not missing, f"{missing} are left to the server"


def moves(requests: list[dict[str, Any]], dialect: Dialect) -> bool:
    """Tell whether the server was let move what its cache holds."""
    return bool(dialect.reuse) and any(request[dialect.reuse] for request in requests)
