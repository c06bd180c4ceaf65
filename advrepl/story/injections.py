"""What stands between the turns: lore and notes, each put before a turn of the player when it is due.

A text stays where it was put while the story goes on, so that the prompt behind it, and the model's cache, stand still:
it costs its own tokens, once. It is put there again when it is still wanted and has become too distant.
Does not know how it is spelled (prompt/formats.py) or which lore applies (lore/activation.py).
"""

from collections.abc import Mapping, Sequence

from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

# The sources of a scenario's injections.
NOTE, POST_HISTORY, DEPTH_PROMPT = "note", "post_history", "depth_prompt"
GUIDANCE = "guidance"  # what a small model is told with each turn (play/guidance.py)
LORE = "lore "  # the source of an entry: this and its id
POST_HISTORY_DEPTH = 4  # turns; a card's post-history instructions
NOTE_DEPTH = 4  # as SillyTavern has it
LORE_DEPTH = 8  # turns after which an entry that applies is told again
# What gives way first where there is no room, and how the player knows it.
LEAST_WANTED = {
    GUIDANCE: "",
    LORE: "lore",
    DEPTH_PROMPT: "the card's depth note",
    POST_HISTORY: "the card's last instructions",
    NOTE: "your note",
}


def shown(scenario: Scenario, turn: Turn) -> tuple[str, ...]:
    """Return what the model is told before this turn: lore as it was put, the rest while it still says the same."""
    return tuple(text for source, text in turn.injections.items() if _is_wanted(scenario, source, text))


def due(scenario: Scenario, lore: Mapping[str, str], recent: Sequence[Turn]) -> dict[str, str]:
    """Choose what to put before a new turn that follows the `recent` ones (oldest first; as many as `reach` says).

    `lore`: the texts of the entries that apply, by source.
    """
    wanted = {source: (text, LORE_DEPTH) for source, text in lore.items()}
    wanted |= {source: (injection.text, injection.depth) for source, injection in scenario.injections.items()}
    return {
        source: text
        for source, (text, depth) in wanted.items()
        # The new turn is one more.
        if all(turn.injections.get(source) != text for turn in recent[max(len(recent) + 1 - depth, 0) :])
    }


def least_wanted(turn: Turn) -> str | None:
    """Return the source that gives way first of a turn's injections; of several entries of lore the last one."""
    order = list(LEAST_WANTED)
    ranked = [(-order.index(_kind(source)), place, source) for place, source in enumerate(turn.injections)]
    return max(ranked)[2] if ranked else None


def label(source: str) -> str:
    """Return how the player knows a source; "" for what is not his affair."""
    return LEAST_WANTED[_kind(source)]


def _kind(source: str) -> str:
    return LORE if source.startswith(LORE) else source


def reach(scenario: Scenario) -> int:
    """Return how many turns back a text may stand that is not due yet."""
    return max([LORE_DEPTH, *(injection.depth for injection in scenario.injections.values())])


def _is_wanted(scenario: Scenario, source: str, text: str) -> bool:
    if source == GUIDANCE or source.startswith(LORE):
        return True
    injection = scenario.injections.get(source)
    return injection is not None and injection.text == text
