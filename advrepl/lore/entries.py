"""What a lorebook is here, whichever program wrote it: entries, and the rules for when each applies.

Does not know how books are written (books.py), nor how the rules are followed (activation.py).
"""

from typing import Literal, get_args

import msgspec

Logic = Literal["any", "not all", "not any", "all"]
Position = Literal["before", "after", "depth", "outlet"]
Role = Literal["system", "user", "assistant"]
LOGICS: tuple[Logic, ...] = get_args(Logic)  # as SillyTavern numbers them
TOP_TO_BOTTOM: tuple[Position, ...] = get_args(Position)  # of the prompt
ROLES: tuple[Role, ...] = get_args(Role)  # as SillyTavern numbers them


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A piece of lore and when it applies. Numbers of turns are 0 where the entry has no such rule.

    The names are SillyTavern's and those of the V3 specification.
    """

    id: str
    content: str
    keys: tuple[str, ...] = ()
    secondary_keys: tuple[str, ...] = ()
    selective_logic: Logic = "any"  # how many of the secondary keys must be there
    additional_keys: tuple[str, ...] = ()  # one of these must be there too
    exclude_keys: tuple[str, ...] = ()  # none of these may be there
    enabled: bool = True
    constant: bool = False
    activate: bool = False  # as if its keys were there
    use_regex: bool = False  # all keys are patterns, not only those written /like this/
    case_sensitive: bool = False
    match_whole_words: bool = False  # a key of one word does not match inside a longer word
    match_sources: tuple[str, ...] = ()  # texts besides the turns that keys are looked for in, of SOURCES
    order: float = 100.0  # lower stands earlier
    priority: float = 0.0  # lower is dropped first
    ignore_on_max_context: bool = False
    ignore_budget: bool = False  # told also where no tokens are left
    position: Position = "after"  # among the entries that stand before the same turn: "before" stands first
    depth: int = 4  # among those with position "depth": the deepest stands first
    outlet: str = ""  # told only where {{outlet::…}} names it
    role: Role = "system"
    probability: float = 100.0
    groups: tuple[str, ...] = ()
    group_weight: float = 100.0
    group_override: bool = False  # its groups, by order, before any that are drawn by weight
    use_group_scoring: bool = False  # leaves its group to those of which more keys were found
    sticky: int = 0  # the first number of turns since it began with which it is no longer kept
    cooldown: int = 0  # the first number of turns since then with which it may begin again
    delay: int = 0  # turns that the story must have
    activate_only_after: int = 0  # replies that the model must have written
    activate_only_every: int = 0  # so many replies
    greeting: int | None = None
    scan_depth: int | None = None
    exclude_recursion: bool = False  # its keys are not looked for in other entries
    prevent_recursion: bool = False  # no keys are looked for in its own text
    delay_until_recursion: int = 0  # the level of recursion from which it takes part; 0: needs none
    characters: tuple[str, ...] = ()  # for whom alone it is; file names of their cards, as SillyTavern has them
    tags: tuple[str, ...] = ()  # characters with one of these alone
    for_others: bool = False  # it is for all but those characters and tags
    triggers: tuple[str, ...] = ()  # for which replies alone it is: "normal", "continue", "swipe", …


class Book(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Lore from one source, or from several that were combined."""

    entries: tuple[Entry, ...] = ()
    scan_depth: int | None = None  # turns; None: as activation.py has it
    token_budget: int | None = None  # None: none of its own
    recursive: bool = False


# What an entry may be looked for in besides the turns, with the names of its flag in world files and in card books.
SOURCES = {
    "persona": ("matchPersonaDescription", "match_persona_description"),
    "description": ("matchCharacterDescription", "match_character_description"),
    "personality": ("matchCharacterPersonality", "match_character_personality"),
    "depth_prompt": ("matchCharacterDepthPrompt", "match_character_depth_prompt"),
    "scenario": ("matchScenario", "match_scenario"),
    "creator_notes": ("matchCreatorNotes", "match_creator_notes"),
}
