"""Prefetch replies: in which order they are generated, when that pauses, what is kept of it.

All is generated in one worker thread that ends whenever it pauses (llama/threads.py says why), so that at most one
thread is in the engine. What is generated is the game's affair; how a branch is decoded the engine's.
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

# How far each reply is generated before any goes on, and in the end the likeliest to its end. First words enough to
# begin with, as the rest comes faster than it is read; then some that bridge a slow moment.
SHARES = (4, 16)  # steps: one for each chunk that is prefilled, one for each token
QUICK = 1.0  # seconds; a refresh that takes no longer comes before everything else


@dataclass(frozen=True)
class PrefetchJob(Generic[E]):
    """Describe a reply that may be asked for under this key, and how an engine writes it."""

    key: object
    write: Callable[[Engine], Iterator[E]]
    later: bool = False  # only when all others are there


@dataclass(frozen=True)
class Taken(Generic[E]):
    """Hold a prefetched reply: what there was of it when it was asked for, and what is still to come."""

    done: Sequence[E]
    events: Iterator[E]


@dataclass(eq=False)
class Slot(Generic[E]):
    """Hold a branch and what it does, as far as it came."""

    branch: Branch
    events: Iterator[E]
    job: PrefetchJob[E] | None = None  # None: it prefills for the story itself
    done: list[E] = field(default_factory=list)
    steps: int = 0  # how often it was served
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
        """Let the generator of the events end, if it is one."""
        getattr(self.events, "close", lambda: None)()


class Prefetcher(Generic[E]):
    """Generate the replies that one game may ask for next.

    To be called by the thread that plays, but for `hold`, which may come from any; `changed` is called in the worker.
    """

    def __init__(self, engine: "Branching[Any]", changed: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self.changed = changed  # called from the worker when all is written
        self._jobs: list[PrefetchJob[E]] = []  # not begun
        self._planned: list[object] | None = None
        self._slots: list[Slot[E]] = []
        self._prime: Slot[Any] | None = None  # prefills the window that comes next
        self._refresh: Slot[Any] | None = None  # prefills anew what was moved
        self._refresh_left = 0  # tokens that the refresh had to prefill when it was planned
        self._worker: threading.Thread | None = None
        self._writing = False
        self._pausing = False
        self._error: BaseException | None = None
        self._prefill_seconds = float("inf")  # for a token

    @property
    def state(self) -> str:
        """Return "writing", "ready" when all that was planned is there, or "idle"."""
        if self._writing and not self._pausing:
            return "writing"
        return "ready" if self._slots and all(slot.over for slot in self._slots) else "idle"

    @property
    def slots(self) -> Sequence[Slot[Any]]:
        """Return what there is at this moment: what prefills for the story, then the replies that were begun."""
        return [*filter(None, (self._prime, self._refresh)), *self._slots]

    # --- from the thread that plays

    def plan(self, window: Window, jobs: Sequence[PrefetchJob[E]]) -> bool:
        """Plan what to generate next, the likeliest first; `window`: the shortest that can come now.

        Nothing changes where the same was planned before. Nothing is generated before `resume`. Returns whether the
        whole window has to be read for it.
        """
        keys = [job.key for job in jobs]
        if keys == self._planned:
            return False
        self.drop()
        self._planned = keys
        missing = self._engine.prepare(window)
        self._jobs = list(jobs)[: self._engine.branches - 1]  # one is left to prime or refresh
        if missing or not self._engine.shifted:
            self._forget_refresh()
        if missing:
            branch = self._engine.branch()
            self._prime = Slot(branch, self._engine.prime(branch))
        elif self._refresh:
            self._begin_refresh(self._refresh.branch)
        return bool(missing and self._engine.stats.whole)

    def resume(self) -> None:
        """Generate until told otherwise."""
        self.pause()
        self._pausing, self._writing = False, True
        self._engine.clear_cancel()
        self._worker = threading.Thread(target=self._work, name="advrepl-prefetch")
        self._worker.start()

    def hold(self) -> None:
        """Stop within milliseconds, without waiting for it; from any thread."""
        self._pausing = True
        if self._worker and self._worker.is_alive():
            self._engine.cancel()

    def pause(self) -> None:
        """Stop, and wait until it has; raises what the worker failed with, unless a reply will tell it."""
        self.hold()
        if self._worker:
            self._worker.join()
            self._worker = None
        if error := self._error:
            self._error = None
            raise error

    def take(self, key: object) -> Taken[E] | None:
        """Return the reply under this key, with which the engine goes on; all others are dropped. None: not begun."""
        self.pause()
        slot = next((slot for slot in self._slots if slot.job and slot.job.key == key and not slot.broken), None)
        if slot:
            self._slots.remove(slot)
        self.drop()
        if not slot:
            return None
        self._engine.take(slot.branch)
        self._engine.clear_cancel()
        return Taken(slot.done, slot.events)

    def settle(self) -> None:
        """Pause, and let the cache hold what the story itself has and nothing else, as to put it away."""
        self.pause()
        self._engine.settle()

    def drop(self) -> None:
        """Forget the replies; what was prefilled for the story itself is kept."""
        self.pause()
        self._take_prime()
        for slot in self._slots:
            slot.close()
            self._engine.drop(slot.branch)
        self._slots, self._jobs, self._planned = [], [], None

    def close(self) -> None:
        """Forget everything; nothing is left of it in the cache."""
        self.drop()
        self._forget_refresh()

    # --- in the worker

    def _work(self) -> None:
        try:
            while not self._pausing and (slot := self._next()):
                self._serve(slot)
        except AdvreplError:
            pass  # the reply is generated, and the error told, when it is asked for
        except BaseException as error:  # raised where it is waited for
            self._error = error
        self._writing = False
        if not self._pausing:
            self.changed()

    def _next(self) -> Slot[Any] | None:
        """Return what is served now; None: all is done, or there is no room for more."""
        if self._prime:
            if not self._prime.over:
                return self._prime
            self._take_prime()
        quick = self._refresh_left * self._prefill_seconds <= QUICK
        if self._refresh and self._jobs and quick and self._refresh_goes_on():
            return self._refresh
        while self._jobs:
            job = self._jobs.pop(0)
            branch = self._engine.branch()
            self._slots.append(Slot(branch, job.write(branch), job))
        for later in (False, True):
            live = [slot for slot in self._slots if slot.job and slot.job.later == later and not slot.over]
            if live:
                return next((slot for share in SHARES for slot in live if slot.steps < share), live[0])
        return self._refresh if self._refresh_goes_on() else None

    def _serve(self, slot: Slot[Any]) -> None:
        self._engine.enter(slot.branch)
        if tokens := len(slot.branch.waiting):
            started = time.perf_counter()
            if not self._engine.serve(slot.branch):
                return
            if tokens > 1:
                self._prefill_seconds = (time.perf_counter() - started) / tokens
        slot.steps += 1
        slot.advance()

    # --- the story's own cache

    def _take_prime(self) -> None:
        """Let the engine have what was prefilled of the coming window, whole or not."""
        if slot := self._prime:
            self._prime = None
            slot.close()
            self._engine.take(slot.branch)

    def _refresh_goes_on(self) -> bool:
        """Tell whether there are tokens to be prefilled anew, and room for them; when all are, the engine has them."""
        if self._refresh is None and self._engine.shifted and self._engine.spare:
            self._begin_refresh(self._engine.branch_unshifted())
        slot = self._refresh
        if not slot:
            return False
        if not slot.over:
            return slot.branch.n_own + self._refresh_left <= self._engine.spare
        self._engine.adopt_refreshed(slot.branch)
        self._forget_refresh()
        return False

    def _begin_refresh(self, branch: Branch) -> None:
        """Let the branch prefill what the engine has cached by now; what it has of that already stays."""
        self._refresh = Slot(branch, self._engine.refresh(branch))
        self._refresh_left = self._engine.refresh_left(branch)
        self._refresh.over = not self._refresh_left

    def _forget_refresh(self) -> None:
        if self._refresh:
            self._refresh.close()
            self._engine.drop(self._refresh.branch)
            self._refresh = None
