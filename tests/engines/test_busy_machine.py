"""The story goes on while other programs compute."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOKENS = 15
# Processor seconds of tokens, one after the other, with a thread on each of two cores.
WRITES = f"""
import os, sys, time
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
from pathlib import Path
from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
engine = LlamaEngine(LlamaModel(Path(sys.argv[1]), LoadOptions(ctx=256, threads=2), Log(Path(sys.argv[2]))))
window = Window(Prompt((Segment("", "Once upon a time"),), (), ()), 0, 4, 256)
writing = engine.generate(window, Sampling(max_tokens={TOKENS} + 1))
next(writing)
began = time.process_time()
for _ in writing:
    pass
print(time.process_time() - began)
"""


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many programs that compute for nothing on the first two cores."""
    busy = "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])\nwhile True: pass"
    running = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(count)]
    try:
        time.sleep(0.3)
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def processor_seconds(model: Path, log: Path, **environment: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", WRITES, str(model), str(log)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="two cores to share"
)
def test_threads_do_not_spin_for_each_other_while_others_compute(smollm2: Path, tmp_path: Path) -> None:
    # One that never spins sleeps at each step: what the tokens themselves cost, and a little.
    with hogs(4):
        own = processor_seconds(smollm2, tmp_path / "log", OMP_WAIT_POLICY="passive")
        assert processor_seconds(smollm2, tmp_path / "log") < 6 * own
