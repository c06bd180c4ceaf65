"""What the player may ask for next, as jobs for the prefetcher: the options on offer, and another take of the last
reply.

Works out what would be written, and writes nothing: engines/prefetch.py does, while the player reads.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

from advrepl import AdvreplError
from advrepl.engines.base import Engine
from advrepl.engines.slots import PrefetchJob
from advrepl.play.planner import SHORTEST_LINE, Planner
from advrepl.play.reply import Option, Piece, ReplyTask, Written
from advrepl.play.thoughts import Thought
from advrepl.prompt import options as menu
from advrepl.prompt.segments import Window
from advrepl.story.tree import Story, WithoutLastTurn, WithTurn

WriterEvent = Piece | Option | Thought | Written
Write = Callable[[Engine, ReplyTask], Iterator[WriterEvent]]  # how an engine answers a task

RECENT = 40  # turns from which the player's habit is read


def candidates(planner: Planner, write: Write) -> tuple[Window, list[PrefetchJob[WriterEvent]]]:
    """Return the window for the shortest line, and the replies whose windows begin where it begins, likeliest first.

    Raises AdvreplError where the context has no room for another turn.
    """
    window = planner.player_turn(SHORTEST_LINE).window
    tasks = [*((task, False) for task in _picked(planner)), *((task, True) for task in _retried(planner))]
    return window, [_job(write, task, later) for task, later in tasks if task.window.evicted == window.evicted]


def _job(write: Write, task: ReplyTask, later: bool) -> PrefetchJob[WriterEvent]:
    return PrefetchJob(task, lambda engine: write(engine, task), later)


def _picked(planner: Planner) -> Iterator[ReplyTask]:
    story, options = planner.state.story, planner.state.options()
    seed, habit = planner.reply_seed(len(story.turns) + 1), habits(story)
    for number in sorted(range(len(options)), key=lambda number: (-habit.get(number, 0), number)):
        try:
            planned = planner.player_turn(options[number])
        except AdvreplError:  # it does not fit the context; that is told when it is chosen
            continue
        yield planner.reply_task(WithTurn(story, planned.turn), planned.window, seed)


def _retried(planner: Planner) -> Iterator[ReplyTask]:
    story = planner.state.story
    if story.last and story.last.role == "model" and story.last.parent is not None:
        seed = planner.reply_seed(len(story.turns))
        yield planner.reply_task(WithoutLastTurn(story), planner.earlier_window(), seed)


def habits(story: Story) -> dict[int, int]:
    """Count how often the player took the first option (0), the second (1), …, of late."""
    recent = story.path_turns(max(len(story) - RECENT, 0))
    counts: dict[int, int] = {}
    for reply, turn in pairwise(recent):
        offered = menu.split(reply.text)[1] if reply.role == "model" else ()
        if turn.role == "user" and turn.text in offered:
            number = offered.index(turn.text)
            counts[number] = counts.get(number, 0) + 1
    return counts
