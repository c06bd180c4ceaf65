"""An engine that says what follows from the prompt and the seed alone, and writes ahead as the real one does."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random

from advrepl.engines.base import PrefillProgress, Stats, until_stop
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling
from tests.conftest import ScriptedEngine

WORDS = [
    "Ash",
    "birch",
    "cedar",
    "door",
    "echo",
    "flame",
    "gate",
    "hall",
    "iron",
    "jar",
    "key",
    "lamp",
    "moon",
    "night",
    "oak",
    "path.",
]


class DeterministicEngine(ScriptedEngine):
    """Muses a few words for each call; the same for the same prompt and seed."""

    branches, spare, reads_along = 6, 5000, True

    def __init__(self, n_ctx: int = 2000) -> None:
        super().__init__(n_ctx=n_ctx, grammars=True)
        self.prepared: list[Window] = []
        self.lent = 0  # branches
        self.inside: DeterministicBranch | None = None
        self.served = 0
        self.order: list[DeterministicBranch] = []  # of those that were served

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        self._cancelled, self.stats = False, Stats(prompt=window.used, stop="stop")
        yield from until_stop(self._muse(f"{window.prompt}|{sampling.seed}", sampling.max_tokens), stop)

    def _muse(self, seed: str, limit: int) -> Iterator[str]:
        chance = Random(seed)
        self.stats.stop = "end"
        for _ in range(min(chance.randint(3, 12), limit)):
            yield from self._wait()
            if self._cancelled:
                self.stats.stop = "interrupted"
                return
            self.stats.generated += 1
            yield " " + chance.choice(WORDS)
        yield "\n"

    def _wait(self) -> Iterator[str]:
        yield from ()

    # --- base.Branching

    def prepare(self, window: Window) -> int:
        self.prepared.append(window)
        return 0

    def branch(self) -> "DeterministicBranch":
        self.lent += 1
        return DeterministicBranch(self.n_ctx)

    def enter(self, branch: "DeterministicBranch") -> None:
        self.inside = branch

    def settle(self) -> None:
        self.inside = None

    def serve(self, branch: "DeterministicBranch") -> bool:
        assert branch is self.inside
        if self._cancelled:
            return False
        branch.waiting = ()
        self.served += 1
        self.order.append(branch)
        return True

    def clear_cancel(self) -> None:
        self._cancelled = False

    def take(self, branch: "DeterministicBranch") -> None:
        branch.ahead = False
        self.lent -= 1

    def drop(self, branch: "DeterministicBranch") -> None:
        self.lent -= 1


class DeterministicBranch(DeterministicEngine):
    """Waits before each word until it is served."""

    def __init__(self, n_ctx: int) -> None:
        super().__init__(n_ctx)
        self.waiting: Sequence[int] = ()
        self.own, self.ahead, self.at_end, self.in_last_word = 0, True, True, True
        self.cached: Sequence[int] = ()

    def _wait(self) -> Iterator[str]:
        if self.ahead:
            self.waiting = (0,)
        while self.ahead and self.waiting:
            yield ""
        self.waiting = ()
