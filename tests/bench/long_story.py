"""What does turn 2,000 cost beside turn 20?

Run from the checkout: python -m tests.bench.long_story [--help]
Both stories are written by this script; then they are played on in turn, as resumed by a player, with short replies:
what is compared is all of a turn but the writing.
"""

import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from advrepl.story import saves
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import ModelRef, Save
from advrepl.story.scenario import START
from advrepl.story.tree import Story
from tests.bench import results
from tests.bench.program import Heard, Program
from tests.bench.results import Row, Section, row
from tests.bench.setup import Setup, line, parser, program, setup

LENGTHS = (20, 2000)
RATIO = 1.2  # the goal
SEEN = 16  # both sides of eight turns
REPLY = (
    "The {0} creaks as you come closer, and a cold draught moves the dust on the floor of room {1}. Somewhere behind "
    "the wall a clock strikes {2}, then stops. You notice a {0} that was not there before, and a note under it."
)
WORDS = ("door", "window", "ladder", "mirror", "chair", "carpet", "lantern")


@dataclass
class Takes:
    """Milliseconds."""

    first: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)  # from the last piece until the next line is read
    ready: float = 0.0

    def add(self, heard: Heard) -> None:
        self.first.append(heard.first * 1000)
        self.rest.append((heard.whole - heard.last) * 1000)

    @property
    def turns(self) -> list[float]:
        return [first + rest for first, rest in zip(self.first, self.rest, strict=True)]


def tell(turns: int) -> Story:
    """A story in which the player has had so many turns."""
    story = Story()
    for number in range(turns):
        story.say("user", line(number))
        story.say("model", REPLY.format(WORDS[number % 7], number, number % 12 + 1))
    return story


def save(folder: Path, name: str, story: Story, seen: int = SEEN) -> Path:
    """The story as a save of which the model sees so many turns."""
    kept = Save(
        saves.SCHEMA, "A long story", saves.now(), ModelRef(), "", {}, START, story.turns, story.head,
        window_start=len(story.turns) - seen,
    )  # fmt: skip
    file = SaveFile(folder / f"{name}.json")
    file.write(kept)
    file.close()
    return file.path


def play(setup: Setup, folder: Path, lengths: tuple[int, ...]) -> dict[int, Takes]:
    takes = {length: Takes() for length in lengths}
    with ExitStack() as stack:
        programs = {}
        for length in lengths:
            options = ["resume", f"story-{length}", "--options", "0", "--no-kv-file", *setup.play_options]
            program = stack.enter_context(Program(*options, "--saves", str(folder), home=folder))
            programs[length], takes[length].ready = program, program.ready()
            program.say(line(0))  # reads what the model sees of the story
        for turn in range(1, setup.turns + 1):
            for length in lengths if turn % 2 else lengths[::-1]:
                takes[length].add(programs[length].say(line(turn)))
            print(f"\rturn {turn} of {setup.turns} ", end="", flush=True)
    return takes


def writing(path: Path, takes: int = 9) -> list[float]:
    """Milliseconds to write a save as after each turn."""
    file = SaveFile(path)
    kept, _ = file.load()
    spent = []
    for _ in range(takes):
        started = time.perf_counter()
        file.write(kept)
        spent.append((time.perf_counter() - started) * 1000)
    file.close()
    return spent


def listing(folder: Path, takes: int = 3) -> list[float]:
    spent = []
    for _ in range(takes):
        started = time.perf_counter()
        subprocess.run(program("saves", "list", "--saves", str(folder)), check=True, stdout=subprocess.DEVNULL)
        spent.append(time.perf_counter() - started)
    return spent


def rows(takes: dict[int, Takes], written: dict[int, list[float]], sizes: dict[int, int]) -> list[Row]:
    table = []
    for length, taken in takes.items():
        table += [
            row(f"turn {length:,}: first piece", taken.first, "ms"),
            row(f"turn {length:,}: from the last piece to the next line", taken.rest, "ms"),
            row(f"turn {length:,}: writing the save once ({sizes[length] / 1e6:.2f} MB)", written[length], "ms"),
            Row(f"turn {length:,}: resumed and ready", taken.ready, "s"),
        ]
    (early, some), *_, (late, many) = takes.items()
    for what, a, b in (("first piece", some.first, many.first), ("turn without the writing", some.turns, many.turns)):
        ratio = statistics.median(b) / statistics.median(a)
        table.append(Row(f"turn {late:,} / turn {early:,}, {what}", ratio, at_most=RATIO))
    return table


def measure(setup: Setup, lengths: tuple[int, ...] = LENGTHS) -> Section:
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as place:
        folder = Path(place)
        paths = {length: save(folder, f"story-{length}", tell(length)) for length in lengths}
        sizes = {length: path.stat().st_size for length, path in paths.items()}
        written = {length: writing(path) for length, path in paths.items()}
        table = rows(play(setup, folder, lengths), written, sizes)
        table.append(row("`advrepl saves list` of both", listing(folder), "s"))
    text = (
        f"Two stories, resumed and played on in turn: context {setup.ctx}, {setup.threads} threads, {setup.turns} "
        f"turns, replies of at most {setup.reply} tokens"
    )
    return results.section("long", "Long stories", text, table, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(turns=15, reply=8)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen)), chosen.results)


if __name__ == "__main__":
    main()
