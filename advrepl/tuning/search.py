"""Find what makes a model fastest on this machine: threads, repacking, flash attention, batches, loading, GPU layers.

One axis after the other, from the defaults; the candidates of an axis take turns, so that a machine whose speed drifts
is fair to all. Does not decide (axes.py), print (cli/tune.py) or keep what was found (store.py).
"""

import math
import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct, field

from advrepl import AdvreplError
from advrepl.engines.base import UNTUNED, LoadOptions, Tuning
from advrepl.engines.llama.loading import has_gpu, header_number
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.tuning.axes import AXES, Axis, Measured, Run, Situation, hopeless, typical, uses, variation
from advrepl.tuning.bench import LINES, Progress
from advrepl.tuning.store import in_words

SECONDS = 30.0
# What a model gets with which a turn takes so long that half a minute shows nothing but threads, as a 7B on two cores.
SLOW_TURN, SECONDS_IF_SLOW = 10.0, 90.0
CTX = 1536  # enough for the longest run
ROUNDS, FEWEST = 5, 2  # runs of each candidate
CHECK = 0.25  # of the time, for comparing what was found with the defaults
RUN_SHARE = 0.01  # of the time, to prefill in one run, and as much to generate
PREFILL, GENERATE = (24, 256), (6, 48)  # tokens of a run, least and most
SLOW = 4.0  # a run that lasts so many times as long as the best is ended
PATIENCE = 0.15  # of the time; a run is ended then, whatever the others were
GPU_SHARES = (0.75, 0.5, 0.25, 0.0)  # of the layers, where not all fit

LATE = "not done in time"  # its rates are at most those
RELOAD = ("repack", "load", "gpu_layers")  # what a model cannot change once it is loaded


class Row(msgspec.Struct, frozen=True):
    """One candidate and what was measured: medians, tokens a second."""

    axis: str
    candidate: str
    prefill: float | None = None
    generate: float | None = None
    memory_mb: float | None = None  # that loading it added, if it was loaded for this
    runs: int = 0
    chosen: bool = False
    note: str = ""


class TuneResult(msgspec.Struct, frozen=True):
    """What was found."""

    model: str
    fingerprint: str
    tuning: Tuning
    faster: float  # a turn with it against one with the defaults; 1: no difference
    variation: float  # (most - least) / median of runs of the same
    others: float  # share of the machine's cores that other programs used meanwhile
    seconds: float
    rows: list[Row]


class Watch:
    """How much of the machine other programs use from now on."""

    def __init__(self) -> None:
        self._start = self._times()

    def others(self) -> float:
        """Return the share of all cores that other programs have used since then, 0 to 1."""
        all, idle, own = (now - before for now, before in zip(self._times(), self._start, strict=True))
        return min(max((all - idle - own) / max(all, 1e-9), 0.0), 1.0)

    @staticmethod
    def _times() -> tuple[float, float, float]:
        times = psutil.cpu_times()
        return sum(times[:8]), times.idle + getattr(times, "iowait", 0.0), sum(psutil.Process().cpu_times()[:2])


class Runner(Struct):
    """A candidate while it is measured."""

    label: str
    tuning: Tuning
    loaded: LlamaModel
    memory_mb: float | None = None
    cold: Run | None = None  # the first after loading, which counts for nothing
    runs: list[Run] = field(default_factory=list)
    note: str = ""


class Search:
    """One run of about so many seconds; None: as many as the model needs.

    `stop` may come from a signal handler: what is running ends, and `run` raises KeyboardInterrupt.
    """

    def __init__(self, path: Path, ctx: int | None, seconds: float | None, log: Log, progress: Progress) -> None:
        self._path, self._log, self._progress, self._started = path, log, progress, time.perf_counter()
        self._seconds, self._given = seconds or SECONDS, seconds is not None
        self._ctx = ctx
        self._stopped = False
        self._open: list[LlamaModel] = []
        self._rows: list[Row] = []
        self._gains: list[float] = []
        self._variations: list[float] = []

    def stop(self) -> None:
        """End the search soon; from a signal handler or any thread."""
        self._stopped = True
        for loaded in self._open:
            loaded.abort(True)

    def run(self) -> TuneResult:
        """Search, and return what was found.

        Raises KeyboardInterrupt after `stop`, AdvreplError if the model cannot be loaded.
        """
        started, watch = self._started, Watch()
        try:
            self._ctx = self._ctx or min(header_number(self._path, self._log, "context_length") or CTX, CTX)
            base = first = self._first()
            slow = base.cold if base.cold and base.cold.ended else None
            rates = slow or self.run_once(base.loaded, PREFILL[0], GENERATE[0])
            if not self._given and rates.turns * SLOW_TURN < 1:
                self._seconds = SECONDS_IF_SLOW
            self._deadline = started + self._seconds * (1 - CHECK)
            self._size_runs(rates)
            situation = Situation(self._path, base.loaded.on_gpu)
            axes = [axis for make in AXES if (axis := make(situation))]
            for index, axis in enumerate(axes):
                base = self._try(axis, base, len(axes) - index)
            self._deadline = started + self._seconds
            tuning, faster = self._check(first.tuning, base)
            name, fingerprint = base.loaded.name, base.loaded.fingerprint
            varied = statistics.median(self._variations or [0.0])
            seconds = time.perf_counter() - started
            return TuneResult(name, fingerprint, tuning, faster, varied, watch.others(), seconds, self._rows)
        finally:
            for loaded in self._open:
                loaded.close()

    def _say(self, doing: str) -> None:
        self._progress(doing, min(time.perf_counter() - self._started, self._seconds), self._seconds)

    # --- loading

    def _first(self) -> Runner:
        """The defaults; on a GPU that cannot hold all layers, as many as it can."""
        try:
            return self._load("defaults", UNTUNED)
        except AdvreplError:
            layers = header_number(self._path, self._log, "block_count")
            for share in GPU_SHARES if has_gpu() and layers else ():
                tuning = Tuning(gpu_layers=int(layers * share))
                with suppress(AdvreplError):
                    return self._load(in_words(tuning), tuning)
            raise

    def _load(self, label: str, tuning: Tuning) -> Runner:
        self._say(f"loading: {label}")
        before = psutil.Process().memory_info().rss
        try:
            loaded = LlamaModel(self._path, self._with(tuning), self._log, lambda _: not self._stopped)
        except AdvreplError:
            if self._stopped:
                raise KeyboardInterrupt from None
            raise
        self._open.append(loaded)
        cold = self.run_once(loaded, PREFILL[0], GENERATE[0])  # touches all weights
        memory = (psutil.Process().memory_info().rss - before) / 1e6
        return Runner(label, tuning, loaded, memory, cold)

    def _with(self, tuning: Tuning) -> LoadOptions:
        return LoadOptions(ctx=self._ctx, tuning=tuning)

    def _close(self, runner: Runner) -> None:
        self._open.remove(runner.loaded)
        runner.loaded.close()

    # --- measuring

    def _size_runs(self, rates: Run) -> None:
        self._rates, share = rates, self._seconds * RUN_SHARE
        self._prefill = min(max(int(rates.prefill * share), PREFILL[0]), PREFILL[1])
        self._generate = min(max(int(rates.generate * share), GENERATE[0]), GENERATE[1])

    def run_once(self, loaded: LlamaModel, prefill: int, generate: int, limit: float = math.inf) -> Run:
        """Prefill and generate so many tokens.

        Two threads on a core that is busy can be twenty times slower than one: such
        a run is ended after `limit` seconds.
        """
        tokens = loaded.vocab.plain("\n".join(LINES) * 64)[:prefill]
        loaded.remove(0, -1)
        loaded.abort(self._stopped)
        ender = threading.Timer(min(limit, self._seconds * PATIENCE), loaded.abort, [True])
        ender.start()
        started = time.perf_counter()
        fed = written = 0
        while fed < prefill and loaded.decode(tokens[fed : fed + loaded.chunk], fed):
            fed = min(fed + loaded.chunk, prefill)
        middle = time.perf_counter()
        while fed == prefill and written < generate and loaded.decode([tokens[written % prefill]], prefill + written):
            written += 1
        ended = time.perf_counter()
        ender.cancel()
        if self._stopped:
            raise KeyboardInterrupt
        # Of a run that was ended, at most what it could have been; no model writes faster than it reads.
        reading = min(fed + loaded.chunk, prefill) / (middle - started)
        writing = min(written + 1, generate) / (ended - middle) if fed == prefill else reading
        return Run(reading, writing, ended=written < generate)

    def _try(self, axis: Axis, base: Runner, axes_left: int) -> Runner:
        """Measure an axis, and return what to go on with."""
        runners = self._measure(axis, base, axes_left)
        return self._settle(axis, runners) if runners else base

    def _measure(self, axis: Axis, base: Runner, axes_left: int) -> list[Runner]:
        """Take turns with the candidates; none if they do not fit the memory or the time."""
        now = time.perf_counter()
        most = base.loaded.n_ctx - GENERATE[1]
        tokens = min(axis.prefill or self._prefill, most), 1 if axis.prefill else self._generate
        cost = FEWEST * len(axis.candidates) * self._rates.seconds(*tokens)
        if axis.out or (now + cost > self._deadline and axis.name != "threads"):
            note = axis.out or "no time left"
            self._rows += [Row(axis.name, label, note=note) for label, _ in axis.candidates[1:]]
            return []
        try:
            runners = self._runners(axis, base)
        except AdvreplError as error:
            self._rows.append(Row(axis.name, axis.candidates[1][0], note=str(error)))
            return []
        self._rounds(axis, runners, tokens, until=now + (self._deadline - now) / axes_left)
        return runners

    def _runners(self, axis: Axis, base: Runner) -> list[Runner]:
        runners = [Runner(axis.candidates[0][0], base.tuning, base.loaded, base.memory_mb)]
        for label, changes in axis.candidates[1:]:
            tuning = msgspec.structs.replace(base.tuning, **changes)
            runners.append(self._load(label, tuning) if axis.reload else Runner(label, tuning, base.loaded))
        return runners

    def _rounds(self, axis: Axis, runners: list[Runner], tokens: tuple[int, int], until: float) -> None:
        for number in range(ROUNDS):
            running = [runner for runner in runners if not runner.note]
            enough = number >= FEWEST and (len(running) < 2 or time.perf_counter() > until)
            if enough or running == runners[:1]:
                break
            for runner in running:
                self._say(f"{axis.name}: {runner.label}")
                if not axis.reload:
                    runner.loaded.open_context(self._path, self._with(runner.tuning))
                fastest = min((run.seconds(*tokens) for r in runners for run in r.runs), default=math.inf)
                run = self.run_once(runner.loaded, *tokens, limit=SLOW * fastest + 0.5)
                runner.runs.append(run)
                if run.ended:
                    runner.note = LATE
                elif runner is not runners[0] and hopeless(
                    typical(runner.runs), [typical(r.runs) for r in runners if r.runs]
                ):
                    runner.note = "too slow"

    def _settle(self, axis: Axis, runners: list[Runner]) -> Runner:
        used = runners[0]
        measured: Measured = [(runner.tuning, runner.runs) for runner in runners]
        tuning, expected = axis.decide(measured)
        if tuning != used.tuning:
            self._gains.append(expected.turns / typical(used.runs).turns)
        if not axis.prefill:  # what was written there is too little to tell
            self._size_runs(expected)
            self._variations += [variation(runner.runs) for runner in runners if len(runner.runs) > 1]
        self._tell(axis, runners, tuning)
        for runner in runners:
            if axis.reload and runner.tuning != tuning:
                self._close(runner)
        chosen = next((runner for runner in runners if runner.tuning == tuning), used)
        if not axis.reload:
            chosen.loaded.open_context(self._path, self._with(tuning))
        return Runner(chosen.label, tuning, chosen.loaded, chosen.memory_mb or used.memory_mb)

    def _tell(self, axis: Axis, runners: list[Runner], tuning: Tuning) -> None:
        for runner in runners:
            whole = [run for run in runner.runs if not run.ended]
            rates = typical(whole or runner.runs)
            memory = runner.memory_mb if axis.reload else None
            row = Row(axis.name, runner.label, rates.prefill, None if axis.prefill else rates.generate, memory)
            chosen = uses(tuning, runner.tuning)
            self._rows.append(msgspec.structs.replace(row, runs=len(runner.runs), chosen=chosen, note=runner.note))

    def _check(self, first: Tuning, base: Runner) -> tuple[Tuning, float]:
        """Compare all that was found with the defaults, if there is time: what is better alone need not be together."""
        if len(self._gains) > 1:
            changes = {name: getattr(first, name) for name in first.__struct_fields__}
            reload = any(getattr(base.tuning, name) != changes[name] for name in RELOAD)
            axis = Axis("together", (("as found", {}), ("as before", changes)), reload=reload)
            if runners := self._measure(axis, base, 1):
                found, before = (typical(runner.runs).turns for runner in runners)
                tuning = self._settle(axis, runners).tuning
                return tuning, found / before if tuning == base.tuning else 1.0
        return base.tuning, math.prod(self._gains)
