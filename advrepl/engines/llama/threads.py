"""Run a long call in a thread of its own, so that the main thread notices Ctrl-C meanwhile.

The thread ends with the call, on purpose: OpenMP keeps a team of threads for each thread that has called it, and while
two teams are alive on all cores, both are a third slower [measured].
"""

from collections.abc import Callable
from typing import TypeVar

from advrepl.workers import Worker

T = TypeVar("T")

# A signal handler runs only between two steps of Python; on Windows a wait without end would never take one.
WAKE_UP = 0.2  # seconds


def run_in_thread(function: Callable[[], T]) -> T:
    """Return the function's result, or raise what it raised; not before it has ended, not even by KeyboardInterrupt."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised where it was called
            errors.append(error)

    thread = Worker(run, "advrepl-decode")
    thread.start()
    while thread.is_alive():
        try:
            thread.join(WAKE_UP)
        except KeyboardInterrupt as interrupt:
            errors.append(interrupt)
    if errors:
        raise errors[0]
    return results[0]
