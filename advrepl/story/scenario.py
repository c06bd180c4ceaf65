"""What a story starts from: the system text, the player's first words and a written opening.

Does not know how any of it is spelled for a model (prompt/formats.py).
"""

from typing import Annotated, Literal

import msgspec

from advrepl.lore.entries import Role

# The system text and the opening of "start" are the example of the Metharme 7B model card.
ADVENTURE = (
    "This is a text adventure game. "
    "Describe the scenario to the user and give him three options to pick from on each turn."
)

# Stands, in a card's instruction, for the usual one: which that is depends on the length that is asked for.
ORIGINAL = "\ue010"
Length = Literal["short", "medium", "long"]
START_OF_EXAMPLE = "<START>"
MAX_OPTIONS = 8


class Injection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text that the model is told again and again, so that it always stands among the last `depth` turns.

    It is put before a turn of the player (story/injections.py).
    """

    text: str
    depth: int
    role: Role = "system"  # who says it


class Scenario(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fixed part of a story; a save holds its own copy, so later changes here leave old stories alone."""

    name: str
    title: str
    system: str
    start: str = "Start!"  # what the player is taken to have said first; empty: the model speaks first
    opening: str = ""  # a written first reply, for models that cannot begin unaided
    narrator: str = "Narrator"  # who the model speaks as, where a prompt format needs a name
    options: Annotated[int, msgspec.Meta(ge=0, le=MAX_OPTIONS)] = 3  # choices offered after each reply; 0 for none
    roleplay: bool = False  # `system` is the narrator's persona, not an instruction
    instruction: str = ""  # the card's own words around the persona; ORIGINAL in it stands for the usual ones
    greetings: tuple[str, ...] = ()  # openings to choose from, `opening` being one of them
    greeting_numbers: tuple[int, ...] = ()  # their numbers in the card, which has empty ones too
    examples: str = ""  # example dialogue: blocks of lines that begin with a name, <START> between them
    place: str = ""  # where the player is all the time, as in "The user is …": small models forget it
    language: str = ""  # the code of the language it is told in (prompt/languages.py); empty: as its text tells
    length: Length = "long"  # of the replies
    think: int | None = None  # tokens that a model may think before it replies; 0: it is not to; None: as it is used to
    you: str = "You"  # the player's name
    persona: str = ""  # who the player is
    lore: str = ""  # what is always true in this world
    memory: str = ""  # what the model must not forget
    injections: dict[str, Injection] = {}  # by source, as story/injections.py names them

    @property
    def dialogues(self) -> tuple[str, ...]:
        """The example dialogues, each a block of lines."""
        return tuple(block for part in self.examples.split(START_OF_EXAMPLE) if (block := part.strip()))


START = Scenario(
    name="start",
    title="The old house",
    system=ADVENTURE,
    opening=(
        "You are standing in front of an old, abandoned house. The windows are boarded up, and there's no sign of "
        "life around it. As you approach, you notice a strange feeling emanating from within. Suddenly, you hear a "
        "voice calling out to you... 'Come inside!'\n"
        "- Go inside the house.\n"
        "- Ignore the call and move away.\n"
        "- Run as fast as you can."
    ),
    place="at an old, abandoned house with boarded windows, at night",
)

LIGHTHOUSE = Scenario(
    name="lighthouse",
    title="The dark lighthouse",
    system=ADVENTURE
    + " The story is set on a small island in a winter storm. The keeper of the lighthouse has vanished, "
    "the lamp is out, and a ship is due before dawn.",
    opening=(
        "The boat that brought you is already gone. Rain beats on the rocks, and above you the lighthouse stands "
        "without a light. The door hangs open. On the step lies a lantern, still warm, and wet footprints lead "
        "away from it towards the sea. Far out in the dark a ship's bell rings once.\n"
        "- Climb the stairs to the lamp room.\n"
        "- Follow the footprints down to the water.\n"
        "- Search the keeper's kitchen for a clue."
    ),
    place="at the dark lighthouse on a small island, in a storm",
)

NIGHT_TRAIN = Scenario(
    name="night-train",
    title="The night train",
    system=ADVENTURE
    + " The story is set on a night train that crosses the mountains. The user wakes up with no memory of "
    "boarding it, and a stranger's suitcase stands at his feet.",
    opening=(
        "You wake to the beat of wheels on rails. The compartment is dark but for a small blue lamp, and the seat "
        "across from you is empty, though somebody's coat still lies on it. At your feet stands a suitcase that is "
        "not yours. Something inside it ticks. In the corridor the conductor is coming closer, knocking on each "
        "door in turn.\n"
        "- Open the suitcase.\n"
        "- Look through the pockets of the coat.\n"
        "- Step into the corridor and meet the conductor."
    ),
    place="on the night train through the mountains",
)

BUILT_IN = {scenario.name: scenario for scenario in (START, LIGHTHOUSE, NIGHT_TRAIN)}
