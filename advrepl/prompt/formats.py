"""How a conversation is spelled for a model: metharme and pygmalion. The models' own chat templates: template.py.

Does not know about tokens or which turns fit (window.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from advrepl.prompt.segments import Prompt, Segment
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

# How the family is put into roleplay (Pygmalion-2 7B model card).
RP_MODE = (
    "Enter RP mode. Pretend to be {char} whose persona follows:\n{persona}\n\n"
    "You shall reply to the user while staying in character, and generate long responses."
)


def instruction(scenario: Scenario) -> str:
    """The system text for models that take instructions: a persona is wrapped into one."""
    if not scenario.roleplay:
        return scenario.system
    text = RP_MODE.format(char=scenario.narrator, persona=scenario.system)
    return f"{text}\n\nExample dialogue:\n{scenario.examples}" if scenario.examples else text


def player_stops(scenario: Scenario) -> tuple[str, ...]:
    """Where a reply begins to speak for the player, also without a colon (SillyTavern issue 652)."""
    if not scenario.roleplay:
        return ()
    return (f"\n{scenario.you}:", *((f"\n{scenario.you} ",) if scenario.you.casefold() != "you" else ()))


class Format(Protocol):
    """A way to spell a conversation, and the texts at which a reply ends."""

    @property
    def name(self) -> str: ...
    def spell(self, scenario: Scenario, turns: Sequence[Turn]) -> Prompt: ...
    def spelled(self, scenario: Scenario, text: str) -> str:
        """The text of one turn, without its mark: what spells roles in this format is made harmless."""

    def stops(self, scenario: Scenario) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Metharme:
    """Role markers in a row, without newlines and without end tokens between turns (Metharme 7B model card).

    For the LLaMA-based models the markers are ordinary text, so they are made harmless wherever others wrote them.
    """

    name: str = "metharme"

    def spell(self, scenario: Scenario, turns: Sequence[Turn]) -> Prompt:
        spelled = tuple(Segment(f"<|{turn.role}|>", self.spelled(scenario, turn.text)) for turn in turns)
        cue = () if turns and turns[-1].role == "model" else (Segment("<|model|>", ""),)
        return Prompt((Segment("<|system|>", self.spelled(scenario, instruction(scenario))),), spelled, cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        return ("<|user|>", "<|model|>", "<|system|>", *player_stops(scenario))

    def spelled(self, scenario: Scenario, text: str) -> str:
        return re.sub(r"<\|(?=(?:system|user|model)\|>)", "< |", text)


@dataclass(frozen=True)
class Pygmalion:
    """A persona, `<START>`, then lines that begin with a name; the player is always "You" (Pygmalion 7B model card)."""

    name: str = "pygmalion"

    def spell(self, scenario: Scenario, turns: Sequence[Turn]) -> Prompt:
        char = scenario.narrator
        names = {"user": "You", "model": char}
        persona = self.spelled(scenario, scenario.system).lstrip()
        head = [Segment(f"{char}'s Persona: ", persona), Segment("\n<START>", "")]
        if scenario.examples:
            # The player is "You" here whatever he is called, so the examples are ours to open lines with.
            examples = re.sub(rf"^{re.escape(scenario.you)}:", "You:", scenario.examples, flags=re.M)
            head.append(Segment("\n", examples.replace("<START>", "< START>")))
        spelled = tuple(Segment(f"\n{names[turn.role]}:", self.spelled(scenario, turn.text)) for turn in turns)
        cue = () if turns and turns[-1].role == "model" else (Segment(f"\n{char}:", ""),)
        return Prompt(tuple(head), spelled, cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        return ("\nYou:", f"\n{scenario.narrator}:", "<START>")

    def spelled(self, scenario: Scenario, text: str) -> str:
        """Foreign text cannot open a line in somebody's name, nor a new dialogue."""
        speaker = re.compile(rf"\n(?=\s*(?:You|{re.escape(scenario.narrator)})\s*:)")
        return " " + speaker.sub(" ", text.replace("<START>", "< START>"))


FORMATS: dict[str, Format] = {format.name: format for format in (Metharme(), Pygmalion())}


def format_by_name(name: str) -> str | None:
    """Pygmalion-2 and its merges were trained on Metharme's prompts (Pygmalion-2 7B model card)."""
    plain = name.casefold().replace("_", "-").replace(" ", "-")
    if "metharme" in plain or "mythalion" in plain or "pygmalion-2-" in plain or plain.endswith("pygmalion-2"):
        return "metharme"
    return "pygmalion" if "pygmalion" in plain else None
