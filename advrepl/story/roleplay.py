"""From a character card to what a story starts from: persona, greetings and example dialogue, macros filled in once.

Does not know how a persona is spelled for a model (prompt/formats.py), nor when lore applies (lore/activation.py).
"""

import re
from typing import Any

from msgspec.structs import replace

from advrepl import AdvreplError, scripts
from advrepl.cards.character import Character
from advrepl.lore.entries import ROLES, Role
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand
from advrepl.story.injections import DEPTH_PROMPT, NOTE_DEPTH, POST_HISTORY, POST_HISTORY_DEPTH
from advrepl.story.scenario import ORIGINAL, START_OF_EXAMPLE, Injection, Scenario

LONGEST_NAME = 60  # characters
DEEPEST = 1000  # turns


def scenario_of(
    character: Character,
    you: str = "You",
    persona: str = "",
    macro_values: dict[str, str] | None = None,
    *,
    seed: str = "",
) -> Scenario:
    """Make the scenario of a roleplay with this character; `you` and `persona` are the player's name and who he is.

    Macros are expanded here and never again, so that the beginning of the prompt stands still. What was rolled for
    them with `seed` is added to `macro_values`, and what is there already is not rolled again.
    """
    context = context_of(character, you, persona)
    values = {} if macro_values is None else macro_values

    def filled(text: str, field: str, original: str = "") -> str:
        return expand(text, replace(context, original=original), values, f"card.{field}", seed=seed).strip()

    parts = [
        filled(character.description, "description"),
        _labelled("Personality", filled(character.personality, "personality")),
        _labelled("Scenario", filled(character.scenario, "scenario")),
    ]
    greetings: dict[str, int] = {}  # with their numbers in the card; empty ones are left out
    for number, text in enumerate(context.greetings):
        if greeting := filled(text, f"greetings.{number}"):
            greetings.setdefault(greeting, number)
    post_history = filled(character.post_history_instructions, "post_history")
    injections = {POST_HISTORY: Injection(post_history, POST_HISTORY_DEPTH)} if post_history else {}
    text, depth, role = _depth_prompt(character)
    if depth_prompt := filled(text, "depth_prompt"):
        injections[DEPTH_PROMPT] = Injection(depth_prompt, depth, role)
    return Scenario(
        name=slug(character.name),
        title=character.name,
        system="\n".join(part for part in parts if part),
        start="",
        opening=next(iter(greetings), ""),
        narrator=character.char,
        options=0,
        roleplay=True,
        instruction=filled(character.system_prompt, "system", ORIGINAL),
        greetings=tuple(greetings),
        greeting_numbers=tuple(greetings.values()),
        examples=_examples(filled(character.mes_example, "mes_examples")),
        you=you,
        persona=expand(persona, context, values, "persona", seed=seed).strip(),
        injections=injections,
    )


def context_of(character: Character, you: str, persona: str, **now: Any) -> MacroContext:
    """Say what macros stand for in a story with this character; `now`: the fields that follow the story."""
    return MacroContext(
        user=you,
        char=character.char,
        description=character.description,
        personality=character.personality,
        scenario=character.scenario,
        persona=persona,
        mes_examples=character.mes_example,
        system=character.system_prompt,
        post_history=character.post_history_instructions,
        creator_notes=character.creator_notes,
        depth_prompt=_depth_prompt(character)[0],
        greetings=(character.first_mes, *character.alternate_greetings),
        version=character.character_version,
        **now,
    )


def player(text: str) -> tuple[str, str]:
    """Read the player's name and persona from `NAME` or `NAME: who that is`."""
    name, _, persona = text.partition(":")
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise AdvreplError(f"{name[:20]!r}… is too long for a name: use at most {LONGEST_NAME} characters")
    if not scripts.is_name(name):
        raise AdvreplError(
            f"{text[:40]!r} does not begin with a name: write it as `Anna`, or as `Anna: a sailor with a limp`"
        )
    return name, persona.strip()


def check_other(name: str, narrator: str) -> None:
    """Refuse a name for the player under which the model speaks; raises AdvreplError."""
    if name.casefold() == narrator.casefold():
        raise AdvreplError(f"{name} is who the model speaks as: choose another name for yourself")


def calls_player(character: Character) -> bool:
    """Tell whether the player's name stands in the persona or in a greeting."""
    anybody, somebody = (scenario_of(character, name, seed="name") for name in ("You", "Somebody"))
    return anybody.system != somebody.system or anybody.greetings != somebody.greetings


def slug(name: str) -> str:
    """Make a name for the save of the letters and digits of the character's."""
    return scripts.slug(name) or "character"


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if text else ""


def _examples(text: str) -> str:
    """Example dialogue: blocks with one <START> between them (card spec V1)."""
    blocks = re.split(START_OF_EXAMPLE, text, flags=re.IGNORECASE)
    return f"\n{START_OF_EXAMPLE}\n".join(block.strip() for block in blocks if block.strip())


def _depth_prompt(character: Character) -> tuple[str, int, Role]:
    """The note that SillyTavern keeps among a card's extensions, its depth in turns, and who says it."""
    text, depth = character.depth_prompt.get("prompt"), character.depth_prompt.get("depth")
    if isinstance(depth, str) and re.fullmatch(r"\s*[0-9]{1,4}\s*", depth):
        depth = int(depth)
    if isinstance(depth, bool) or not (isinstance(depth, int) and 0 <= depth < DEEPEST):
        depth = NOTE_DEPTH
    said_by = character.depth_prompt.get("role")  # a name, or its number
    role = next((role for number, role in enumerate(ROLES) if said_by in (role, number)), ROLES[0])
    return str(text) if isinstance(text, str) else "", depth, role
