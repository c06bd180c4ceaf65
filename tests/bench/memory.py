"""Can the memory lie, and what do memory and state cost? Lines that the model chose, and the first piece of replies.

Run from the checkout: python -m tests.bench.memory [--help]
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from advrepl.play import memory, session
from advrepl.play.game import Game
from advrepl.play.reply import Piece
from advrepl.play.session import Settings
from advrepl.story import quotes, saves
from advrepl.story.scenario import START
from advrepl.story.tree import Story, Turn
from tests.bench import results
from tests.bench.results import Row, Section, row
from tests.bench.setup import Setup, line, parser, setup

SHARE, RATIO = 100.0, 1.05  # goals
PATIENCE = 120.0  # seconds of reading, until all that is written ahead is there
WHERE = ("Behind the red door", "Under the stairs", "At the old well", "In the captain's cabin", "Beyond the hedge")
WHAT = ("a key with three teeth", "the keeper's letter", "a lamp that is still warm", "half a map", "the silver bell")
WHO = ("an old woman", "the ferryman's son", "Doctor Öström", "a child in a wet coat", "nobody you know")
SAYS = (
    '"Take it, and go," she says.',
    "The wind drops… and rises again!",
    "It smells of tar, 4½ days old.",
    "Why now?",
)


def tale(number: int) -> str:
    """A turn of the model: four sentences, with what grammars and sentence ends trip over."""
    where, what, who = WHERE[number % 5], WHAT[number // 5 % 5], WHO[number // 25 % 5]
    seen = f"{where} you find {what}, as it was told on day {number}."
    heard = f"Then {who} comes in and looks at you for a long while."
    return f"{seen} {heard} {SAYS[number % 4]}\n\nNobody else knows that {what} is here."


def save_of(story: Story, *, remembers: bool) -> saves.Save:
    return saves.Save(
        saves.SCHEMA, "Memory", saves.now(), saves.ModelRef(), "", {}, START, story.turns, story.head,
        recap=remembers, carried="told" if remembers else "off",
    )  # fmt: skip


def opened(setup: Setup, folder: Path, name: str, save: saves.Save, tokens: int) -> Game:
    """A story, opened with nothing read of it."""
    (folder / f"{name}.json").write_bytes(saves.encode(save))
    settings = Settings(
        str(setup.model), saves=folder, ctx=setup.ctx, plain_model=True, threads=setup.threads,
        gpu_layers=setup.gpu_layers, kv_file=False, sampling={"seed": 1, "max_tokens": tokens},
    )  # fmt: skip
    game = session.resumed_game(name, settings, lambda _: None)
    game.set_option_count(0)
    return game


class Lines(NamedTuple):
    """What became of turns that were out of sight."""

    asked: int  # of how many turns the model was asked
    kept: int  # lines
    exact: int  # of them, those that a turn of the path holds letter for letter, as a sentence
    seconds: float  # of processor time for a question


def chosen(setup: Setup, folder: Path, count: int) -> Lines:
    """Let the model choose a sentence of so many turns, as it does while the player reads."""
    story = Story([Turn(None, "user", START.start)], 0)
    for number in range(count + 16):  # what is not out of sight is not asked about
        story.say("model", tale(number))
        story.say("user", line(number))
    game, asked = opened(setup, folder, "lines", save_of(story, remembers=True), 16), 0
    started = time.process_time()
    try:
        while asked < count and (jobs := game.memory.questions(game.planner, game.engine)):
            asked += len(jobs)
            read(game)
            print(f"\rturns asked about: {asked} of {count} ", end="", flush=True)
        game.memory.keep(game.state)
        seconds = (time.process_time() - started) / max(asked, 1)
        found = quotes.on_path(game.state.save.quotes, game.story)
        turns = game.story.path_turns()
        spans = [(quotes.text(each, game.story), game.story.turns[each.turn].text, each) for each in found]
        exact = sum(
            said in text
            and (each.start, each.end) in memory.sentences(text)
            and any(said in turn.text for turn in turns)
            for said, text, each in spans
        )
        return Lines(asked, len(found), exact, seconds)
    finally:
        game.close()


def read(game: Game) -> None:
    """Let the player read until nothing is left to be done."""
    game.start_prefetch()
    assert game.prefetcher
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and game.prefetcher.state == "writing":
        time.sleep(0.01)
    game.pause_prefetch()


def first_pieces(setup: Setup, folder: Path) -> tuple[list[float], list[float]]:
    """Processor seconds to the first piece of replies, with memory and state and without; both in turn."""
    games, found = [], ([], [])  # type: ignore[var-annotated]
    for number in range(2):
        story = Story([Turn(None, "user", START.start), Turn(0, "model", START.opening)], 1)
        games.append(opened(setup, folder, f"first{number}", save_of(story, remembers=not number), setup.reply))
    try:
        for turn in range(setup.turns):
            for number in (0, 1) if turn % 2 else (1, 0):
                read(games[number])
                found[number].append(first(games[number], line(turn)))
            print(f"\rturn {turn + 1} of {setup.turns} ", end="", flush=True)
    finally:
        for game in games:
            game.close()
    return found


def first(game: Game, said: str) -> float:
    started, work = time.process_time(), 0.0
    for event in game.act(said):
        if isinstance(event, Piece) and not work:
            work = time.process_time() - started
    return work


def measure(setup: Setup, count: int) -> Section:
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        lines = chosen(setup, Path(folder), count)
        kept, without = first_pieces(setup, Path(folder))
    ratio = [one / other for one, other in zip(kept, without, strict=True)]
    rows = [
        Row(f"kept of the {lines.asked} turns that the model was asked about", lines.kept, "lines"),
        Row("exact sentences of a turn on the path", 100 * lines.exact / max(lines.kept, 1), "%", at_least=SHARE),
        Row("processor time for a question, in reading time", lines.seconds, "s"),
        row("processor time until the first piece, with memory and `--state told`", kept, "s"),
        row("the same without", without, "s"),
        row("how many times as much", ratio, "times", at_most=RATIO),
    ]
    text = (
        f"Sentences that are chosen of turns out of sight, and the first piece of {setup.turns} replies, each after "
        f"all reading: context {setup.ctx}, {setup.threads} threads"
    )
    return results.section("memory", "Memory and state", text, rows, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--lines", type=int, default=200)
    options.set_defaults(ctx=512, reply=24)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.lines), chosen.results)


if __name__ == "__main__":
    main()
