"""advrepl as another program plays it: a process that talks JSON lines (docs/design.md, "The command line").

Times are taken here, at the reader's end.
"""

import json
import os
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests import ROOT
from tests.bench.setup import program

AT_ONCE = 0.1  # seconds: what is there by then is there at once for a reader


@dataclass
class Heard:
    """A reply, and when its parts came, in seconds after the line was sent."""

    first: float = 0.0
    second: float = 0.0  # its second piece
    last: float = 0.0  # its last piece
    whole: float = 0.0
    at_once: float = 0.0  # share of the text that came within AT_ONCE
    text: str = ""
    options: list[str] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)

    @property
    def fed(self) -> int:
        return int(self.stats["prompt"] - self.stats["reused"])


class Program:
    """`advrepl` with these arguments; used in a `with`, it is gone at the end of that."""

    def __init__(self, *arguments: str, home: Path) -> None:
        self.started = time.perf_counter()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, it lives as long as this does
        environment = os.environ | {"ADVREPL_HOME": str(home), "PYTHONPATH": str(ROOT)}
        self._child = subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, bufsize=1, env=environment,
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []

    def command(self, *arguments: str) -> list[str]:
        return program(*arguments, "--json")

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind:
            self._child.kill()
        self.leave()

    def ready(self, opening: bool = True) -> float:
        """Wait until it can be talked to, and its opening is there; how long that took from its start on."""
        event = self._until("ready")
        took = time.perf_counter() - self.started
        if opening and event["opening"]:
            self._until("reply")
        return took

    def say(self, line: str) -> Heard:
        return self.listen(self.send(line))

    def send(self, line: str) -> float:
        assert self._child.stdin
        sent = time.perf_counter()
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        return sent

    def listen(self, sent: float) -> Heard:
        """Take in the reply to a line that was sent then."""
        heard, early = Heard(), 0
        while True:
            event = self._next()
            now = time.perf_counter() - sent
            if event["event"] == "piece":
                heard.second = heard.second or (now if heard.first else 0.0)
                heard.first, heard.last = heard.first or now, now
                early += len(event["text"]) if now <= AT_ONCE else 0
            elif event["event"] == "reply":
                heard.whole, heard.text = now, event["text"]
                heard.options, heard.stats = event["options"], event["stats"]
                heard.at_once = early / max(len(heard.text), 1)
                return heard
            elif event["event"] == "error":
                raise SystemExit(f"advrepl: {event['text']}")

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def resident(self) -> int:
        """Bytes of memory it takes."""
        import psutil

        return int(psutil.Process(self._child.pid).memory_info().rss)

    def leave(self) -> float:
        """End its input; how long it took to leave."""
        assert self._child.stdin and self._child.stdout
        asked = time.perf_counter()
        with suppress(BrokenPipeError):
            self._child.stdin.close()
        self._child.wait()
        took = time.perf_counter() - asked
        self._child.stdout.close()
        self._errors.close()
        return took

    def _until(self, name: str) -> dict[str, Any]:
        while (event := self._next())["event"] != name:
            if event["event"] == "error":
                raise SystemExit(f"advrepl: {event['text']}")
        return event

    def _next(self) -> dict[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            self._child.wait()
            self._errors.seek(0)
            raise SystemExit(f"advrepl ended: {self._errors.read()[-1000:].strip()}")
        self.events.append(json.loads(line))
        return self.events[-1]
