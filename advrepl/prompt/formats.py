"""How a conversation is spelled for a model: metharme and pygmalion. The models' own chat templates: template.py.

Does not know about tokens or which turns fit (window.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from advrepl.prompt.segments import Block, Prompt, Segment
from advrepl.story.injections import shown
from advrepl.story.scenario import ORIGINAL, Scenario
from advrepl.story.tree import Turn

# How the family is put into roleplay (Pygmalion-2 7B model card).
RP_MODE = (
    "Enter RP mode. Pretend to be {char} whose persona follows:\n{persona}\n\n"
    "You shall reply to the user while staying in character, and generate {length} responses."
)
# The same where a card brings its own instruction and quotes the usual one.
RP_QUOTED = "Enter RP mode. You shall reply to the user while staying in character, and generate {length} responses."
LENGTHS = {"short": "short", "medium": "medium-length", "long": "long"}


def instruction(scenario: Scenario) -> str:
    """The system text for models that take instructions: a persona is wrapped into one."""
    told, length = background(scenario), LENGTHS[scenario.length]
    if not scenario.roleplay:
        return told
    if not scenario.instruction:
        return RP_MODE.format(char=scenario.narrator, persona=told, length=length)
    return scenario.instruction.replace(ORIGINAL, RP_QUOTED.format(length=length)) + "\n\n" + told


def background(scenario: Scenario) -> str:
    """Who and what the story is about, as far as it never changes: system text or persona, lore, player, memory."""
    whose = "The user's" if scenario.you == "You" else f"{scenario.you}'s"
    player = f"{whose} persona: {scenario.persona}" if scenario.persona else ""
    return "\n".join(part for part in (scenario.system, scenario.lore, player, scenario.memory) if part)


def example(dialogue: str) -> str:
    """A block of example dialogue as it follows an instruction."""
    return f"\n\nExample dialogue:\n{dialogue}"


def player_stops(scenario: Scenario) -> tuple[str, ...]:
    """Where a reply begins to speak for the player, also without a colon (SillyTavern issue 652)."""
    if not scenario.roleplay:
        return ()
    return (f"\n{scenario.you}:", *((f"\n{scenario.you} ",) if scenario.you.casefold() != "you" else ()))


class Format(Protocol):
    """A way to spell a conversation, and the texts at which a reply ends."""

    @property
    def name(self) -> str: ...
    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        """The prompt for the turns, after those example dialogues that there is room for."""

    def spelled(self, scenario: Scenario, text: str) -> str:
        """The text of one turn, without its mark: what spells roles in this format is made harmless."""

    def stops(self, scenario: Scenario) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Metharme:
    """Role markers in a row, without newlines and without end tokens between turns (Metharme 7B model card).

    For the LLaMA-based models the markers are ordinary text, so they are made harmless wherever others wrote them.
    """

    name: str = "metharme"

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        examples = [(Segment("", self.spelled(scenario, example(dialogue))),) for dialogue in dialogues]
        told = [self._turn(scenario, turn) for turn in turns]
        cue = () if turns and turns[-1].role == "model" else (Segment("<|model|>", ""),)
        head = Segment("<|system|>", self.spelled(scenario, instruction(scenario)))
        return Prompt((head,), (*examples, *told), cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        return ("<|user|>", "<|model|>", "<|system|>", *player_stops(scenario))

    def spelled(self, scenario: Scenario, text: str) -> str:
        return re.sub(r"<\|(?=(?:system|user|model)\|>)", "< |", text)

    def _turn(self, scenario: Scenario, turn: Turn) -> Block:
        before = [Segment("<|system|>", self.spelled(scenario, text)) for text in shown(scenario, turn)]
        return (*before, Segment(f"<|{turn.role}|>", self.spelled(scenario, turn.text)))


@dataclass(frozen=True)
class Pygmalion:
    """A persona, `<START>`, then lines that begin with a name; the player is always "You" (Pygmalion 7B model card).

    It takes no instructions: a card's own and the length of the replies are left out.
    """

    name: str = "pygmalion"

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        char = scenario.narrator
        persona = self.spelled(scenario, background(scenario)).lstrip()
        head = (Segment(f"{char}'s Persona: ", persona), Segment("\n<START>", ""))
        # The player is "You" here whatever he is called, so the examples are ours to open lines with.
        player = re.compile(rf"^{re.escape(scenario.you)}:", flags=re.M)
        examples = [(Segment("\n", player.sub("You:", dialogue)),) for dialogue in dialogues]
        told = [self._turn(scenario, turn) for turn in turns]
        cue = () if turns and turns[-1].role == "model" else (Segment(f"\n{char}:", ""),)
        return Prompt(head, (*examples, *told), cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("\nYou:", f"\n{scenario.narrator}:", "<START>", *player_stops(scenario))))

    def spelled(self, scenario: Scenario, text: str) -> str:
        """Foreign text cannot open a line in somebody's name, nor a new dialogue."""
        speaker = re.compile(rf"\n(?=\s*(?:You|{re.escape(scenario.narrator)})\s*:)")
        return " " + speaker.sub(" ", text.replace("<START>", "< START>"))

    def _turn(self, scenario: Scenario, turn: Turn) -> Block:
        name = "You" if turn.role == "user" else scenario.narrator
        before = [Segment("\n[", self.spelled(scenario, text).strip() + "]") for text in shown(scenario, turn)]
        return (*before, Segment(f"\n{name}:", self.spelled(scenario, turn.text)))


FORMATS: dict[str, Format] = {format.name: format for format in (Metharme(), Pygmalion())}


def format_by_name(name: str) -> str | None:
    """Pygmalion-2 and its merges were trained on Metharme's prompts (Pygmalion-2 7B model card)."""
    plain = name.casefold().replace("_", "-").replace(" ", "-")
    if "metharme" in plain or "mythalion" in plain or "pygmalion-2-" in plain or plain.endswith("pygmalion-2"):
        return "metharme"
    return "pygmalion" if "pygmalion" in plain else None
