"""Decide which turns and example dialogues fit the context, in tokens.

Does not know about KV caches (engines/kv/reuse.py) or how a turn is spelled (formats.py).
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice, takewhile

from advrepl import AdvreplError
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.story.context import LARGER_CTX
from advrepl.story.injections import without_least
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Story, Turn, TurnPath, WithLastTurn

# When turns must go, they go until the rest takes this share of the room: the prompt then stands still,
# and with it the cache, for many turns.
FULL_AFTER_EVICTION = 0.75
# After an undo, or with a larger context, evicted turns come back only below this share: bringing them back
# means feeding everything behind the head again. Of what stays after an eviction it is this part.
FULL_ENOUGH = 2 / 3
STEP_BACK = 8  # turns looked at when evicted turns come back; then each time twice as many
# Characters of text for a token of room, which take more tokens than there is room for: nearly all text is four to one.
SURELY_MORE = 8

Sizes = Callable[[Sequence[Segment]], list[int]]  # tokens of each segment of a prompt, where it stands


def surplus(sizes: Sequence[int], room: int, target: float, kept: int = 1) -> int:
    """How many of the oldest blocks to drop: none while all fit the room, else until the rest takes at most `target`.

    The last `kept` ones always stay.
    """
    used, dropped = sum(sizes), 0
    if used <= room:
        return 0
    while dropped < len(sizes) - kept and used > target:
        used -= sizes[dropped]
        dropped += 1
    return dropped


def build(
    format: Format,
    scenario: Scenario,
    story: TurnPath,
    sizes_of: Sizes,
    budget: int,
    start: int = 0,
    turns: int | None = None,
    slide_to: float = FULL_AFTER_EVICTION,
    more_room: str = LARGER_CTX,
) -> Window:
    """The window for the story's head; `start` is the first block of the window before it, 0 for a new story.

    `turns`: the tokens that all turns but the last may take, where the context has room for more. `slide_to`: the share
    of the room that they take once they have slid. `more_room`: what to do for more of it, as an error is to say.

    Example dialogues are the first blocks: they stand behind the head and slide out as turns do, before them.
    Costs what the window costs, however long the story is.
    """
    spell = partial(_spell, format, scenario, story, sizes_of)
    start = max(min(start, len(scenario.dialogues) + len(story) - 1), 0)
    far = _far_start(scenario, story, start, budget)
    prompt, head, sizes = spell(far)
    room = budget - head
    if far > start and sum(sizes) > room:
        start = far
    elif far > start:  # of another kind of text than most
        prompt, head, sizes = spell(start)
    if room <= 0:
        raise AdvreplError(
            f"the system text takes {head} tokens and the context has room for {budget} besides the reply: "
            f"shorten it, give a smaller --max-tokens, or {more_room}"
        )
    limit = wanted = room if turns is None else min(room, turns)
    step = STEP_BACK
    while start > 0 and sum(sizes) < wanted * slide_to * (FULL_ENOUGH if limit == wanted else 1):
        start, limit, step = max(start - step, 0), int(wanted * slide_to), 2 * step
        prompt, head, sizes = spell(start)
    while dropped := surplus(sizes, limit, wanted * slide_to, min(len(story), 1)):
        start = _at_player(scenario, story, start + dropped)
        prompt, head, sizes = spell(start)
    left_out: list[str] = []
    while sum(sizes) > room and prompt.cue and (fewer := _without_least(story)):
        story, source = fewer
        left_out.append(source)
        prompt, head, sizes = _spell(format, scenario, story, sizes_of, start)
    if sum(sizes) > room and prompt.cue:  # a reply may have used the room that is kept free for it
        raise AdvreplError(
            f"the last turn takes {sum(sizes)} tokens and the context has room for {room} besides the system text "
            f"and the reply: say it in fewer words, or {more_room}"
        )
    return Window(prompt, evicted=start, used=head + sum(sizes), budget=budget, left_out=tuple(left_out))


def _far_start(scenario: Scenario, story: TurnPath, start: int, budget: int) -> int:
    """The first block behind which there is too much text for the room in any case, as in a story told elsewhere.

    All before it need not be tokenized; `start`: there is none.
    """
    first = max(start - len(scenario.dialogues), 0)
    left = SURELY_MORE * max(budget, 0)
    turns = story.path_turns(first)
    for place in range(len(turns) - 1, 0, -1):
        left -= len(turns[place].text)
        if left < 0:
            return len(scenario.dialogues) + first + place
    return start


def _without_least(story: TurnPath) -> tuple[TurnPath, str] | None:
    """The story with one text less before its last turn, and that one's source; None: there is none."""
    last = story.path_turns(max(len(story) - 1, 0))
    found = without_least(last[-1]) if last else None
    return (WithLastTurn(story, found[0]), found[1]) if found else None


def blocks_from(scenario: Scenario, story: TurnPath, start: int) -> tuple[list[Turn], tuple[str, ...]]:
    """The turns and example dialogues from block `start` on."""
    dialogues = scenario.dialogues
    return story.path_turns(max(start - len(dialogues), 0)), dialogues[start:]


def before_player(scenario: Scenario, story: Story) -> int:
    """How many blocks of a story stand before the first words of the player."""
    spoken = takewhile(lambda index: story.turns[index].role == "model", story.path)
    return len(scenario.dialogues) + sum(1 for _ in spoken)


def _spell(
    format: Format, scenario: Scenario, story: TurnPath, sizes_of: Sizes, start: int
) -> tuple[Prompt, int, list[int]]:
    prompt = format.spell(scenario, *blocks_from(scenario, story, start))
    sizes = iter(sizes_of(prompt.segments))
    head = sum(islice(sizes, len(prompt.head)))
    blocks = [sum(islice(sizes, len(block))) for block in prompt.blocks]
    return prompt, head + sum(sizes), blocks


def _at_player(scenario: Scenario, story: TurnPath, start: int) -> int:
    """Let the window begin with the player: a reply to words that are gone reads oddly."""
    turns, dialogues = blocks_from(scenario, story, start)
    if dialogues:
        return start
    replies = takewhile(lambda turn: turn.role != "user", turns[:-1])
    return start + len(list(replies))
