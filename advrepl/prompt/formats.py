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
        return Prompt((Segment("<|system|>", self.spelled(scenario, scenario.system)),), spelled, cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        return ("<|user|>", "<|model|>", "<|system|>")

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
        head = (Segment(f"{char}'s Persona: ", persona), Segment("\n<START>", ""))
        spelled = tuple(Segment(f"\n{names[turn.role]}:", self.spelled(scenario, turn.text)) for turn in turns)
        cue = () if turns and turns[-1].role == "model" else (Segment(f"\n{char}:", ""),)
        return Prompt(head, spelled, cue)

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
