"""A story is opened at a terminal, played and left: how long until it stands there, and until the program has ended?

Run from the checkout: python -m tests.bench.opened [--help]
The screen is a pseudo-terminal, which Windows has not.
"""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import results
from tests.bench.long_story import save, tell
from tests.bench.program import Program
from tests.bench.results import Row, Section, row
from tests.bench.setup import Setup, line, parser, setup
from tests.bench.seven import TOLD, seen
from tests.pty_play import Terminal

NAME = "left"
FIRST_S, PLAY_S, RESUME_S, LEAVE_S, BYTES, BEYOND = 0.20, 0.30, 0.5, 0.8, 1.3, 8.0  # goals
READING = 3.0  # seconds in which what was read is put away
OTHER_CTX = 1.25  # times as long: with much more, turns that had slid out would come back


@dataclass
class Takes:
    """Seconds."""

    told: list[float] = field(default_factory=list)  # `advrepl` alone: what there is to do
    asked: list[float] = field(default_factory=list)  # and the list to choose from
    first: list[float] = field(default_factory=list)  # a new story, on a model that this home has not seen yet
    shown: list[float] = field(default_factory=list)  # a new story
    resumed: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)  # resumed, and the model too
    left: list[float] = field(default_factory=list)  # a moment after a reply


class Screen:
    """`advrepl` at a terminal of its own, and when it was started."""

    def __init__(self, setup: Setup, folder: Path, *command: str) -> None:
        self.started = time.perf_counter()
        how = [*command, "--options", "0", *setup.play_options, "--saves", str(folder)]
        self.terminal = Terminal(*how, columns=100, rows=40, ADVREPL_HOME=str(folder))

    def shown(self) -> float:
        """Seconds until the story and a prompt are there."""
        self.terminal.until(self.terminal.prompts)
        assert sum(map(bool, self.terminal.lines)) > 3, "there is a prompt, and no story"
        return time.perf_counter() - self.started

    def ready(self) -> float:
        """Seconds until the model is there as well."""
        self.terminal.ready()
        return time.perf_counter() - self.started

    def leave(self) -> float:
        """Seconds from `/quit` until the program has ended."""
        asked = time.perf_counter()
        self.terminal.line("/quit")
        assert self.terminal.left() == 0
        return time.perf_counter() - asked


def written(path: Path) -> int:
    """Wait until a file is there and does not grow any more; its bytes."""
    before, size = -1, 0
    while not size or size != before:
        time.sleep(READING)
        before, size = size, path.stat().st_size if path.exists() else 0
    return size


def play(setup: Setup, folder: Path) -> float:
    """Read a story that fills the context, and take a turn: the bytes that the turn put away, by its tokens' own."""
    options = ["resume", NAME, "--options", "0", *setup.play_options, "--saves", str(folder)]
    path = folder / f"{NAME}.kv"
    with Program(*options, home=folder) as program:
        program.ready()
        first = program.say(line(0))
        before = written(path)
        turn = program.say(line(1))
        added = written(path) - before
    own = before / (first.stats["prompt"] + first.stats["generated"])
    return float(added / (turn.fed + turn.stats["generated"]) / own)


def beyond(setup: Setup, folder: Path, ctx: int) -> float:
    """Tokens fed in the first turn of a story that is resumed with so long a context, beyond those of the next one."""
    options = ["resume", NAME, "--options", "0", *setup.play_options, "--ctx", str(ctx), "--saves", str(folder)]
    with Program(*options, home=folder) as program:
        program.ready()
        first, second = program.say(line(2)), program.say(line(2))
        return float(first.fed - second.fed)


def looked(folder: Path, takes: Takes) -> None:
    """`advrepl` alone is started, and left."""
    began = time.perf_counter()
    with Terminal(columns=100, rows=40, ADVREPL_HOME=str(folder), ADVREPL_SAVES=str(folder)) as terminal:
        terminal.until("choose below")
        takes.told.append(time.perf_counter() - began)
        terminal.until(lambda: any(line.startswith("❯") for line in terminal.lines))
        takes.asked.append(time.perf_counter() - began)
        terminal.press("ctrl-c")
        terminal.left()


def opened(setup: Setup, folder: Path) -> float:
    """Seconds until a new story is there."""
    new = Screen(setup, folder, "play", "start")
    with new.terminal:
        shown = new.shown()
        new.ready()
        new.leave()
    return shown


def take(setup: Setup, folder: Path, takes: Takes) -> None:
    """The first screen and a new story are looked at; the other one is resumed, and left after a turn."""
    looked(folder, takes)
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as new:
        takes.first.append(opened(setup, Path(new)))
    takes.shown.append(opened(setup, folder))
    old = Screen(setup, folder, "resume", NAME)
    with old.terminal:
        takes.resumed.append(old.shown())
        takes.ready.append(old.ready())
        old.terminal.line(line(len(takes.ready) + 2))
        old.terminal.wait(READING)
        old.ready()
        old.terminal.wait(READING)
        takes.left.append(old.leave())


def rows(takes: Takes, share: float, fed: float, large: bool) -> list[Row]:
    goal = {} if large else {"at_most": PLAY_S}
    return [
        row("`advrepl` alone → what there is to do", takes.told, "s", at_most=FIRST_S),
        row("`advrepl` alone → a list to choose from", takes.asked, "s", at_most=FIRST_S),
        row("start → prompt, a new story", takes.shown, "s", **goal),
        row("start → prompt, the first story on a model that is new here", takes.first, "s", **goal),
        row("start → story and prompt, resumed", takes.resumed, "s", at_most=RESUME_S),
        row("start → the model is there too, resumed", takes.ready, "s"),
        row(f"leaving, {READING:g} s after a reply", takes.left, "s", at_most=LEAVE_S),
        Row("bytes that a turn adds to the cache file, by its tokens' own", share, at_most=BYTES),
        Row(f"resumed with {OTHER_CTX:g} × the context: fed beyond the turn", fed, "tokens", at_most=BEYOND),
    ]


def measure(setup: Setup) -> Section:
    takes = Takes()
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as place:
        folder = Path(place)
        save(folder, NAME, tell(TOLD), seen(setup))
        share = play(setup, folder)
        for number in range(setup.rounds):
            take(setup, folder, takes)
            print(f"\rround {number + 1} of {setup.rounds} ", end="", flush=True)
        fed = beyond(setup, folder, int(OTHER_CTX * setup.ctx))
    text = (
        f"A story that fills the window is opened at a terminal, played and left: context {setup.ctx}, {setup.threads} "
        f"threads, {setup.rounds} rounds, the model's file in the system's cache"
    )
    table = rows(takes, share, fed, setup.is_large)
    return results.section(setup.key("opened"), "Opening and leaving", text, table, setup.model.stem)


def main() -> None:
    chosen = parser(__doc__ or "").parse_args()
    results.keep(measure(setup(chosen)), chosen.results)


if __name__ == "__main__":
    main()
