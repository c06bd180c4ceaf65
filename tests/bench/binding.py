"""llama-cpp-python's `Llama` used in the usual way, in a process of its own: texts in, pieces of text out.

python -m tests.bench.binding MODEL CONTEXT THREADS GPU_LAYERS; one JSON object a line in, events a line out.
"""

import json
import sys
from typing import Any

from llama_cpp import Llama

from tests.bench.setup import SAMPLING


def main() -> None:
    path, context, threads, layers = sys.argv[1:]
    llama = Llama(
        path, n_ctx=int(context), n_threads=int(threads), n_threads_batch=int(threads), n_gpu_layers=int(layers),
        verbose=False,
    )  # fmt: skip
    tell({"event": "ready"})
    for line in sys.stdin:
        asked = json.loads(line)
        if "count" in asked:
            tell({"event": "count", "tokens": len(llama.tokenize(asked["count"].encode(), False, special=True))})
            continue
        pieces: Any = llama.create_completion(
            asked["prompt"], max_tokens=asked["tokens"], seed=asked["seed"], stop=asked["stop"], stream=True, **SAMPLING
        )
        for piece in pieces:
            tell({"event": "piece", "text": piece["choices"][0]["text"]})
        tell({"event": "done"})
    llama.close()


def tell(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
