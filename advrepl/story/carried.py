"""What the player has, and where he is: what the turns of a path have changed, one after the other.

It follows from the path alone, so that undo, another take and another branch need nothing of their own. Does not find
out what a turn changes (play/inventory.py).
"""

from collections.abc import Sequence

import msgspec

from advrepl import AdvreplError
from advrepl.story.saves import Save
from advrepl.story.tree import Change, Turn

CHOICES = OFF, ON, TOLD = "off", "on", "told"
NOTHING = Change()


class Carried(msgspec.Struct, frozen=True):
    """What the player has, in the order in which it was taken, each once; and where he is, if that is known."""

    things: tuple[str, ...] = ()
    place: str = ""


def mode(save: Save) -> str:
    """Return whether this is kept: "off", "on", or "told" if replies follow from it."""
    return save.carried or (OFF if save.scenario.roleplay else ON)


def read_mode(text: str) -> str:
    """Return the mode that `--state` names; raises AdvreplError."""
    if text not in CHOICES:
        raise AdvreplError(f"--state is {', '.join(CHOICES)}, not {text[:20]!r}")
    return text


def fold(turns: Sequence[Turn]) -> Carried:
    """Return what these turns, which begin a story, have led to: nothing twice, and nothing lost that was not there."""
    things, place = dict[str, str](), ""
    for turn in turns:
        for change in (turn.change, turn.correction):
            if change is not None:
                for thing in change.lost:
                    things.pop(thing.casefold(), None)
                for thing in change.taken:
                    things.setdefault(thing.casefold(), thing)
                place = change.place or place
    return Carried(tuple(things.values()), place)


def answered(turns: Sequence[Turn]) -> Carried:
    """Return what a reply to these turns can know of: not what the newest one of the model has changed.

    That is asked while replies to it are written already.
    """
    return fold(_answered(turns))


def held(save: Save, turns: Sequence[Turn]) -> tuple[str, ...] | None:
    """Return what the player has while a reply to these turns is written.

    None: that is not known, as the model was not asked about one of the turns, or it is to know nothing of it.
    """
    newest = _newest(turns)
    asked = all(turn.change is not None for at, turn in enumerate(turns) if turn.role == "model" and at != newest)
    return answered(turns).things if asked and save.carried == TOLD else None


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


def _newest(turns: Sequence[Turn]) -> int:
    return next((at for at in range(len(turns) - 1, -1, -1) if turns[at].role == "model"), -1)


def _answered(turns: Sequence[Turn]) -> list[Turn]:
    at = _newest(turns)
    if at < 0:
        return list(turns)
    return [*turns[:at], msgspec.structs.replace(turns[at], change=None), *turns[at + 1 :]]
