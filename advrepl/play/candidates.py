"""What the player may ask for next, as jobs for the writer: the options on offer, and another take of the last reply.

Works out what would be written, and writes nothing: engines/ahead.py does, while the player reads.
"""

from collections.abc import Iterator
from itertools import pairwise

from advrepl import AdvreplError
from advrepl.engines.base import Engine
from advrepl.engines.prefetch import Job
from advrepl.play.scene import Scene
from advrepl.play.writer import Choice, Piece, Task, Writer, Written
from advrepl.prompt import options as menu
from advrepl.prompt.segments import Window
from advrepl.story.tree import Before, Next

Event = Piece | Choice | Written

LEAST = "."  # what must slide out with the shortest line slides out with any
RECENT = 40  # turns from which the player's habit is read


def prospects(scene: Scene) -> tuple[Window, list[Job[Event]]]:
    """The window for the shortest line, and the replies that go on from there, the likeliest first."""
    window = scene.move(LEAST).window
    tasks = [*((task, False) for task in _chosen(scene)), *((task, True) for task in _retried(scene))]
    return window, [_job(task, later) for task, later in tasks if task.window.evicted == window.evicted]


def _job(task: Task, later: bool) -> Job[Event]:
    def write(engine: Engine) -> Iterator[Event]:
        return Writer(engine, task).write()

    return Job(task, write, later)


def _chosen(scene: Scene) -> Iterator[Task]:
    options, seed = scene.options(), scene.seed(len(scene.story.turns) + 1)
    habit = habits(scene)
    for number in sorted(range(len(options)), key=lambda number: (-habit.get(number, 0), number)):
        try:
            move = scene.move(options[number])
        except AdvreplError:  # it does not fit the context; that is told when it is chosen
            continue
        yield scene.task(Next(scene.story, move.turn), move.window, seed)


def _retried(scene: Scene) -> Iterator[Task]:
    last, earlier = scene.story.last, Before(scene.story)
    if last and last.role == "model" and last.parent is not None:
        yield scene.task(earlier, scene.window(earlier), scene.seed(len(scene.story.turns)))


def habits(scene: Scene) -> dict[int, int]:
    """How often the player took the first option, the second, …, of late."""
    told = scene.story.told(max(len(scene.story) - RECENT, 0))
    counts: dict[int, int] = {}
    for reply, turn in pairwise(told):
        offered = menu.split(reply.text)[1] if reply.role == "model" else ()
        if turn.role == "user" and turn.text in offered:
            number = offered.index(turn.text)
            counts[number] = counts.get(number, 0) + 1
    return counts
