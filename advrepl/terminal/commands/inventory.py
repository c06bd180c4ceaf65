"""The /commands for what the player carries, and where he is."""

import re
from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.play import inventory as asking
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.story import carried
from advrepl.story.tree import Change
from advrepl.terminal.commands.table import command
from advrepl.terminal.text import one_line

MOST = 40  # characters of a thing or a place
MODES = {
    carried.OFF: "off: it is as you say",
    carried.ON: "the model is asked while you read, and not told",
    carried.TOLD: "the model is asked while you read and told, and options need only what is there",
}
_SIGNED = re.compile(r"(?:^|[\s,]+)([+-])\s*")
_ARTICLE = re.compile(r"^(?:the|a|an|my)\s+(?=\S)", re.IGNORECASE)


@command("inventory", "i", usage="[+THING -THING | off | on | told]", arguments=lambda: MODES)
def inventory(game: Game, argument: str) -> Iterator[Event]:
    """Show what you carry, or say it: + what you have, - what you no longer have."""
    if argument in MODES:
        with game.changing():
            game.state.replace(carried=argument)
    elif argument:
        asking.correct(game.state, _change(argument))
        game.save()
    game.inventory.catch_up(game)
    things = carried.led_to(game.story, game.story.head).carried.things
    mode = carried.mode(game.state.save)
    yield Note(f"you have {', '.join(map(one_line, things)) or 'nothing that is known'} ({MODES[mode]})")


@command("where", usage="[PLACE]")
def where(game: Game, argument: str) -> Iterator[Event]:
    """Show where you are, or say it."""
    if argument:
        asking.correct(game.state, Change(place=_name(argument)))
        game.save()
    game.inventory.catch_up(game)
    place = carried.led_to(game.story, game.story.head).carried.place
    begun = f"nothing is known but where you began: {one_line(game.scenario.place)}" if game.scenario.place else ""
    yield Note(f"you are here: {one_line(place)}" if place else begun or "it is not known where you are: /where PLACE")


def _change(argument: str) -> Change:
    before, *rest = _SIGNED.split(argument)
    if before or not rest:
        raise AdvreplError(f"/inventory takes +THING, -THING, off, on or told, not {argument[:20]!r}")
    signed = [(sign, _name(name)) for sign, name in zip(rest[::2], rest[1::2], strict=True)]
    taken, lost = ({name.casefold(): name for sign, name in signed if sign == each} for each in "+-")
    if both := taken.keys() & lost.keys():
        raise AdvreplError(f"{min(both)!r} cannot come and go at once")
    return Change(tuple(taken.values()), tuple(lost.values()))


def _name(text: str) -> str:
    name = _ARTICLE.sub("", " ".join(text.strip(" ,.").split()))
    if not name or len(name) > MOST or not name.isprintable() or "," in name:
        raise AdvreplError(f"a thing or a place is a word or a few, at most {MOST} characters, not {text[:20]!r}")
    return name
