"""What the player has, and where he is: what the turns of a path have changed, one after the other.

It follows from the path alone, so that undo, another take and another branch need nothing of their own. Does not find
out what a turn changes (play/inventory.py).
"""

from collections.abc import Iterable

import msgspec

from advrepl import AdvreplError
from advrepl.story.saves import Save
from advrepl.story.tree import Change, Story, Turn, TurnPath

CHOICES = OFF, ON, TOLD = "off", "on", "told"
NOTHING = Change()
REMEMBERED = 16  # turns up to which it is remembered: more than are asked about, and marked, late
RECENT = 8  # turns among which the model has nearly always spoken


class Carried(msgspec.Struct, frozen=True):
    """What the player has, in the order in which it was taken, each once; and where he is, if that is known."""

    things: tuple[str, ...] = ()
    place: str = ""


class Known(msgspec.Struct, frozen=True):
    """What some turns have led to, and whether the model was asked about all that it wrote of them."""

    carried: Carried
    asked: bool = True


_NOTHING = Known(Carried())


def mode(save: Save) -> str:
    """Return whether this is kept: "off", "on", or "told" if replies follow from it."""
    return save.carried or (OFF if save.scenario.roleplay else ON)


def read_mode(text: str) -> str:
    """Return the mode that `--state` names; raises AdvreplError."""
    if text not in CHOICES:
        raise AdvreplError(f"--state is {', '.join(CHOICES)}, not {text[:20]!r}")
    return text


def fold(turns: Iterable[Turn]) -> Carried:
    """Return what these turns, which begin a story, have led to: nothing twice, and nothing lost that was not there."""
    return _more(_NOTHING, turns).carried


def led_to(story: Story, index: int | None) -> Known:
    """Return what the turns from the first to this one have led to; costs those since it was last asked."""
    way, known = list[int](), story.worked_out
    while index is not None and index not in known:
        way.append(index)
        index = story.turns[index].parent
    found: Known = _NOTHING if index is None else known[index]
    found = _more(found, (story.turns[at] for at in reversed(way[REMEMBERED:])))
    for at in reversed(way[:REMEMBERED]):
        known[at] = found = _more(found, (story.turns[at],))
    while len(known) > 2 * REMEMBERED:
        del known[min(known)]
    return found


def answered(story: Story, path: TurnPath) -> Known:
    """Return what a reply to this path can know of: not what the newest turn of the model has changed.

    That is asked while replies to it are written already. `path`: that of the story, perhaps with another end.
    """
    recent = path.path_turns(max(len(path) - RECENT, 0))
    at = next((at for at in range(len(recent) - 1, -1, -1) if recent[at].role == "model"), -1)
    if at < 0:
        return _more(_NOTHING, path.path_turns())
    place = len(path) - len(recent) + at
    before = led_to(story, story.path[place - 1] if place else None)
    return _more(before, (msgspec.structs.replace(recent[at], change=NOTHING), *recent[at + 1 :]))


def held(save: Save, story: Story, path: TurnPath) -> tuple[str, ...] | None:
    """Return what the player has while a reply to this path is written, as `answered` takes it.

    None: that is not known, as the model was not asked about one of the turns, or it is to know nothing of it.
    """
    if save.carried != TOLD:
        return None
    known = answered(story, path)
    return known.carried.things if known.asked else None


def line(carried: Carried) -> str:
    """Return what the model is told; also that there is nothing, as it may have been told otherwise before."""
    here = f" The user is here: {carried.place}." if carried.place else ""
    return f"The user has: {', '.join(carried.things) or 'nothing'}.{here}"


def corrected(before: Change | None, new: Change) -> Change:
    """Return a correction of a turn with another one behind it, as one."""
    before = before or NOTHING
    return Change(
        (*_without(before.taken, new.lost + new.taken), *new.taken),
        (*_without(before.lost, new.lost + new.taken), *new.lost),
        new.place or before.place,
    )


def _without(things: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    gone = {other.casefold() for other in others}
    return tuple(thing for thing in things if thing.casefold() not in gone)


def _more(before: Known, turns: Iterable[Turn]) -> Known:
    things = {thing.casefold(): thing for thing in before.carried.things}
    place, asked = before.carried.place, before.asked
    for turn in turns:
        asked = asked and (turn.role != "model" or turn.change is not None)
        for change in (turn.change, turn.correction):
            if change is not None:
                for thing in change.lost:
                    things.pop(thing.casefold(), None)
                for thing in change.taken:
                    things.setdefault(thing.casefold(), thing)
                place = change.place or place
    return Known(Carried(tuple(things.values()), place), asked)
