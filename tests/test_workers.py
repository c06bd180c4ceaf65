"""Waiting for threads where signals come."""

import signal
import sys
import threading
from types import FrameType

import pytest

from advrepl.engines.llama.threads import run_in_thread
from advrepl.workers import Worker

LONG = 60.0  # seconds


@pytest.mark.skipif(sys.platform == "win32", reason="needs the timer of POSIX")
def test_a_join_that_is_broken_off_leaves_a_running_thread_running() -> None:
    let_end = threading.Event()
    worker = Worker(lambda: [let_end.wait(LONG)].clear(), "test")
    worker.start()
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), interrupted():
            worker.join()
        assert worker.is_alive()
    let_end.set()
    worker.join()
    assert not worker.is_alive()


@pytest.mark.skipif(sys.platform == "win32", reason="needs the timer of POSIX")
def test_an_interrupt_waits_for_the_call_that_runs_in_a_thread() -> None:
    let_end, ended = threading.Event(), list[bool]()

    def call() -> None:
        let_end.wait(LONG)
        ended.append(True)

    threading.Timer(0.5, let_end.set).start()
    with pytest.raises(KeyboardInterrupt), interrupted():
        run_in_thread(call)
    assert ended


def test_nobody_waits_for_a_thread_that_has_not_begun() -> None:
    worker = Worker(lambda: None, "test")
    worker.join()
    assert not worker.is_alive()


class interrupted:
    """A Ctrl-C comes after a moment."""

    def __enter__(self) -> None:
        def raised(_number: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        self._before = signal.signal(signal.SIGALRM, raised)
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
