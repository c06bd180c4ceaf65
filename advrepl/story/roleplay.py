"""From a character card to what a story starts from: persona, greeting and example dialogue, macros filled in once.

Does not know how a persona is spelled for a model (prompt/formats.py).
"""

import re

from advrepl.story.cards import Character
from advrepl.story.macros import Context, expand
from advrepl.story.scenario import Scenario


def scenario_of(character: Character, you: str = "You") -> Scenario:
    """The scenario of a roleplay with this character, `you` being the player's name.

    Macros are expanded here and never again, so that the beginning of the prompt stands still.
    """
    char, bound = character.char, dict[str, str]()
    context = Context(
        user=you,
        char=char,
        description=character.description,
        personality=character.personality,
        scenario=character.scenario,
        mes_examples=character.mes_example,
        greetings=(character.first_mes, *character.alternate_greetings),
        version=character.character_version,
    )

    def filled(text: str, where: str) -> str:
        return expand(text, context, bound, where).strip()

    parts = [
        filled(character.description, "description"),
        _labelled("Personality", filled(character.personality, "personality")),
        _labelled("Scenario", filled(character.scenario, "scenario")),
    ]
    return Scenario(
        name=slug(character.name),
        title=character.name,
        system="\n".join(part for part in parts if part),
        start="",
        opening=filled(character.first_mes, "first_mes"),
        narrator=char,
        options=0,
        roleplay=True,
        you=you,
        examples=_examples(filled(character.mes_example, "mes_example")),
    )


def slug(name: str) -> str:
    """A name for the save: letters and digits of the character's."""
    words = re.findall(r"[^\W_]+", name.casefold())
    return "-".join(words)[:60] or "character"


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if text else ""


def _examples(text: str) -> str:
    """Example dialogue without the <START> that opens each of its blocks (card spec V1)."""
    blocks = re.split(r"<START>", text, flags=re.IGNORECASE)
    return "\n".join(block.strip() for block in blocks if block.strip())
