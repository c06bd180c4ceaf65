"""Branches of llama.cpp's cache, so that replies can be written before they are asked for.

Only one branch lies in the cache at a time, in the cells where it would lie had it been asked for; the others wait in
memory. In other cells attention adds up in another order and rounds differently [measured: KL 2e-3 nats, half of the
replies come out otherwise]. So a reply is the same, word for word, whether it was written ahead or not.
Does not decide what is written, nor when (ahead.py).
"""

from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from typing import Any

from advrepl import AdvreplError
from advrepl.engines.base import Feeding
from advrepl.engines.generation import SequenceState
from advrepl.engines.kv.reuse import Plan, common_prefix
from advrepl.engines.llama.context import AFRESH, LANE, STORY, Loaded
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.prompt.segments import Window


class BranchingEngine(LlamaEngine):
    """An engine whose line can branch (base.Branching)."""

    def __init__(self, loaded: Loaded, *, shift: bool = True) -> None:
        super().__init__(loaded, shift=shift)
        self.branches, self.spare = loaded.branches, loaded.spare
        self._missing: list[int] = []  # tokens of the coming window
        self._inside: LlamaBranch | None = None  # the branch whose tokens are in the cache
        self._lifted: tuple[int, Any] | None = None  # what it took the place of: from which position on, and the cells

    def prepare(self, window: Window) -> int:
        wanted = self.follow(window)
        new = sum(map(self.count, chain(*window.prompt.blocks[-1:], window.prompt.cue)))
        missing = wanted[len(self.sequence.cached) : len(wanted) - new]
        # Whole chunks only, so that all is read in the chunks in which it would be read later: other borders between
        # them round differently too.
        self._missing = missing[: len(missing) // self.model.chunk * self.model.chunk]
        return len(self._missing)

    def branch(self) -> "LlamaBranch":
        return LlamaBranch(self, self.model, self.sequence.copy(LANE))

    def prime(self, branch: "LlamaBranch") -> Iterator[str]:
        return branch.read(self._missing)

    def straight(self) -> "LlamaBranch":
        self.model.copy(STORY, AFRESH)
        branch = LlamaBranch(self, self.model, self.sequence.copy(AFRESH))
        if self.sequence.unshifted is not None:
            branch.cut(self.sequence.unshifted)
        return branch

    def refresh(self, branch: "LlamaBranch") -> Iterator[str]:
        held = self.sequence.cached
        branch.cut(common_prefix(branch.content, held))
        return branch.read(held[len(branch.content) :])

    def behind(self, branch: "LlamaBranch") -> int:
        return len(self.sequence.cached) - len(branch.content)

    def renew(self, branch: "LlamaBranch") -> None:
        self.settle()
        self.model.copy(AFRESH, STORY)
        self.sequence.unshifted = None

    def enter(self, branch: "LlamaBranch") -> None:
        if branch is self._inside or branch.seq_id == AFRESH:
            return
        self.settle()
        self.model.copy(STORY, LANE)
        self.clear(branch.shared)
        if branch.tail is not None and not self.model.lay(LANE, branch.shared, branch.tail):
            self._empty()
            raise AdvreplError("llama.cpp could not take up what was written ahead: /retry writes it again")
        self._inside, branch.tail = branch, None

    def clear(self, start: int) -> None:
        """Make room for the branch in the cache where its tokens differ from the engine's own, from `start` on."""
        if self._lifted and start < self._lifted[0]:
            self._put_back()
        if not self._lifted and start < len(self.sequence.cached):
            self.model.remove(start, -1, LANE)
            if self.model.turning:  # what is taken out would never be turned
                self._turn()
            self._lifted = start, self.model.lift(STORY, start)

    def settle(self) -> None:
        if branch := self._inside:
            branch.tail = self.model.lift(LANE, branch.shared) if branch.own else None
            self._empty()

    def serve(self, branch: "LlamaBranch") -> bool:
        done = self.model.decode_here(branch.waiting, len(branch.content), branch.seq_id)
        if done:
            branch.served()
        return done

    def proceed(self) -> None:
        self.model.abort(False)

    def take(self, branch: "LlamaBranch") -> None:
        self.enter(branch)
        line, self._inside, self._lifted = branch.detach(), None, None
        self.model.copy(LANE, STORY)
        self.model.remove(-1, -1, LANE)
        if self.sequence.unshifted is None and line.unshifted is not None:  # it was refreshed since
            line.unshifted = branch.shared
        line.seq_id = STORY
        self.sequence = line

    def drop(self, branch: "LlamaBranch") -> None:
        branch.tail = None
        if branch is self._inside:
            self._empty()
        if branch.seq_id == AFRESH:
            self.model.remove(-1, -1, AFRESH)

    def _empty(self) -> None:
        self._inside = None
        self.model.remove(-1, -1, LANE)
        self._put_back()

    def _put_back(self) -> None:
        if self._lifted:
            start, cells = self._lifted
            self._lifted = None
            if not self.model.lay(STORY, start, cells):
                self.sequence.cached = self.sequence.cached[:start]  # then it is fed again


class LlamaBranch(LlamaEngine):
    """Writes ahead: what it wants decoded waits until it is served, or until the engine goes on with it."""

    def __init__(self, engine: BranchingEngine, loaded: Loaded, line: SequenceState) -> None:
        super().__init__(loaded, shift=False)  # cells that are shared cannot be moved
        self._engine, self.sequence = engine, line
        self.shared = len(line.cached)  # so many tokens at its front are the engine's own
        self.tail: Any = None  # the cells behind them, while others lie in the cache
        self.waiting: Sequence[int] = ()
        self._requested: Sequence[int] | None = None  # what was asked for last, until it is there
        self._ahead = True

    @property
    def content(self) -> Sequence[int]:
        return self.sequence.cached

    @property
    def seq_id(self) -> int:
        return self.sequence.seq_id

    @property
    def own(self) -> int:
        return len(self.sequence.cached) - self.shared

    def cut(self, keep: int) -> None:
        self.waiting = ()  # it was to come behind what is gone
        self._reuse(Plan(keep))

    def read(self, tokens: Sequence[int]) -> Iterator[str]:
        yield from self._prefill(tokens, None)

    def served(self) -> None:
        self.sequence.cached += self.waiting
        self.waiting = ()

    def detach(self) -> SequenceState:
        """From now on it decodes by itself, if it goes on at all."""
        self._ahead = False
        return self.sequence

    def _begin(self) -> None:
        if not self._ahead:
            super()._begin()

    def _prefill(self, tokens: Sequence[int], feeding: Feeding | None) -> Generator[str, None, bool]:
        def heard(done: int, total: int) -> None:
            if feeding and not self._ahead:  # else nobody waits, and the line would stand where the player types
                feeding(done, total)

        return super()._prefill(tokens, heard)

    def _reuse(self, plan: Plan) -> None:
        super()._reuse(plan)
        if plan.keep < self.shared and self._ahead:
            self.shared = plan.keep
            if self.seq_id == LANE:
                self._engine.clear(plan.keep)

    def _decode(self, tokens: Sequence[int]) -> bool | None:
        if self._ahead and self._requested is not tokens:
            self._requested = self.waiting = tokens
        if self._requested is tokens:
            if self._ahead and self.waiting:
                return None
            served, self._requested, self.waiting = not self.waiting, None, ()
            if served:
                return True
        return super()._decode(tokens)
