"""Things that an adventure names, by what can be done with them, in English.

A small model greets the kitchen and lights the voice; an option for it is a verb and a thing of the right kind that was
told of. Pure functions on text; the verbs are in actions.py.
"""

import re
from collections.abc import Iterable

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NAME = re.compile(r"(?<=[^\W\d_,] )[A-Z][a-z]{2,}\b")  # not what begins a sentence

# "a fat green ledger,": up to what ends the name of a thing, in English.
_BEHIND = "and or of in on at to with that which who from for over than as she he it is was has rides between"
_OWNED = re.compile(
    r"\b(?:an?|the|her|his|its|their|my|your|no|each) (?:[a-z-]+ ){0,2}?([a-z]{3,})"
    rf"(?=[.,;:!?]| (?:{'|'.join(_BEHIND.split())})\b)",
    re.IGNORECASE,
)

PERSON = """
    man men woman women girl boy person people figure figures stranger strangers child children friend friends guard
    guards soldier soldiers keeper conductor captain sailor sailors knight king queen prince princess wizard witch ghost
    ghosts spirit spirits creature creatures beast monster dragon wolf wolves dog cat horse bird lady gentleman villager
    villagers crowd mother father brother sister son daughter grandmother grandfather uncle aunt wife husband neighbor
    neighbour owner servant priest monk thief hunter farmer merchant innkeeper bartender driver passenger passengers
    officer policeman detective doctor nurse teacher leader warrior hero companion ally enemy elder shopkeeper librarian
    guide
"""
VOICE = "voice voices"  # somebody who is heard and not seen
OPENING = """
    door doors gate window windows box chest drawer drawers cupboard cabinet closet wardrobe book letter envelope
    suitcase bag trunk curtain curtains hatch trapdoor cellar safe desk crate jar bottle case coffin locket package
    parcel fridge
"""
TEXT = """
    book books letter letters note notes sign signs log diary journal map ticket inscription symbol symbols page pages
    scroll newspaper paper papers words writing poster plaque label
"""
LIGHT = "candle candles lantern lamp lamps torch fire fireplace stove match"
PLACE = """
    room house kitchen cellar basement attic hall hallway corridor bedroom bathroom library garden yard forest woods
    cave tunnel tower lighthouse cottage mansion castle church chapel barn shed cabin street alley alleyway road path
    bridge river beach shore boat ship train carriage compartment station village town city field hill mountain doorway
    entrance building inn tavern shop store office temple tomb crypt dungeon chamber staircase stairs porch shadows
    darkness fog balcony deck platform ruins clearing island sea ocean mountains cliff
"""
HEIGHT = "stairs staircase ladder wall tree tower hill mountain rope roof fence rocks steps"
PORTABLE = """
    lantern lamp candle torch key keys book letter note map sword knife dagger axe rope coin coins ring necklace bottle
    bag box umbrella coat hat cloak mask mirror photograph photo picture ticket suitcase stone rock stick cup glass
    plate food bread water gift doll toy flower paper scroll diary journal pen watch clock bell flashlight matches
    blanket shovel hammer gun bow shield potion crystal gem jewel amulet pendant feather bone skull package
"""
GARMENT = "coat hat cloak mask ring boots gloves necklace amulet pendant dress shirt jacket armor armour"
COVER = """
    door curtain curtains table desk bed sofa couch chair tree trees wall rock rocks barrel barrels crate crates
    wardrobe counter bush bushes pillar statue stairs seat
"""
KINDS = {
    "person": frozenset(PERSON.split()),
    "speaker": frozenset(f"{PERSON} {VOICE}".split()),
    "opening": frozenset(OPENING.split()),
    "text": frozenset(TEXT.split()),
    "light": frozenset(LIGHT.split()),
    "place": frozenset(PLACE.split()),
    "height": frozenset(HEIGHT.split()),
    "portable": frozenset(PORTABLE.split()),
    "garment": frozenset(GARMENT.split()),
    "cover": frozenset(COVER.split()),
}
CARRIED = KINDS["portable"] | KINDS["garment"]  # what can be taken along
THING = frozenset().union(*(words for kind, words in KINDS.items() if kind not in ("person", "speaker")))
KINDS |= {"held": KINDS["portable"], "thing": THING, "any": THING | KINDS["person"]}
PRONOUNS = ("him", "her", "them")


def named(told: str) -> set[str]:
    """Return the things and persons that a text names."""
    return words(told) & (KINDS["any"] | KINDS["speaker"])


def words(told: str) -> set[str]:
    """Return the words of a text, without case."""
    return {word.casefold() for word in WORD.findall(told)}


def owned(told: str) -> set[str]:
    """Return what a text speaks of as things: the last word of an article's or the like, as it is spelled there."""
    return {found[1] for found in _OWNED.finditer(told) if not found[1].endswith(("ly", "ed"))}


def unnamed(held: Iterable[str], told: str) -> tuple[str, ...]:
    """Return what of these a text does not name."""
    return tuple(thing for thing in held if not words(thing) & words(told))


def told_of(told: str, held: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Return what an option may be about, for each kind of which the text has named something.

    `held`: what the player has, if that is known; else it may be all that could be carried.
    """
    known = words(told)
    names = set(_NAME.findall(told)) - {word.capitalize() for word in KINDS["any"]}
    persons = [*sorted(names), *PRONOUNS] if names or known & KINDS["person"] else []  # a voice is no "her" yet
    found = {kind: [f"the {word}" for word in sorted(members & known)] for kind, members in KINDS.items()}
    found |= {kind: found[kind] + persons for kind in ("person", "speaker", "any")}
    if held is not None:
        found["held"] = [f"the {thing}" for thing in held]
    return {kind: things for kind, things in found.items() if things}
