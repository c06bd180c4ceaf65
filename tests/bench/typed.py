"""A line is typed at 40 words a minute and sent 0.3 s after its last key: how soon is the first word, how soon a key?

Run from the checkout: python -m tests.bench.typed [--help]
Beside it, in turn: the same with `--no-ahead`, and llama-server behind a front-end, if it is on the PATH.
The screen is a pseudo-terminal, which Windows has not.
"""

import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import results
from tests.bench.peers import CACHE_REUSE
from tests.bench.results import Row, Section, row
from tests.bench.rivals import SERVER, FrontEnd, Server
from tests.bench.setup import Setup, found, line, parser, setup
from tests.pty_play import Terminal

WORDS_A_MINUTE, KEYS_A_WORD = 40, 5
BEFORE_ENTER = 0.3  # seconds
FIRST_MS, OF_SERVER, KEY_MS = 45.0, 0.25, 50.0  # goals
SEVEN_MS, SEVEN_OF_OURS, SEVEN_OF_SERVER = 500.0, 0.25, 0.06
WORDS = 12
_REST = "then I turn round and look back once more"


def lines(count: int) -> list[str]:
    """Lines of 12 words."""
    said = [[*line(number).rstrip(".").split(), *_REST.split()] for number in range(count)]
    return [" ".join(words[:WORDS]) + "." for words in said]


class Player:
    """Types at `advrepl`, as fast as people do."""

    def __init__(self, setup: Setup, folder: Path, *how: str) -> None:
        options = ["play", "start", "--plain-model", "-m", str(setup.model), "--ctx", str(setup.ctx), "--seed", "1"]
        options += ["--threads", str(setup.threads), "--max-tokens", str(setup.reply), "--no-kv-file", *how]
        self.terminal = Terminal(*options, "--saves", str(folder), columns=120, rows=50, ADVREPL_HOME=str(folder))
        self.terminal.replied(1)
        self._replies = 1
        self.keys: list[float] = []  # ms until each was on the screen

    def say(self, line: str, *, by_key: bool) -> float:
        """Milliseconds from Enter to the first word of the reply; `by_key`: typed, else all at once."""
        chance = random.Random(line)
        for char in line if by_key else [line]:
            pressed = time.perf_counter()
            self.terminal.type(char)
            self.terminal.until(self._shows(char))
            self.keys.append((time.perf_counter() - pressed) * 1000)
            if by_key:
                gap = 60 / WORDS_A_MINUTE / KEYS_A_WORD * chance.uniform(0.8, 1.2)
                self.terminal.wait(max(gap - (time.perf_counter() - pressed), 0))
        self.terminal.wait(BEFORE_ENTER if by_key else 1.0)
        sent = time.perf_counter()
        self.terminal.press("enter")
        self.terminal.until(self._replies_to(line))
        first = (time.perf_counter() - sent) * 1000
        self._replies += 1
        self.terminal.replied(self._replies)
        self.terminal.wait(1.0)
        return first

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Leave the machine to others meanwhile, whatever is being written ahead."""
        os.kill(self.terminal.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.terminal.child.pid, signal.SIGCONT)

    def _shows(self, typed: str) -> Callable[[], bool]:
        return lambda: typed.strip()[-12:] in "".join(self.terminal.lines[max(self.terminal.screen.cursor.y - 1, 0) :])

    def _replies_to(self, line: str) -> Callable[[], bool]:
        def begun() -> bool:
            rows = self.terminal.lines
            said = max((at for at, row in enumerate(rows) if row.startswith("> " + line[:20])), default=len(rows))
            # Not the line that tells how far the prompt is read.
            return any(row.strip() and not row.startswith((" ", "reading ")) for row in rows[said + 1 :])

        return begun


def take(setup: Setup, count: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """First words with reading along, with `--no-ahead`, of llama-server; and the keys of the first."""
    ours, plain, server = list[float](), list[float](), list[float]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="advrepl-bench-")))
        read = Player(setup, folder / "a", "--ahead")
        stack.enter_context(read.terminal)
        unread = Player(setup, folder / "b", "--no-ahead")
        stack.enter_context(unread.terminal)
        peer = None
        if found(SERVER):
            peer = FrontEnd(Server(setup, *CACHE_REUSE), setup, "chatml", 1)
            stack.callback(peer.close)
            peer.say(line(100))  # reads the head
        for number, said in enumerate(lines(count)):
            ours.append(read.say(said, by_key=True))
            with read.stopped():
                plain.append(unread.say(said, by_key=False))
                if peer:
                    server.append(peer.say(said).first * 1000)
            print(f"\rline {number + 1} of {count} ", end="", flush=True)
    return ours, plain, server, read.keys


def rows(
    ours: Sequence[float], plain: Sequence[float], server: Sequence[float], keys: Sequence[float], large: bool
) -> list[Row]:
    middle = statistics.median(ours)
    table = [
        row("first word, the line read while it was typed", ours, "ms", at_most=SEVEN_MS if large else FIRST_MS),
        row("first word, `--no-ahead`", plain, "ms"),
        Row("read along / `--no-ahead`", middle / statistics.median(plain), at_most=SEVEN_OF_OURS if large else None),
    ]
    name = f"{SERVER} {' '.join(CACHE_REUSE)}"
    if server:
        goal = SEVEN_OF_SERVER if large else OF_SERVER
        table += [
            row(f"first word, {name}", server, "ms"),
            Row(f"read along / {SERVER}", middle / statistics.median(server), at_most=goal),
        ]
    else:
        table.append(results.missing(f"first word, {name}", f"there is no {SERVER} on the PATH"))
    return [
        *table,
        row("from a key until it is on the screen", keys, "ms"),
        Row("the slowest of them", max(keys), "ms", at_most=KEY_MS, note=f"{len(keys)} keys"),
    ]


def measure(setup: Setup, count: int) -> Section:
    table = rows(*take(setup, count), setup.is_large)
    text = (
        f"{count} lines of {WORDS} words, typed at {WORDS_A_MINUTE} words a minute, Enter {BEFORE_ENTER:g} s after the "
        f"last key: context {setup.ctx}, {setup.threads} threads, replies of at most {setup.reply} tokens and three "
        "options, all in turn"
    )
    return results.section(setup.key("typed"), "A line that is typed", text, table, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--lines", type=int, default=6)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.lines), chosen.results)


if __name__ == "__main__":
    main()
