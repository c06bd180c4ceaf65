"""One thread for everything that computes.

OpenMP keeps a team of threads for each thread that calls it. Were prompts fed in one thread and tokens decoded in
another, two teams would wait for each other's cores: a third of the speed [measured]. And while the work is done
elsewhere, the main thread is free to notice Ctrl-C.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

Job = tuple[Callable[..., Any], tuple[Any, ...]]

# A signal handler runs only between two steps of Python; on Windows a wait without end would never take one.
WAKE_UP = 0.2  # seconds


class Worker:
    """Runs calls in its thread, one at a time; costs some ten microseconds a call."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The function's result, or what it raised. Not left before the function has ended."""
        self._jobs.put((function, arguments))
        interrupted: BaseException | None = None
        while True:
            try:
                result, error = self._results.get(timeout=WAKE_UP)
                break
            except Empty:
                continue
            except KeyboardInterrupt as interrupt:
                interrupted = interrupt  # the result must not be taken for that of the next call
        if error or interrupted:
            raise (error or interrupted)  # type: ignore[misc]
        return result

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while job := self._jobs.get():
            function, arguments = job
            try:
                self._results.put((function(*arguments), None))
            except BaseException as error:  # handed to the caller, who raises it
                self._results.put((None, error))
