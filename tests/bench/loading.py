"""One model loaded in one way, in a process of its own: seconds, rates and memory, as one JSON object.

python -m tests.bench.loading MODEL CONTEXT THREADS GPU_LAYERS repack|plain
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import psutil

from advrepl.engines.base import LoadOptions, Tuning
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from tests.bench.rates import window, write

FED, WRITTEN = 64, 24


def main() -> None:
    path, context, threads, layers, how = sys.argv[1:]
    options = LoadOptions(
        int(context), int(threads), None if layers == "all" else int(layers), tuning=Tuning(repack=how == "repack")
    )
    started = time.perf_counter()
    loaded = LlamaModel(Path(path), options, Log(Path(tempfile.gettempdir()) / "advrepl-bench.log"))
    load = time.perf_counter() - started
    behind = window(loaded, FED)
    words = loaded.vocab.plain(str(behind.prompt))
    started = time.perf_counter()
    loaded.decode(words, 0)
    feed = len(words) / (time.perf_counter() - started)
    rate = write(loaded, behind, WRITTEN, 1)
    memory = psutil.Process().memory_info()
    figures = {"load": load, "feed": feed, "write": rate, "resident": memory.rss, "file": getattr(memory, "shared", 0)}
    print(json.dumps(figures))
    loaded.close()


if __name__ == "__main__":
    main()
