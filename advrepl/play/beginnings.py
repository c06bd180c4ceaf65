"""What a new story can begin with: the scenarios and characters that come with the program, with a line on each.

Opens nothing (session.py does).
"""

from dataclasses import dataclass

from advrepl.cards.character import shipped
from advrepl.story import scenario

ABOUT = {
    "start": "an abandoned house, and a voice that calls you in",
    "lighthouse": "a winter storm, a lamp that is out, a ship due before dawn",
    "night-train": "you wake on a train, and something in the suitcase ticks",
    "brindle": "an innkeeper who takes stories for supper",
    "captain-okoro": "a mail captain among flying islands, two days late",
    "halcyon": "the mind of a sleeping ship, awake for two hundred years",
}


@dataclass(frozen=True, slots=True)
class Beginning:
    """A scenario or a character by its name, and what it is about."""

    name: str
    about: str
    is_character: bool


def beginnings() -> list[Beginning]:
    """Return the scenarios, then the characters."""
    scenarios = [Beginning(name, f"{each.title}: {ABOUT[name]}", False) for name, each in scenario.BUILT_IN.items()]
    return [*scenarios, *(Beginning(name, ABOUT[name], True) for name in shipped())]
