"""What a player can do besides saying a line: tell the story himself, roll dice, let the model suggest his line.

Each is made of turns and of what the game can do already; does not read lines (terminal/lines.py).
"""

import random
from collections.abc import Iterator

from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.macros.table import DICE, MAX_DICE, MAX_SIDES
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.play.guidance import OOC
from advrepl.play.planner import SHORTEST_LINE
from advrepl.play.reply import in_place_of_line
from advrepl.prompt import options as menu
from advrepl.story.tree import Turn

LINE_TOKENS = 48  # of a line that the model suggests
LINE = r"root ::= [^\x00-\x20<|] [^\x00-\x1f]*"  # which begins with a word and not with another speaker's mark


def tell(game: Game, text: str) -> Iterator[Event]:
    """Go on with the story in the player's words, and let the model go on from there.

    His words are a take of their own, so that they are kept whatever becomes of the rest.
    """
    last, parent, said = game.story.last, game.story.head, text
    if last and last.role == "model":
        parent, said = last.parent, menu.parted(last.text, game.option_count)[0] + "\n\n" + text
    game.window()  # raises where there is no room, before anything has changed
    game.state.add(Turn(parent, "model", said))
    game.save()
    yield from game.go_on()


def aside(game: Game, text: str) -> Iterator[Event]:
    """Say something to whoever tells the story, and not in it."""
    return game.act(f"{OOC} {text})")


def rolled(game: Game, formula: str) -> str:
    """Roll dice, as in 2d6+1, and return what came of it; another roll in every turn, and the same with one seed."""
    found = DICE.fullmatch(f"1d{formula}" if formula.isdecimal() else formula)
    if not found or int(found[1] or 1) > MAX_DICE or int(found[2]) > MAX_SIDES:
        raise AdvreplError(f"{formula[:20]!r} is no dice to roll: /roll 2d6+1 rolls two of six sides and adds one")
    save = game.state.save
    rng = random.Random(f"{save.rng_seed}|roll|{len(game.story.turns) + save.deleted}")
    dice, plus = [rng.randint(1, int(found[2])) for _ in range(int(found[1] or 1))], int(found[3] or 0)
    parts = [*map(str, dice), *([f"{plus:+}"] if plus else [])]
    told = f" ({' '.join(parts)})" if len(parts) > 1 else ""
    return f"{formula}: {sum(dice) + plus}{told}"


def roll(game: Game, formula: str, deed: str) -> Iterator[Event]:
    """Roll dice for what the player does, and let the model tell what comes of it; a retry keeps the roll."""
    came = rolled(game, formula)
    yield Note(f"rolled {came}")
    yield from game.act(f"{deed} (rolled {came})".strip())


def suggested(game: Game) -> str:
    """Return a line that the model would write for the player; raises AdvreplError where it has none."""
    if not game.story.last or game.story.last.role != "model":
        raise AdvreplError("there is no reply that you could answer yet: /retry asks for one")
    if game.prefetcher:
        game.prefetcher.drop()
    window = in_place_of_line(game.planner.player_turn(SHORTEST_LINE).window, "")
    window = replace(window, prompt=replace(window.prompt, cue=()))
    seed = game.planner.reply_seed(len(game.story.turns))
    sampling = replace(game.sampling, max_tokens=LINE_TOKENS, seed=seed)
    stops, grammar = ("\n", *game.format.stops(game.scenario)), LINE if game.engine.grammars else None
    said = game.ask(window, sampling, stops, grammar)
    line = " ".join(said.split()).removeprefix(f"{game.scenario.you}:").strip()
    if not line:
        raise AdvreplError("the model has no line for you: say it in your own words")
    return line
