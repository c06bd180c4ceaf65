"""What stands between the turns: lore and notes, each put before a turn of the player when it is due.

A text stays where it was put while the story goes on, so that the prompt behind it, and the model's cache, stand still:
it costs its own tokens, once. It is put there again when it is still wanted and has become too distant.
Does not know how it is spelled (prompt/formats.py) or which lore applies (lore/activation.py).
"""

from collections.abc import Mapping, Sequence

import msgspec

from advrepl.lore.entries import Role
from advrepl.story.scenario import Injection, Scenario
from advrepl.story.tree import Turn

# The sources of a scenario's injections.
NOTE, POST_HISTORY, DEPTH_PROMPT = "note", "post_history", "depth_prompt"
GUIDANCE = "guidance"  # what a small model is told with each turn (play/guidance.py)
RECAP = "recap"  # what is kept of turns that are out of sight (quotes.py)
CARRIED = "carried"  # what the player has, and where he is (carried.py)
LORE = "lore "  # the source of an entry: this and its id
POST_HISTORY_DEPTH = 4  # turns; a card's post-history instructions
NOTE_DEPTH = 4  # as SillyTavern has it
LORE_DEPTH = 8  # turns after which an entry that applies is told again, at the latest


def shown(scenario: Scenario, turn: Turn) -> tuple[tuple[Role, str], ...]:
    """Return what the model is told before this turn, with who says it: lore as it was put, the rest while it is so."""
    wanted = [pair for pair in turn.injections.items() if _is_wanted(scenario, *pair)]
    return tuple((turn.injection_roles.get(source, "system"), text) for source, text in wanted)


def due(scenario: Scenario, lore: Mapping[str, Injection], recent: Sequence[Turn]) -> dict[str, Injection]:
    """Choose what to put before a new turn that follows the `recent` ones (oldest first; as many as `reach` says).

    `lore`: the entries that apply, by source.
    """
    return {
        source: injection
        for source, injection in {**lore, **scenario.injections}.items()
        # The new turn is one more.
        if all(
            turn.injections.get(source) != injection.text
            for turn in recent[max(len(recent) + 1 - injection.depth, 0) :]
        )
    }


def reach(scenario: Scenario) -> int:
    """Return how many turns back a text may stand that is not due yet."""
    return max([LORE_DEPTH, *(injection.depth for injection in scenario.injections.values())])


def without_least(turn: Turn) -> tuple[Turn, str] | None:
    """Return the turn without the text before it that is wanted least, and that one's source; None: it has none.

    First what small models are told, then lore (the entries that came last are the least of it), then what the card
    wants said, in the end the player's own note.
    """
    if not turn.injections:
        return None
    source = max(enumerate(turn.injections), key=lambda placed: (_rank(placed[1]), placed[0]))[1]
    rest = {other: text for other, text in turn.injections.items() if other != source}
    return msgspec.structs.replace(turn, injections=rest), source


def named(source: str) -> str:
    """Say in words what a text is that has no room."""
    names = {NOTE: "the note", POST_HISTORY: "the card's post-history instructions", DEPTH_PROMPT: "the card's note"}
    names |= {RECAP: "the recap", CARRIED: "what is carried"}
    return names.get(source, "lore")


def _rank(source: str) -> int:
    order = (NOTE, POST_HISTORY, DEPTH_PROMPT, RECAP, CARRIED, "lore", GUIDANCE)
    return order.index(source if source in order else "lore")


def _is_wanted(scenario: Scenario, source: str, text: str) -> bool:
    if source in (GUIDANCE, RECAP, CARRIED) or source.startswith(LORE):
        return True
    injection = scenario.injections.get(source)
    return injection is not None and injection.text == text
