"""Decide which turns fit the context, in tokens.

Does not know about KV caches (engines/kv.py) or how a turn is spelled (formats.py).
"""

from collections.abc import Callable, Sequence

from advrepl import AdvreplError
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Story, Turn

# When turns must go, they go until the rest takes this share of the room: the prompt then stands still,
# and with it the cache, for many turns.
FULL_AFTER_EVICTION = 0.75
# After an undo, or with a larger context, evicted turns come back only below this share: bringing them back
# means feeding everything behind the head again.
FULL_ENOUGH = 0.5
STEP_BACK = 8  # turns looked at in one go when evicted turns come back

Count = Callable[[Segment], int]


def surplus(sizes: Sequence[int], room: int, target: float) -> int:
    """How many of the oldest turns to drop: none while all fit the room, else until the rest takes at most `target`.

    The last turn always stays.
    """
    used, dropped = sum(sizes), 0
    if used <= room:
        return 0
    while dropped < len(sizes) - 1 and used > target:
        used -= sizes[dropped]
        dropped += 1
    return dropped


def build(format: Format, scenario: Scenario, story: Story, count: Count, budget: int, start: int = 0) -> Window:
    """The window for the story's head; `start` is the first turn of the window before it, 0 for a new story.

    Costs what the window costs, however long the story is.
    """
    start = max(min(start, len(story.path) - 1), 0)
    prompt, head, sizes = _spell(format, scenario, story.told(start), count)
    room = budget - head
    if room <= 0:
        raise AdvreplError(
            f"the system text takes {head} tokens and the context has room for {budget} besides the reply: "
            "shorten it, give a larger --ctx or a smaller --max-tokens"
        )
    limit = room
    while start > 0 and sum(sizes) < room * (FULL_ENOUGH if limit == room else FULL_AFTER_EVICTION):
        start, limit = max(start - STEP_BACK, 0), int(room * FULL_AFTER_EVICTION)
        prompt, head, sizes = _spell(format, scenario, story.told(start), count)
    while dropped := surplus(sizes, limit, room * FULL_AFTER_EVICTION):
        start = _at_player(story.told(start), start, dropped)
        prompt, head, sizes = _spell(format, scenario, story.told(start), count)
    if sum(sizes) > room and prompt.cue:  # a reply may have used the room that is kept free for it
        raise AdvreplError(
            f"the last turn takes {sum(sizes)} tokens and the context has room for {room} besides the system text "
            "and the reply: say it in fewer words, or give a larger --ctx"
        )
    return Window(prompt, evicted=start, used=head + sum(sizes), budget=budget)


def _spell(format: Format, scenario: Scenario, turns: Sequence[Turn], count: Count) -> tuple[Prompt, int, list[int]]:
    prompt = format.spell(scenario, turns)
    fixed = sum(map(count, (*prompt.head, *prompt.cue)))
    return prompt, fixed, [count(segment) for segment in prompt.turns]


def _at_player(told: Sequence[Turn], start: int, dropped: int) -> int:
    """Let the window begin with the player: a reply to words that are gone reads oddly."""
    for turn in told[dropped:-1]:
        if turn.role == "user":
            break
        dropped += 1
    return start + dropped
