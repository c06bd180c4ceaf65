"""What `advrepl tune` tries, and what it chooses from the runs. Pure, but for asking what fits into memory.

Does not measure (tune.py).
"""

import statistics
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from advrepl.engines.base import Tuning
from advrepl.engines.llama.loading import fits_copied, fits_repacked
from advrepl.engines.llama.model import CPU_CHUNK, N_BATCH
from advrepl.machine import physical_cores, usable_cores

MARGIN = 0.05  # by which a candidate has to win at least
HOPELESS = 0.6  # of the best rate
TURN_PREFILL, TURN_GENERATE = 64, 128  # tokens of an ordinary turn
FEW_CORES = 4


class Run(Struct, frozen=True):
    """Rates in tokens a second."""

    prefill: float
    generate: float
    ended: bool = False  # before its end, because it took too long

    def seconds(self, prefill: int, generate: int) -> float:
        """Return how long so many tokens take at these rates."""
        return prefill / max(self.prefill, 1e-3) + generate / max(self.generate, 1e-3)

    @property
    def turns(self) -> float:
        """Return ordinary turns a second."""
        return 1 / self.seconds(TURN_PREFILL, TURN_GENERATE)


Measured = Sequence[tuple[Tuning, Sequence[Run]]]  # candidate by candidate, the one in use first
Decide = Callable[[Measured], tuple[Tuning, Run]]  # what to go on with, and the rates to expect of it


def best(rates: Sequence[Sequence[float]], spare: Collection[int] = ()) -> int:
    """The index of the candidate to use; candidate 0 stays unless another is faster beyond doubt.

    Beyond doubt: in the median of at least two runs by more than the margin, and by more than the runs of both
    scatter. A candidate of `spare`, which spares the machine something, needs only to be as fast.
    """
    chosen = 0
    for index, runs in enumerate(rates):
        if not index or len(runs) < 2 or not _beats(runs, rates[0], index in spare):
            continue
        if not chosen or statistics.median(runs) > statistics.median(rates[chosen]) * (1 + MARGIN):
            chosen = index
    return chosen


def _beats(runs: Sequence[float], used: Sequence[float], spares: bool) -> bool:
    needed = 1.0 if spares else 1 + max(MARGIN, scatter(runs) + scatter(used))
    faster = statistics.median(runs) / max(statistics.median(used), 1e-9)
    return faster >= needed if spares else faster > needed


def scatter(values: Sequence[float]) -> float:
    """The median distance from the median, as a share of it: one stall among the runs does not count."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values) / max(middle, 1e-9)


def variation(runs: Sequence[Run]) -> float:
    """Return how much runs of the same differ in all, as a share of their median."""
    turns = [run.turns for run in runs]
    return (max(turns) - min(turns)) / statistics.median(turns)


def hopeless(run: Run, others: Sequence[Run]) -> bool:
    """Tell whether a run is so far behind the best of the others that no more are needed."""
    fed, written = max(other.prefill for other in others), max(other.generate for other in others)
    return run.prefill < HOPELESS * fed and run.generate < HOPELESS * written


def typical(runs: Sequence[Run]) -> Run:
    """Return the medians of some runs as one."""
    return Run(statistics.median(run.prefill for run in runs), statistics.median(run.generate for run in runs))


# --- how an axis is decided


def by_turns(measured: Measured) -> tuple[Tuning, Run]:
    """Choose what makes an ordinary turn fastest."""
    tuning, runs = measured[best([[run.turns for run in runs] for _, runs in measured])]
    return tuning, typical(runs)


def by_prefill(measured: Measured) -> tuple[Tuning, Run]:
    """Choose what prefills fastest."""
    tuning, runs = measured[best([[run.prefill for run in runs] for _, runs in measured])]
    return tuning, typical(runs)


def by_threads(measured: Measured) -> tuple[Tuning, Run]:
    """Threads for writing and for reading apart. Fewer that are as fast leave a core for other programs."""
    counts = [tuning.threads or physical_cores() for tuning, _ in measured]
    fewer = [index for index, count in enumerate(counts) if count < counts[0]]
    generate = best([[run.generate for run in runs] for _, runs in measured], fewer)
    prefill = best([[run.prefill for run in runs] for _, runs in measured], fewer)
    tuning = msgspec.structs.replace(
        measured[0][0],
        threads=counts[generate] if generate else measured[0][0].threads,
        threads_batch=counts[prefill] if prefill != generate else None,
    )
    return tuning, Run(typical(measured[prefill][1]).prefill, typical(measured[generate][1]).generate)


def uses(tuning: Tuning, candidate: Tuning) -> bool:
    """Was the candidate chosen? Of two counts of threads both may be, one to generate and one to prefill."""
    cores = physical_cores()
    generate = tuning.threads or cores
    alike = {**msgspec.structs.asdict(candidate), "threads": tuning.threads, "threads_batch": tuning.threads_batch}
    return alike == msgspec.structs.asdict(tuning) and (candidate.threads or cores) in (
        generate,
        tuning.threads_batch or generate,
    )


# --- what is tried


class Situation(Struct, frozen=True):
    """What decides which axes there are."""

    path: Path
    on_gpu: bool


class Axis(Struct, frozen=True):
    """One thing to choose: names and the fields of Tuning they change. Candidate 0 is the one in use."""

    name: str
    candidates: tuple[tuple[str, dict[str, Any]], ...]
    decide: Decide = by_turns
    reload: bool = False  # the model has to be loaded anew for it
    prefill: int | None = None  # tokens to prefill in a run, none are generated
    out: str = ""  # why it is not tried


def threads(situation: Situation) -> Axis | None:
    """Try other counts of threads; None on a GPU, or where there is one core."""
    if situation.on_gpu:
        return None
    cores = physical_cores()
    others = {cores - 1, cores // 2, usable_cores()} | set(range(1, min(cores, FEW_CORES)))
    counts = sorted(others - {0, cores})
    if not counts:
        return None
    return Axis("threads", ((str(cores), {}), *((str(n), {"threads": n}) for n in counts)), by_threads)


def repacking(situation: Situation) -> Axis | None:
    """Try the weights as they lie in the file; None on a GPU."""
    if situation.on_gpu:
        return None
    if not fits_repacked(situation.path):
        candidates: tuple[tuple[str, dict[str, Any]], ...] = (("as in the file", {}), ("repacked", {"repack": True}))
        return Axis("weights", candidates, reload=True, out="no memory for two copies")
    return Axis("weights", (("repacked", {}), ("as in the file", {"repack": False})), reload=True)


def gpu(situation: Situation) -> Axis | None:
    """Not how many layers: all that fit are best, and they are found when the model is loaded."""
    if not situation.on_gpu:
        return None
    return Axis("GPU", (("used", {}), ("not used", {"gpu_layers": 0})), reload=True)


def flash(situation: Situation) -> Axis | None:
    """On a CPU it stays off: what it costs there shows only behind a full window, which takes too long to fill here."""
    return Axis("flash attention", (("on", {}), ("off", {"flash_attn": False}))) if situation.on_gpu else None


def batches(situation: Situation) -> Axis:
    """Try twice as many tokens in one batch."""
    used = N_BATCH if situation.on_gpu else CPU_CHUNK
    return Axis("batch", ((str(used), {}), (str(2 * used), {"batch": 2 * used})), by_prefill, prefill=2 * used)


def loading(situation: Situation) -> Axis | None:
    """Try to copy the file into memory; None on a GPU."""
    if situation.on_gpu:
        return None
    out = "" if fits_copied(situation.path) else "no memory for a copy"
    return Axis("file", (("mapped", {}), ("copied", {"load": "copy"})), reload=True, out=out)


# In the order of what they are likely to bring: time may run out before the last.
AXES: tuple[Callable[[Situation], Axis | None], ...] = (gpu, threads, repacking, flash, batches, loading)
