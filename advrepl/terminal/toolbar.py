"""The line under the player's: the model, how full its context is, how fast it was.

Pure: editor.py draws it.
"""

from msgspec import Struct

from advrepl.story.tree import counted
from advrepl.terminal.text import clip, max_cells, one_line

PREFETCH_MARKS = {"idle": " ○", "writing": " ◔", "ready": " ●"}  # how far the replies are that are written ahead
LEAST_NAME = 8  # columns of the model's name; with less room it is left out


class Status(Struct, frozen=True):
    """What the toolbar tells."""

    model: str
    used: int  # tokens
    budget: int  # tokens
    gone: int  # turns that the model no longer sees
    speed: float  # tokens a second; 0: not known yet
    ahead: str = ""  # "idle", "writing" or "ready"; empty: no replies are written ahead


def toolbar(status: Status, width: int) -> str:
    """Return the status in one line of at most `width` columns, in words where there is room for them."""
    mark = PREFETCH_MARKS.get(status.ahead, "")
    return mark + _toolbar(status, width - len(mark))


def _toolbar(status: Status, width: int) -> str:
    name = one_line(status.model)
    for meter, gone, speed in (
        (f"{status.used} of {status.budget} tokens", f"{counted(status.gone)} no longer seen", "tokens/s"),
        (f"{status.used}/{status.budget} tokens", f"{counted(status.gone)} out", "t/s"),
        (f"{status.used}/{status.budget}", f"{status.gone} out", "t/s"),
    ):
        parts = [meter, gone if status.gone else "", f"{status.speed:.0f} {speed}" if status.speed else ""]
        numbers = " · ".join(filter(None, parts))
        room = width - max_cells(numbers) - len("  ·  ")
        if room >= min(max_cells(name), LEAST_NAME):
            return f" {clip(name, room)} · {numbers} "
    while len(parts) > 1 and max_cells(" · ".join(parts)) >= width:
        parts.pop()
    return clip(" " + " · ".join(filter(None, parts)), width)
