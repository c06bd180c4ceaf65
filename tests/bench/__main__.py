"""All of the benchmark, one part after the other: python -m tests.bench (`make bench`).

Each part is a process of its own and writes its own results, so one that fails leaves the others whole.
Options that stand before a model's are for every part: --threads, --gpu-layers, --results.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.results import RESULTS

PARTS = (
    "playing", "opened", "rates", "peers", "picked", "typed", "keys", "guided", "resumed", "branches", "memory",
    "long_story", "books", "drift",
)  # fmt: skip
# With replies that are short, as each token takes a fifth of a second; `opened` goes on with a longer context.
SEVEN = {"seven": ["--reply", "16"], "opened": ["--reply", "16", "--ctx", "1600"], "typed": ["--reply", "16"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model")
    parser.add_argument("--seven", type=Path, help="a 7B model as made by tests.bench.make_llama: measured as well")
    parser.add_argument("--parts", nargs="*", choices=(*PARTS, "seven"), default=PARTS, metavar="PART")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--gpu-layers", type=int)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    shared = [*_given("--threads", chosen.threads), *_given("--gpu-layers", chosen.gpu_layers)]
    shared += ["--results", str(chosen.results)]
    jobs = [(part, _given("-m", chosen.model)) for part in chosen.parts if part != "seven"]
    if chosen.seven:
        jobs += [(part, ["-m", str(chosen.seven), *how]) for part, how in SEVEN.items()]
    failed = [part for part, options in jobs if not run(part, [*options, *shared])]
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def run(part: str, options: list[str]) -> bool:
    started = time.monotonic()
    print(f"== {part}", flush=True)
    with subprocess.Popen([sys.executable, "-m", f"tests.bench.{part}", *options]) as child:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            child.wait()  # it heard that as well, and ends the programs that it has started
            raise
    print(f"== {part}: {'done' if code == 0 else f'failed with code {code}'} in {time.monotonic() - started:.0f} s\n")
    return code == 0


def _given(option: str, value: object) -> list[str]:
    return [] if value is None else [option, str(value)]


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
