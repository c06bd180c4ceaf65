"""What moving costs by rounding alone: a block of the cache is moved to and fro, and the next token's chances compared.

Run from the checkout: python -m tests.bench.rounding [MODEL]
Prints, for each type of cache and number of moves, the KL divergence in nats from the same cache unmoved, the mean of
eight next words. What drift.py measures comes on top: moved turns were computed while the dropped ones could be seen.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from advrepl.engines import models
from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.tuning.bench import LINES

TOKENS, HEAD, BY, MOVES, WORDS = 400, 40, 64, 20, 8  # BY tokens behind the head make way


def log_chances(loaded: LlamaModel, token: int, position: int) -> np.ndarray:
    """The log probabilities of what follows the token, which does not stay."""
    loaded.decode([token], position)
    loaded.remove(position, -1)
    logits: np.ndarray = loaded.logits().astype(np.float64)
    logits -= logits.max()
    logits -= np.log(np.exp(logits).sum())
    return logits


def measure(path: Path, kv: str, log: Log) -> dict[int, float]:
    loaded = LlamaModel(path, LoadOptions(ctx=512, kv=kv), log)
    tokens = loaded.vocab.plain("\n".join(LINES) * 64)[:TOKENS]
    loaded.decode(tokens, 0)
    loaded.remove(HEAD, HEAD + BY)
    words = dict.fromkeys(tokens[HEAD:])
    still = {word: log_chances(loaded, word, TOKENS) for word in [*words][:WORDS]}
    found = {}
    for moves in range(2, MOVES + 1, 2):
        loaded.move(HEAD, TOKENS, BY)
        log_chances(loaded, tokens[0], TOKENS - BY)  # llama.cpp moves when it decodes next
        loaded.move(HEAD, TOKENS - BY, -BY)
        moved = {word: log_chances(loaded, word, TOKENS) for word in still}
        found[moves] = float(np.mean([(np.exp(still[w]) * (still[w] - moved[w])).sum() for w in still]))
    loaded.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?")
    path, log = models.resolve(parser.parse_args().model), Log(Path(tempfile.gettempdir()) / "advrepl-rounding.log")
    kinds = ("f16", "q8_0")
    found = {kv: measure(path, kv, log) for kv in kinds}
    print("moves", *(f"{kv:>10}" for kv in kinds))
    for moves in (2, 6, 10, MOVES):
        print(f"{moves:5}", *(f"{found[kv][moves]:10.6f}" for kv in kinds))


if __name__ == "__main__":
    main()
