"""`advrepl judge` beside llama.cpp's own `llama-perplexity --kl-divergence`, on the very same tokens.

Run from the checkout: python -m tests.bench.perplexity PLACE [--bin BIN] [--text FILE] [--threads N]
BIN holds llama-perplexity (else it is on the PATH); PLACE keeps SmolLM2 as F16, Q8_0, Q4_K_M and Q2_K (0.6 GB).
llama-perplexity cuts a text into chunks, begins each with the begin token if the model has one, and compares the
second half of each. The tokens are read out of its file of log probabilities, so both judge the same ones. Ends with 1
where the two are further apart than WITHIN, or a smaller file is not the worse one.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np

from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.machine import physical_cores
from advrepl.tuning.judge import Judged, Passage, compare
from tests import real
from tests.bench.setup import found
from tests.convert.converted import convert

REFERENCE, KINDS = "F16", ("Q8_0", "Q4_K_M", "Q2_K")  # the others from the best to the worst
CHUNK = 512  # tokens
WITHIN, SECONDS, TOKENS = 0.02, 60, 2000


@dataclass(frozen=True)
class Told:
    """What llama-perplexity says of a file."""

    kl: float
    same: float  # share of tokens


def files(place: Path) -> list[Path]:
    """SmolLM2 as the reference and as each of the kinds, by our own converter; made where they are not there."""
    made = [place / f"SmolLM2-135M-{kind}.gguf" for kind in (REFERENCE, *KINDS)]
    if not all(file.exists() for file in made):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as temporary:
            folder = real.smollm_folder(Path(temporary) / "SmolLM2-135M")
            for file, kind in zip(made, (REFERENCE, *KINDS), strict=True):
                convert(folder, file, kind)
    return made


def perplexity(program: str, model: Path, base: Path, threads: int, *arguments: str) -> str:
    """Run llama-perplexity on one sequence at a time, and return what it prints."""
    how = ["-m", str(model), "--kl-divergence-base", str(base), "-t", str(threads)]
    how += ["-c", str(CHUNK), "-b", str(CHUNK), "-ngl", "0", *arguments]
    done = subprocess.run([program, *how], capture_output=True, text=True, encoding="utf-8", errors="replace")
    if done.returncode:
        sys.exit(f"{program}: {done.stderr[-2000:]}")
    return done.stdout + done.stderr


def told(output: str) -> Told:
    """Read its summary: of the log of each chunk, which comes before, nothing is taken."""
    kl, same = (re.search(rf"^{name}: +(-?[\d.]+)", output, re.MULTILINE) for name in ("Mean    KLD", "Same top p"))
    if not kl or not same:
        sys.exit(f"llama-perplexity told no divergence: {output[-2000:]}")
    return Told(float(kl[1]), float(same[1]) / 100)


def passages(base: Path, model: LlamaModel) -> list[Passage]:
    """The chunks of a file of log probabilities, as llama-perplexity reads them; the second half of each is judged."""
    with base.open("rb") as file:
        if file.read(8) != b"_logits_":
            sys.exit(f"{base}: is no file of log probabilities")
        chunk, _, count = map(int, np.frombuffer(file.read(12), np.int32))
        tokens = np.frombuffer(file.read(4 * chunk * count), np.int32).reshape(count, chunk).copy()
    vocab = lib.llama_model_get_vocab(model.handle)
    if lib.llama_vocab_get_add_bos(vocab):
        tokens[:, 0] = lib.llama_vocab_bos(vocab)
    first = chunk // 2 + 1
    kinds = ("",) * first + ("narration",) * (chunk - first)
    return [Passage(tuple(map(int, row)), kinds) for row in tokens]


def ours(models: list[Path], base: Path, threads: int) -> tuple[list[Judged], float, float]:
    """What judge says, and the seconds on the clock and of the processor for each file that is compared."""
    options = LoadOptions(CHUNK, threads, gpu_layers=0)
    log = Log(Path(tempfile.gettempdir()) / "advrepl-perplexity.log")
    clock, processor = time.perf_counter(), time.process_time()
    judged = compare(models, lambda model: passages(base, model), options, log, lambda name, share: None)
    read = len(models)
    return judged, (time.perf_counter() - clock) / read, (time.process_time() - processor) / read


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("place", type=Path)
    parser.add_argument("--bin", type=Path, help="the folder of llama-perplexity; else it is on the PATH")
    parser.add_argument(
        "--text", type=Path, help="a text of at least two chunks; else the tale that calibrates imatrix"
    )
    parser.add_argument("--threads", type=int, default=physical_cores())
    options = parser.parse_args()
    program = str(options.bin / "llama-perplexity") if options.bin else found("llama-perplexity")
    if program is None:
        sys.exit("llama-perplexity is not on the PATH: give its folder with --bin (`make converters` builds it)")
    models = files(options.place)
    with tempfile.TemporaryDirectory(dir=options.place) as temporary:
        base, text = Path(temporary) / "base", options.text or Path(temporary) / "text"
        if not options.text:
            text.write_text((resources.files("convert.quantize") / "calibration.txt").read_text(encoding="utf-8"))
        perplexity(program, models[0], base, options.threads, "-f", str(text))
        theirs = [told(perplexity(program, model, base, options.threads, "--kl-divergence")) for model in models[1:]]
        judged, seconds, processor = ours(models, base, options.threads)
    print(f"{judged[0].all.tokens} tokens\n{'':8}{'judge':>20}{'llama-perplexity':>22}{'apart':>8}")
    apart = []
    for kind, mine, other in zip(KINDS, judged, theirs, strict=True):
        apart.append(abs(mine.all.kl / other.kl - 1))
        here, there = (f"{kl:.6f}, {same:.2%}" for kl, same in ((mine.all.kl, mine.all.same), (other.kl, other.same)))
        print(f"{kind:8}{here:>20}{there:>22}{apart[-1]:8.2%}")
    for name, value in (("on the clock", seconds), ("of the processor", processor)):
        print(f"{TOKENS} tokens: {value * TOKENS / judged[0].all.tokens:.1f} s {name} for each file")
    worse = [each.all.kl for each in judged]
    return int(max(apart) > WITHIN or worse != sorted(worse))


if __name__ == "__main__":
    sys.exit(main())
