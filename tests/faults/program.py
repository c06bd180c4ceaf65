"""The program as a process that is hurt: what it was told, what it has shown as finished, and what is on the disk."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from advrepl.story import saves
from advrepl.story.saves import Save
from tests import ROOT, architectures

NAME = "story"
QUICK = ("--options", "0", "--max-tokens", "24", "--threads", "1", "--format", "metharme", "--json")


class Place:
    """A home with a tiny model of random weights, and one story."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saves = folder / "saves"
        self.saves.mkdir(parents=True)
        self.story = self.saves / f"{NAME}.json"
        self.model = architectures.make("llama", folder)

    def start(self, *more: str, limit: str = "", prelude: str = "pass") -> "Process":
        """Begin the story, or go on with it; `limit`: what the shell does first; `prelude`: what Python does first."""
        what = ("resume", NAME) if self.story.exists() else ("play", "start", "--save", NAME)
        return Process([*what, "-m", str(self.model), *QUICK, *more], self.folder, limit, prelude)

    def load(self) -> Save:
        return saves.load(self.story)

    def left(self) -> list[str]:
        """What lies among the stories and belongs to none."""
        known = (f"{NAME}.json", f"{NAME}.json.bak", f"{NAME}.kv")
        front = ("card~", "front~")
        return sorted(p.name for p in self.saves.iterdir() if p.name not in known and not p.name.startswith(front))


class Process:
    """One run of it, whose events are read as they come."""

    def __init__(self, arguments: Sequence[str], home: Path, limit: str = "", prelude: str = "pass") -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "ADVREPL_HOME": str(home), "ADVREPL_SAVES": str(home / "saves")}
        env.pop("ADVREPL_MODEL", None)
        command = [sys.executable, "-c", f"{prelude}; from advrepl.cli import main; main()", *arguments]
        if limit:
            command = ["sh", "-c", f'{limit}; exec "$@"', "sh", *command]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=home
        )
        self.events: list[dict[str, Any]] = []
        self._new = threading.Condition()
        assert self.child.stdout
        self._reader = threading.Thread(target=self._read, args=(self.child.stdout,), daemon=True)
        self._reader.start()

    @property
    def replies(self) -> list[str]:
        return [event["text"] for event in self.events if event["event"] == "reply"]

    def say(self, line: str) -> None:
        assert self.child.stdin
        try:
            self.child.stdin.write(line.encode() + b"\n")
            self.child.stdin.flush()
        except OSError:
            return  # it has ended

    def until(self, kind: str, count: int = 1, seconds: float = 60) -> bool:
        """Wait for so many events of a kind; False if it ends before."""
        end = time.monotonic() + seconds
        with self._new:
            while sum(event["event"] == kind for event in self.events) < count:
                if not self._reader.is_alive() or time.monotonic() > end:
                    return False
                self._new.wait(0.2)
        return True

    def end(self, seconds: float = 30) -> int:
        """Let it leave, or wait until it has ended; return its exit code."""
        assert self.child.stdin and self.child.stdout and self.child.stderr
        with suppress(OSError):
            self.child.stdin.close()
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self._reader.join()
        self.complaint = self.child.stderr.read().decode("utf-8", "replace")
        self.child.stdout.close()
        self.child.stderr.close()
        return self.child.returncode

    def _read(self, out: IO[bytes]) -> None:
        for line in out:
            with self._new:
                self.events.append(json.loads(line) if line.endswith(b"}\n") else {"event": "cut"})
                self._new.notify()
