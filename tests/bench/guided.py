"""What the help for small models costs: the same lines to the program with it and with `--plain-model`, in turn.

Run from the checkout: python -m tests.bench.guided [--help]
The program that is not asked is stopped meanwhile, so that neither reads ahead on the other's cores (not on Windows).
"""

import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench import results
from tests.bench.program import Heard, Program
from tests.bench.results import Section, row
from tests.bench.setup import READING_SECONDS, Setup, line, parser, setup

RATIO = 1.05  # goal
SIDES = {"with the help": [], "`--plain-model`": ["--plain-model"]}


def play(setup: Setup, lines: int, reading: float) -> dict[str, list[Heard]]:
    """Say the same lines to both; a turn before them, which reads the head, is not counted."""
    heard: dict[str, list[Heard]] = {side: [] for side in SIDES}
    with ExitStack() as opened:
        programs = {}
        for side, how in SIDES.items():
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="advrepl-bench-"))
            options = ["play", "start", "--seed", "1", "--no-kv-file", "--ahead", "-m", str(setup.model), *how]
            options += ["--threads", str(setup.threads), "--ctx", str(setup.ctx), "--max-tokens", str(setup.reply)]
            programs[side] = opened.enter_context(Program(*options, "--saves", folder, home=Path(folder)))
            programs[side].ready()
            programs[side].signal(signal.SIGSTOP)
        for number in range(lines + 1):
            for side, program in programs.items():
                program.signal(signal.SIGCONT)
                time.sleep(reading)
                heard[side].append(program.say(line(number)))
                program.signal(signal.SIGSTOP)
            print(f"\rline {number} of {lines} ", end="", flush=True)
        for program in programs.values():
            program.signal(signal.SIGCONT)
    return {side: all_heard[1:] for side, all_heard in heard.items()}


def measure(setup: Setup, lines: int, reading: float = READING_SECONDS) -> Section:
    helped, plain = play(setup, lines, reading).values()
    firsts = [[each.first * 1000 for each in side] for side in (helped, plain)]
    # What a reply is given to begin with is words as any: they are to be read, and the model has to read them.
    words = [[each.whole * 1000 / _words(each) for each in side] for side in (helped, plain)]
    table = []
    for what, (with_help, without) in (("first words", firsts), ("a word, options included", words)):
        table += [row(f"{what}, {side}", takes, "ms") for side, takes in zip(SIDES, (with_help, without), strict=True)]
        ratios = [mine / theirs for mine, theirs in zip(with_help, without, strict=True)]
        table.append(row(f"{what}: with / without, line by line", ratios, "", at_most=RATIO))
    written = [each.second * 1000 for each in helped]
    table.append(row("the first words that are not given, with the help", written, "ms"))
    ratios = [mine / theirs for mine, theirs in zip(written, firsts[1], strict=True)]
    table.append(row("the first words that are not given: with / first words without, line by line", ratios, ""))
    text = (
        f"{lines} lines, each {reading:g} s after the reply: context {setup.ctx}, {setup.threads} threads, "
        f"replies of at most {setup.reply} tokens and three options, in turn"
    )
    return results.section("guided", "What the help for small models costs", text, table, setup.model.stem)


def _words(heard: Heard) -> int:
    return len(" ".join((heard.text, *heard.options)).split())


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--lines", type=int, default=12)
    options.add_argument("--reading", type=float, default=READING_SECONDS, help="seconds")
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.lines, chosen.reading), chosen.results)


if __name__ == "__main__":
    main()
