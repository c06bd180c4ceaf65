"""Prefetch replies: in which order they are generated, when that pauses, what is kept of it.

All is generated in one worker thread that ends whenever it pauses (llama/threads.py says why), so that at most one
thread is in the engine. What is generated is the game's affair; how a branch is decoded the engine's.

The line that is being typed has a slot of its own, which follows it from word to word on one branch. Keys stop all
else: on a large model no chunk fits between two of them.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from advrepl import AdvreplError
from advrepl.engines.base import Branch, Branching
from advrepl.engines.slots import PrefetchJob, Slot, Taken
from advrepl.prompt.segments import Window
from advrepl.workers import Worker

E = TypeVar("E")

# How far each reply is generated before any goes on, and in the end the likeliest to its end. First words enough to
# begin with, as the rest comes faster than it is read; then some that bridge a slow moment.
SHARES = (4, 16)  # steps: one for each chunk that is prefilled, one for each token
QUICK = 1.0  # seconds; a refresh that takes no longer comes before everything else


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
        self._line: PrefetchJob[E] | None = None  # the reply to what is being typed
        self._slide_to: Window | None = None  # for which turns have to slide out, and have not yet
        self._line_ends = False  # may the end of that be read too, which a longer line has not?
        self._line_half = False  # and its last word be half of one, which no longer line has at all?
        self._typed: Slot[E] | None = None  # what was read of it, or of what stood there before
        self._only_line = False  # is nothing else to be done, as keys are pressed?
        self._serving: Slot[Any] | None = None
        self._lock = threading.Lock()  # for the two below
        self._asked = 0  # how often something new was asked of the worker
        self._worker: Worker | None = None
        self._writing = False
        self._pausing = False
        self._error: BaseException | None = None
        self._prefill_seconds = float("inf")  # for a token
        self._spent = 0  # tokens decoded since `spent`

    @property
    def state(self) -> str:
        """Return "writing", "ready" when all that was planned is there, or "idle"."""
        if self._writing and not self._pausing and not self._only_line:
            return "writing"
        return "ready" if self._slots and all(slot.over for slot in self._slots) else "idle"

    @property
    def slots(self) -> Sequence[Slot[Any]]:
        """Return what there is at this moment: what prefills for the story, then the replies that were begun."""
        return [*filter(None, (self._prime, self._refresh, self._typed)), *self._slots]

    @property
    def is_planned(self) -> bool:
        """Tell whether replies are planned: not so after a typed line has made turns slide out."""
        return self._planned is not None

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
        self._only_line = False
        self._wake()

    def hold(self) -> None:
        """Stop within milliseconds what neither every line needs nor the one that is typed; does not wait for it."""
        self._only_line = True
        if self._serving not in (None, self._prime, self._typed):
            self._engine.cancel()

    def read(self, line: PrefetchJob[E], *, whole: bool, slide_to: Window | None = None) -> None:
        """Prefill the window of the line that is being typed, also while keys are pressed.

        `whole`: its end too, and the first words of the reply; else only what a longer line would have as well.
        `slide_to`: what the cache is to be made fit for before that, which no other reply survives.
        """
        if self._line and self._line.key == line.key:
            line = self._line
        self._slide_to = slide_to or self._slide_to
        self._line, self._line_ends, self._line_half = line, whole, whole
        self._wake()

    def revoke(self, *, all: bool = True, in_word: bool = True) -> None:
        """Stop reading the line, within milliseconds; unless `all`, only its end, as there is more of it now.

        `in_word`: its last word goes on, so that too is another one.
        """
        self._line_ends, self._line_half = False, self._line_half and in_word
        if all:
            self._line = None
        serving = self._serving
        if serving and serving is self._typed and (all or self._may_change(serving.branch)):
            self._engine.cancel()

    def _may_change(self, branch: Branch) -> bool:
        """Tell whether a longer line may have other tokens than those that are to be read now."""
        return branch.at_end or (self._line_half and not self._line_ends and branch.in_last_word)

    def pause(self, *, gently: bool = False) -> None:
        """Stop, and wait until it has; raises what the worker failed with, unless a reply will tell it.

        `gently`: what is being read of the line that was typed is not lost, as its reply is asked for.
        """
        self._pausing = True
        if worker := self._worker:
            if worker.is_alive() and not (gently and self._serving and self._serving is self._typed):
                self._engine.cancel()
            worker.join()
            self._worker = None
        if error := self._error:
            self._error = None
            raise error

    def take(self, key: object) -> Taken[E] | None:
        """Return the reply under this key, with which the engine goes on; all others are dropped. None: not begun.

        Where it was not begun, the engine goes on with what was read of the line that was typed.
        """
        self.pause()
        typed = self._typed
        slots = [*self._slots, *([typed] if typed else [])]
        slot = next((slot for slot in slots if slot.job and slot.job.key == key and not slot.broken), None)
        read = slot
        if not slot and typed and typed.branch.cached and not typed.broken:
            typed.close()
            read = typed
        self._slots = [each for each in self._slots if each is not read]
        self._typed = self._typed if self._typed is not read else None
        self.drop()
        self._spent -= slot.decoded if slot else 0
        if read:
            self._engine.take(read.branch)
            self._engine.clear_cancel()
        return Taken(slot.done, slot.events) if slot else None

    def spent(self) -> int:
        """Return how many tokens were decoded since this was last asked, beside those of the replies taken."""
        spent, self._spent = self._spent, 0
        return spent

    def settle(self) -> None:
        """Pause, and let the cache hold what the story itself has and nothing else, as to put it away."""
        self.pause()
        self._engine.settle()

    def drop(self) -> None:
        """Forget the replies; what was prefilled for the story itself is kept."""
        self.pause()
        self._line = self._slide_to = None
        self._take_prime()
        self._drop_slots()

    def close(self) -> None:
        """Forget everything; nothing is left of it in the cache."""
        self.drop()
        self._forget_refresh()

    # --- in the worker

    def _wake(self) -> None:
        """Let the worker look for something to do; another one begins if none is there."""
        with self._lock:
            self._asked += 1
            if self._writing and not self._pausing:
                return
        self.pause()
        self._pausing, self._writing = False, True
        self._engine.clear_cancel()
        self._worker = Worker(self._work, "advrepl-prefetch")
        self._worker.start()

    def _work(self) -> None:
        try:
            while not self._pausing:
                asked, slot = self._asked, self._next()
                if slot:
                    self._serve(slot)
                elif self._is_done(asked):
                    break
        except AdvreplError:
            pass  # the reply is generated, and the error told, when it is asked for
        except BaseException as error:  # raised where it is waited for
            self._error = error
        self._writing, self._serving = False, None
        if not self._pausing:
            self.changed()

    def _is_done(self, asked: int) -> bool:
        """End, unless something was asked for meanwhile."""
        with self._lock:
            self._writing = asked != self._asked
            return not self._writing

    def _next(self) -> Slot[Any] | None:
        """Return what is served now; None: all is done, or there is no room for more."""
        if window := self._slide_to:
            self._slide_to = None
            self._slide(window)
        if self._prime:
            if not self._prime.over:
                return self._prime
            self._take_prime()
        line = self._line
        typed = self._follow(line) if line else None
        if typed and self._reads_on(typed):
            return typed
        return None if self._only_line else self._next_reply(typed)

    def _next_reply(self, typed: Slot[E] | None) -> Slot[Any] | None:
        """Return the reply that is written on now, or what is prefilled anew before or after them."""
        quick = self._refresh_left * self._prefill_seconds <= QUICK
        if self._refresh and self._jobs and quick and self._refresh_goes_on():
            return self._refresh
        while self._jobs:
            job = self._jobs.pop(0)
            branch = self._engine.branch()
            self._slots = [*self._slots, Slot(branch, job.write(branch), job)]
        first = [typed] if typed and self._line_ends else []
        for later in (False, True):
            slots = [*first, *self._slots]
            live = [slot for slot in slots if slot.job and slot.job.later == later and not slot.over]
            if live:
                return next((slot for share in SHARES for slot in live if slot.steps < share), live[0])
        return self._refresh if self._refresh_goes_on() else None

    def _follow(self, line: PrefetchJob[E]) -> Slot[E]:
        """Return the slot of the typed line; its branch keeps what it has read of another one that begins alike."""
        typed = self._typed
        if typed is None or typed.job is not line:
            if typed:
                typed.close()
                typed.branch.waiting = ()
            branch = typed.branch if typed else self._engine.branch()
            self._typed = typed = Slot(branch, line.write(branch), line)
        return typed

    def _reads_on(self, typed: Slot[E]) -> bool:
        """Tell whether the typed line is read on before all else; a slot that waits for nothing has just begun."""
        more = self._line_ends and typed.steps < SHARES[0]
        return not typed.over and (more or not typed.branch.waiting or not self._may_change(typed.branch))

    def _slide(self, window: Window) -> None:
        """Let the turns slide out for which a typed line leaves no room; no reply to an option is left then."""
        self._drop_slots()
        missing = self._engine.prepare(window)
        self._forget_refresh()
        if missing:
            branch = self._engine.branch()
            self._prime = Slot(branch, self._engine.prime(branch))

    def _drop_slots(self) -> None:
        for slot in filter(None, (*self._slots, self._typed)):
            slot.close()
            self._engine.drop(slot.branch)
        self._slots, self._jobs, self._planned, self._typed = [], [], None, None

    def _serve(self, slot: Slot[Any]) -> None:
        self._serving = slot
        if self._pausing or (self._only_line and slot not in (self._prime, self._typed)):
            return  # said after this was chosen, and before it could be cancelled
        self._engine.enter(slot.branch)
        if tokens := len(slot.branch.waiting):
            started = time.perf_counter()
            if not self._engine.serve(slot.branch):
                if not self._pausing:  # it was another one that was to stop, or the line has changed
                    self._engine.clear_cancel()
                return
            slot.decoded += tokens
            self._spent += tokens
            if tokens > 1:
                self._prefill_seconds = (time.perf_counter() - started) / tokens
        slot.steps += slot.branch.at_end
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
