"""What a player waits for, small model and large: the table at the front of docs/performance.md.

Measures nothing: each figure is a row of a part that has measured it.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Wait(NamedTuple):
    """Something that a player does, and where it stands how long he waits: part and figure, small model and large."""

    what: str
    small: tuple[str, str]
    large: tuple[str, str]


def _both(what: str, part: str, figure: str) -> Wait:
    return Wait(what, (part, figure), (f"{part}-seven", figure))


WAITS = (
    _both("starts a new story: opening and prompt stand there", "opened", "start → prompt, a new story"),
    _both("resumes a story: its last turns and the prompt stand there", "opened", "start → story and prompt, resumed"),
    _both("…, and the model can answer", "opened", "start → the model is there too, resumed"),
    Wait(
        "picks an option 5 s after the reply: first words",
        ("picked", "first piece, written ahead"),
        ("seven", "an option picked after 5 s: first piece"),
    ),
    Wait(
        "picks an option 15 s after the reply: first words",
        ("", ""),
        ("seven", "an option picked after 15 s: first piece"),
    ),
    _both("types a line of 12 words, sends it: first words", "typed", "first word, the line read while it was typed"),
    _both("…, with `--no-ahead`", "typed", "first word, `--no-ahead`"),
    _both("presses a key: it is on the screen", "typed", "from a key until it is on the screen"),
    Wait(
        "sends a line for which old turns slide out, with `--no-ahead`: first words",
        ("playing", "first piece from then on"),
        ("seven", "the slide itself"),
    ),
    Wait(
        "goes to another branch, and says something: first words",
        ("branches", "until the first piece behind it"),
        ("", ""),
    ),
    _both("leaves", "opened", "leaving, 3 s after a reply"),
)


def table(shown: Mapping[str, Mapping[str, str]]) -> str:
    """Return the rows of which something was measured, as Markdown; `shown`: part → figure → what was measured."""
    cells = [(what, *(shown.get(part, {}).get(figure, "") for part, figure in both)) for what, *both in WAITS]
    rows = [f"| {what} | {small} | {large} |" for what, small, large in cells if small or large]
    return "\n".join(["| the player … | small model | 7 billion weights |", "|---|---|---|", *rows])
