"""What a new story can begin with, with a line on each: the scenarios and characters of the program, and own cards.

Opens nothing (session.py does).
"""

from pathlib import Path

from msgspec import Struct

from advrepl import paths
from advrepl.cards.character import own, shipped
from advrepl.story import scenario

ABOUT = {
    "start": "abandoned, but a voice calls you in",
    "lighthouse": "a storm, no lamp, a ship before dawn",
    "night-train": "the suitcase at your feet is ticking",
    "brindle": "an innkeeper who takes stories for supper",
    "captain-okoro": "a mail captain among flying islands, two days late",
    "halcyon": "the mind of a sleeping ship, awake for two hundred years",
}


class Beginning(Struct, frozen=True):
    """A scenario or a character by its name, and what it is about."""

    name: str
    about: str


def beginnings() -> list[Beginning]:
    """Return the scenarios, then the characters, then the player's own cards."""
    found = {name: f"{each.title}: {ABOUT[name]}" for name, each in scenario.BUILT_IN.items()}
    found |= {name: ABOUT[name] for name in shipped()}
    found |= {name: f"your own card, {path.name}" for name, path in own_cards().items()}
    return [Beginning(name, about) for name, about in found.items()]


def own_cards() -> dict[str, Path]:
    """Return the cards in the player's folder of characters that are not called as something of the program's."""
    there = own(paths.characters_folder())
    return {name: path for name, path in there.items() if name not in scenario.BUILT_IN and name not in shipped()}
