"""What flash attention costs or saves: a few tokens, and one, behind a window that is empty to full.

Run from the checkout: python -m tests.bench.fused [-m MODEL] [--ctx N] [--help]
Times are those of the processor, on one thread, so that other programs do not count. The caches are filled in turn.
"""

import statistics
import tempfile
import time
from pathlib import Path

from advrepl.engines.base import LoadOptions, Tuning
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from tests.bench.setup import line, parser, setup

A_TURN = 23  # tokens of an ordinary line with its markers
WAYS = {"without": False, "with": True}


def cost(loaded: LlamaModel, tokens: list[int], behind: int) -> float:
    """Milliseconds to add these tokens behind so many."""
    loaded.remove(behind, -1)
    started = time.process_time()
    loaded.decode(tokens, behind)
    return (time.process_time() - started) * 1000


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(ctx=2048, rounds=5)
    chosen = setup(options.parse_args())
    log = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log")
    models = {
        way: LlamaModel(
            chosen.model, LoadOptions(chosen.ctx, 1, chosen.gpu_layers, tuning=Tuning(flash_attn=flash)), log
        )
        for way, flash in WAYS.items()
    }
    words = models["with"].vocab.plain(" ".join(map(line, range(chosen.ctx))))
    print("behind  tokens  without flash attention  with it  ms")
    filled = 0
    for behind in (chosen.ctx // 8, chosen.ctx // 2, chosen.ctx - 2 * A_TURN):
        for loaded in models.values():
            loaded.remove(filled, -1)
            for start in range(filled, behind, loaded.chunk):
                loaded.decode(words[start : min(start + loaded.chunk, behind)], start)
        filled = behind
        for count in (A_TURN, 1):
            takes: dict[str, list[float]] = {way: [] for way in models}
            for _ in range(chosen.rounds):
                for way, loaded in models.items():
                    takes[way].append(cost(loaded, words[:count], behind))
            middles = [statistics.median(takes[way]) for way in WAYS]
            print(f"{behind:6}  {count:6}  {middles[0]:23.1f}  {middles[1]:7.1f}")
    for loaded in models.values():
        loaded.close()


if __name__ == "__main__":
    main()
