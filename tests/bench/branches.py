"""Ten branches of one story are read in turn: how long until the first piece behind each, and how much is read for it?

Run from the checkout: python -m tests.bench.branches [--help]
Beside it llama-server, if it is on the PATH, with its prompt cache in memory and without one.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from advrepl.play import session
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.story import saves
from advrepl.story.scenario import START
from advrepl.story.tree import Story, Turn
from advrepl.terminal import commands
from tests.bench import results
from tests.bench.results import Row, Section, row
from tests.bench.rivals import Server
from tests.bench.setup import Setup, found, line, parser, setup, spelled

COMMON = 300  # tokens before the fork
FED, SECONDS = 8.0, 0.3  # goals
WORDS = "the old house was dark and the wind went around it as if it looked for a door that somebody had left open "


def forked(count: int, tokens: int) -> Story:
    """A story that forks into so many branches of so many tokens behind its first turns."""
    story = Story([Turn(None, "user", START.start)], 0)
    story.say("model", START.opening)
    grow(story, COMMON)
    fork = story.head
    for branch in range(count):
        story.goto(fork)
        story.say("user", f"I take the way number {branch + 1}.")
        story.say("model", f"It is way {branch + 1}.")
        grow(story, tokens, branch)
    return story


def grow(story: Story, tokens: int, shift: int = 0) -> None:
    """Add turns of about so many tokens; about twenty to the sentence."""
    words, turns = WORDS.split(), 0
    while tokens > 0:
        turned = words[(turns + shift) % len(words) :] + words
        story.say("user", line(turns + 7 * shift))
        story.say("model", " ".join(turned).capitalize() + ".")
        tokens, turns = tokens - 60, turns + 1


@contextlib.contextmanager
def playing(setup: Setup, folder: Path, story: Story, heads: list[int]) -> Iterator[Game]:
    """The story, opened with nothing read of it."""
    names = {f"b{number}": head for number, head in enumerate(heads)}
    save = saves.Save(
        saves.SCHEMA, "Ten ways", saves.now(), saves.ModelRef(), "", {}, START, story.turns, heads[-1],
        branches=names, branch=f"b{len(heads) - 1}",
    )  # fmt: skip
    (folder / "ways.json").write_bytes(saves.encode(save))
    settings = Settings(
        str(setup.model), saves=folder, ctx=setup.ctx, prefetch=False, plain_model=True, threads=setup.threads,
        gpu_layers=setup.gpu_layers, kv_file=False, sampling={"seed": 1, "max_tokens": 1},
    )  # fmt: skip
    game = session.resumed_game("ways", settings, lambda _: None)
    try:
        game.set_option_count(0)
        yield game
    finally:
        game.close()


class Switch(NamedTuple):
    """What it took to go to a branch and say a line there."""

    went: float  # seconds
    first: float  # seconds until the first piece, going among them
    work: float  # seconds of processor time for that
    line: float  # seconds of processor time until the first piece of another line there, with no way to go
    fed: float  # tokens that were read beside the line


def go(game: Game, number: int, said: str, then: str) -> Switch:
    """Go to a branch, say two lines there, each for itself."""
    started, work = time.perf_counter(), time.process_time()
    list(commands.run(game, f"/goto b{number}"))
    went, head = time.perf_counter() - started, game.story.head
    own = sum(game.engine.sizes(game.planner.player_turn(said).window.segments)[-2:])
    say(game, said)
    first, work, stats = time.perf_counter() - started, time.process_time() - work, game.engine.stats
    fed = stats.prompt - stats.reused - own
    game.state.goto(head)
    line = time.process_time()
    say(game, then)
    line = time.process_time() - line
    game.state.goto(head)
    return Switch(went, first, work, line, fed)


def say(game: Game, said: str) -> None:
    """Say a line; the reply to it is one token."""
    for _ in game.act(said):
        pass


def ours(setup: Setup, story: Story, heads: list[int]) -> list[Switch]:
    """All branches in turn, once to read them, then for each round."""
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder,
        playing(setup, Path(folder), story, heads) as game,
    ):
        for each in range(setup.rounds + 1):
            for number in range(len(heads)):
                found.append(go(game, number, line(2 * each), line(2 * each + 1)))
                print(f"\rround {each}, branch {number + 1} of {len(heads)} ", end="", flush=True)
    return found[len(heads) :]


def servers(setup: Setup, story: Story, heads: list[int], rounds: int, *arguments: str) -> list[tuple[float, float]]:
    """The same to llama-server, another line in each round: seconds to the first piece, and tokens that it read."""
    server = Server(setup, *arguments)
    try:
        found = []
        for each in range(rounds + 1):
            for head in heads:
                turns: list[tuple[str, str]] = [
                    (story.turns[index].role, story.turns[index].text) for index in story.path_to(head)
                ]
                found.append(server.timed(spelled("chat", START, [*turns, ("user", line(2 * each))])))
        return found[len(heads) :]
    finally:
        server.close()


def rows(ours: list[Switch], beside: dict[str, list[tuple[float, float]]]) -> list[Row]:
    found = [
        row("going to a branch (`/goto`)", [each.went for each in ours], "s", at_most=SECONDS),
        row("until the first piece behind it", [each.first for each in ours], "s", at_most=SECONDS),
        row("processor time for that", [each.work for each in ours], "s"),
        row("processor time for a line where one stands", [each.line for each in ours], "s"),
        row("read for it beside the line", [each.fed for each in ours], "tokens", at_most=FED),
    ]
    for name, takes in beside.items():
        found.append(row(f"{name}: until the first piece", [first for first, _ in takes], "s"))
        found.append(row(f"{name}: read, with the line", [fed for _, fed in takes], "tokens"))
    return found


def measure(setup: Setup, count: int, tokens: int) -> Section:
    story = forked(count, tokens)
    heads = [index for index in range(len(story.turns)) if not story.children(index)]
    table, beside = ours(setup, story, heads), dict[str, list[tuple[float, float]]]()
    if found("llama-server"):
        beside["`llama-server --cache-ram 8192`"] = servers(setup, story, heads, setup.rounds, "--cache-ram", "8192")
        beside["`llama-server --cache-ram 0`"] = servers(setup, story, heads[:3], 1, "--cache-ram", "0")
    text = (
        f"A story that forks into {count} branches of {tokens} tokens, which are gone to in turn: "
        f"context {setup.ctx}, {setup.threads} threads, {setup.rounds} rounds"
    )
    return results.section("branches", "Going to another branch", text, rows(table, beside), setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--branches", type=int, default=10)
    options.add_argument("--tokens", type=int, default=1500, help="of each branch")
    options.set_defaults(ctx=4096)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.branches, chosen.tokens), chosen.results)


if __name__ == "__main__":
    main()
