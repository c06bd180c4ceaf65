"""Run chat templates in a child process, which is ended when one takes too long or too much memory.

They are programs by strangers. Does not know what is rendered (template.py) nor with what (rendering.py).
"""

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import advrepl
from advrepl import AdvreplError

SECONDS = 4.0  # of the processor: a real template takes milliseconds, the start of the child some tenths of a second
WALL_SECONDS = 120.0  # a busy machine may serve others first
MEMORY = 256 << 20  # bytes in use; on Linux and macOS the child's own limit is met first
WATCHED_EACH = 0.05  # seconds
LONGEST_ANSWER = 1 << 26  # bytes


class TemplateRefusal(Exception):
    """A template refuses these messages; others may do."""


class TemplateRunner:
    """Renders templates in one child, which lives as long as the program does."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def render(self, source: str, messages: list[dict[str, Any]], more: dict[str, Any]) -> str:
        """Return the text; raises TemplateRefusal, and AdvreplError for a template that can never be used."""
        with self._lock:
            said = self._ask({"source": source, "messages": messages, "more": more})
        if "unreadable" in said:
            raise AdvreplError(
                f"the model's chat template cannot be read ({said['unreadable']}): choose another with --format"
            )
        if "refused" in said:
            raise TemplateRefusal(said["refused"])
        return said["text"]

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child and child.stdin and child.stdout:
            child.kill()
            with suppress(OSError):  # what it was not told any more
                child.stdin.close()
            child.stdout.close()
            child.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, str]:
        child = self._child or self._start()
        assert child.stdin and child.stdout
        over, ended = threading.Event(), list[str]()
        watcher = threading.Thread(target=_watch, args=(child, over, ended), daemon=True)
        watcher.start()
        try:
            with suppress(OSError):  # it has ended: then there is no answer
                child.stdin.write(json.dumps(request).encode() + b"\n")
                child.stdin.flush()
            line = child.stdout.readline(LONGEST_ANSWER)
        except BaseException:  # also Ctrl-C: its answer would be taken for the next one's
            self.close()
            raise
        finally:
            over.set()
            watcher.join()
        if not line.endswith(b"\n"):
            self.close()
            raise AdvreplError(
                f"the model's chat template {ended[0] if ended else 'ends the process that runs it'}: "
                "choose another with --format"
            )
        said: dict[str, str] = json.loads(line)
        return said

    def _start(self) -> subprocess.Popen[bytes]:
        # It must find this package wherever it is started from, and nothing else there: -P leaves out the folder.
        path = os.pathsep.join([str(Path(advrepl.__file__).parent.parent), *filter(None, sys.path)])
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "advrepl.prompt.rendering"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # the Ctrl-C of a terminal is not for it
            )
        except OSError as error:
            raise AdvreplError(f"the model's chat template cannot be run: {error.strerror}") from error
        return self._child


@cache
def shared() -> TemplateRunner:
    """Return the one runner of this process."""
    runner = TemplateRunner()
    atexit.register(runner.close)
    return runner


def _watch(child: subprocess.Popen[bytes], over: threading.Event, ended: list[str]) -> None:
    """End the child when it takes too much; `ended` then says what of."""
    import psutil  # six milliseconds, which no start of the program waits for

    late, used = time.monotonic() + WALL_SECONDS, -1.0
    while not over.wait(WATCHED_EACH):
        with suppress(psutil.Error):
            process = psutil.Process(child.pid)
            if process.memory_info().rss > MEMORY:
                ended.append("takes too much memory")
            times = process.cpu_times()
            used = times.user + times.system if used < 0 else used  # by those before
            if times.user + times.system - used > SECONDS:
                ended.append("takes too long")
        if time.monotonic() > late:
            ended.append("takes too long")
        if ended:
            child.kill()
            return
