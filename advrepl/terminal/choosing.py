"""What a /command offers to choose from, and what is done with the choice.

picker.py lets the player choose at a terminal; everywhere else the list is a text.
"""

from collections.abc import Iterable
from typing import Self

from advrepl.play.events import Note
from advrepl.terminal.picker import Choice


class Pick(Note, frozen=True):
    """A list to choose from; the text is for those who cannot, and names the command that takes a name."""

    title: str
    choices: tuple[Choice, ...]
    command: str  # that is run with the chosen name behind it

    @classmethod
    def of(cls, title: str, choices: Iterable[Choice], command: str, none: str) -> Self | Note:
        """Return the list, or a note that says `none` if it is empty."""
        kept = tuple(choices)
        if not kept:
            return Note(none)
        lines = [f"{each.name}: {each.about}" if each.about else each.name for each in kept]
        return cls("\n".join([*lines, f"{command} NAME takes one"]), title, kept, command)
