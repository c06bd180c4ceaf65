"""Write replies before they are asked for: in which order, when to pause, what is kept of it.

All is written in one worker thread that ends whenever it pauses (aside.py says why), so that at most one thread is
in the engine. What is written, and for whom, is the game's affair; how a branch is decoded the engine's.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from advrepl import AdvreplError
from advrepl.engines.base import Branch, Branching, Engine
from advrepl.prompt.segments import Window

E = TypeVar("E")

# How far each reply is written before any goes on, and in the end the likeliest to its end. First words enough to begin
# with, as the rest comes faster than it is read; then some that bridge a slow moment.
SHARES = (4, 16)  # steps: one for what is fed, one for each token
QUICK = 1.0  # seconds; a refresh that takes no longer comes before everything else


@dataclass(frozen=True)
class Job(Generic[E]):
    """A reply that may be asked for under this key, and how an engine writes it."""

    key: object
    write: Callable[[Engine], Iterator[E]]
    later: bool = False  # only when all others are written


@dataclass(frozen=True)
class Taken(Generic[E]):
    """A reply that was begun ahead: what there was of it when it was asked for, and what is still to come."""

    done: Sequence[E]
    events: Iterator[E]


@dataclass(eq=False)
class Lane(Generic[E]):
    """A branch and what it does, as far as it came."""

    branch: Branch
    events: Iterator[E]
    job: Job[E] | None = None
    done: list[E] = field(default_factory=list)
    steps: int = 0
    over: bool = False
    broken: bool = False

    def advance(self) -> None:
        """Go on until it waits to be served, or ends."""
        try:
            for event in self.events:
                if self.branch.waiting:
                    return
                self.done.append(event)
        except AdvreplError:
            self.broken = True  # it will be told when the same is asked for in earnest
        self.over = True

    def close(self) -> None:
        getattr(self.events, "close", lambda: None)()


class Ahead(Generic[E]):
    """The replies that are being written ahead of one game."""

    def __init__(self, engine: "Branching[Any]", changed: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self.changed = changed  # called from the worker when all is written
        self._jobs: list[Job[E]] = []  # not begun
        self._planned: list[object] | None = None
        self._lanes: list[Lane[E]] = []
        self._prime: Lane[Any] | None = None  # reads the window that comes next
        self._refresh: Lane[Any] | None = None  # reads again what was moved
        self._behind = 0  # tokens that the refresh had to read when it was planned
        self._worker: threading.Thread | None = None
        self._writing = False
        self._pausing = False
        self._error: BaseException | None = None
        self._reading = float("inf")  # seconds for a token of those that are fed

    @property
    def state(self) -> str:
        """ "writing", "ready" when all that was planned is written, or "idle"."""
        if self._writing and not self._pausing:
            return "writing"
        return "ready" if self._lanes and all(lane.over for lane in self._lanes) else "idle"

    # --- from the thread that plays

    def plan(self, window: Window, jobs: Sequence[Job[E]]) -> None:
        """What to write next, the likeliest first; `window`: the shortest that can come now.

        Nothing changes where the same was planned before.
        """
        keys = [job.key for job in jobs]
        if keys == self._planned:
            return
        self.drop()
        self._planned = keys
        missing = self._engine.prepare(window)
        self._jobs = list(jobs)[: self._engine.branches - 1]  # one is left to prime or refresh
        if missing or not self._engine.shifted:
            self._forget_refresh()
        if missing:
            branch = self._engine.branch()
            self._prime = Lane(branch, self._engine.prime(branch))
        elif self._refresh:
            self._begin_refresh(self._refresh.branch)

    def resume(self) -> None:
        """Write until told otherwise."""
        self.pause()
        self._pausing, self._writing = False, True
        self._engine.proceed()
        self._worker = threading.Thread(target=self._work, name="advrepl-ahead")
        self._worker.start()

    def hold(self) -> None:
        """Stop within milliseconds, without waiting for it."""
        self._pausing = True
        if self._worker and self._worker.is_alive():
            self._engine.cancel()

    def pause(self) -> None:
        """Stop, and wait until it has."""
        self.hold()
        if self._worker:
            self._worker.join()
            self._worker = None
        if error := self._error:
            self._error = None
            raise error

    def take(self, key: object) -> Taken[E] | None:
        """The reply under this key, which the engine goes on with; all others are dropped."""
        self.pause()
        lane = next((lane for lane in self._lanes if lane.job and lane.job.key == key and not lane.broken), None)
        if lane:
            self._lanes.remove(lane)
        self.drop()
        if not lane:
            return None
        self._engine.take(lane.branch)
        self._engine.proceed()
        return Taken(lane.done, lane.events)

    def settle(self) -> None:
        """Let the engine hold its own and nothing else, for a while."""
        self.pause()
        self._engine.settle()

    def drop(self) -> None:
        """Forget what was written; what was read is kept."""
        self.pause()
        self._keep_prime()
        for lane in self._lanes:
            lane.close()
            self._engine.drop(lane.branch)
        self._lanes, self._jobs, self._planned = [], [], None

    def close(self) -> None:
        self.drop()
        self._forget_refresh()

    # --- in the worker

    def _work(self) -> None:
        try:
            while not self._pausing and (lane := self._next()):
                self._serve(lane)
        except AdvreplError:
            pass  # the reply is written, and the error told, when it is asked for
        except BaseException as error:  # raised where it is waited for
            self._error = error
        self._writing = False
        if not self._pausing:
            self.changed()

    def _next(self) -> Lane[Any] | None:
        """What is served now; None: all is done, or there is no room for more."""
        if self._prime:
            if not self._prime.over:
                return self._prime
            self._keep_prime()
        if self._refresh and self._jobs and self._behind * self._reading <= QUICK and self._refreshed():
            return self._refresh
        while self._jobs:
            job = self._jobs.pop(0)
            branch = self._engine.branch()
            self._lanes.append(Lane(branch, job.write(branch), job))
        for later in (False, True):
            live = [lane for lane in self._lanes if lane.job and lane.job.later == later and not lane.over]
            if live:
                return next((lane for share in SHARES for lane in live if lane.steps < share), live[0])
        return self._refresh if self._refreshed() else None

    def _serve(self, lane: Lane[Any]) -> None:
        self._engine.enter(lane.branch)
        if tokens := len(lane.branch.waiting):
            started = time.perf_counter()
            if not self._engine.serve(lane.branch):
                return
            if tokens > 1:
                self._reading = (time.perf_counter() - started) / tokens
        lane.steps += 1
        lane.advance()

    # --- the story's own cache

    def _keep_prime(self) -> None:
        """What was read of the coming window is the engine's from now on, whole or not."""
        if lane := self._prime:
            self._prime = None
            lane.close()
            self._engine.take(lane.branch)

    def _refreshed(self) -> bool:
        """Is there something to be fed again? When all is, the story goes on with that."""
        if self._refresh is None and self._engine.shifted:
            self._begin_refresh(self._engine.straight())
        lane = self._refresh
        if not lane:
            return False
        if not lane.over:
            return lane.branch.own + self._behind <= self._engine.spare
        self._engine.renew(lane.branch)
        self._forget_refresh()
        return False

    def _begin_refresh(self, branch: Branch) -> None:
        """Let the branch read what the engine holds by now; what it has read of that already stays."""
        self._refresh = Lane(branch, self._engine.refresh(branch))
        self._behind = self._engine.behind(branch)
        self._refresh.over = not self._behind

    def _forget_refresh(self) -> None:
        if self._refresh:
            self._refresh.close()
            self._engine.drop(self._refresh.branch)
            self._refresh = None
