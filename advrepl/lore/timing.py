"""Entries that stay for some turns, and that then keep away: what a story remembers of them.

As SillyTavern's code has it, which counts messages as turns are counted here: an entry with sticky 3 that begins at
turn 7 is kept at 8 and 9, and cools down from the first turn at which it is seen to be over.
"""

import msgspec

from advrepl.lore.entries import Entry


class LoreState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a story remembers of its lore at one of its turns: never changed, `activate` gives a new one."""

    started: dict[str, int] = {}  # number of turns there were when an entry with sticky or cooldown last began
    slow: tuple[str, ...] = ()  # patterns that took too long
    cooling: dict[str, int] = {}  # … when one that was sticky began to cool down


class Timing:
    """The timed entries in one turn of a story that has so many turns."""

    def __init__(self, state: LoreState, turns: int) -> None:
        self.turns = turns
        # What began this turn or later began in a future that was undone or is being written again.
        self.started = {name: turn for name, turn in state.started.items() if turn < turns}
        self.cooling = {
            name: turn for name, turn in state.cooling.items() if self.started.get(name, turns) < turn <= turns
        }

    def is_sticky(self, entry: Entry) -> bool:
        """Tell whether an entry is kept because it was told some turns ago."""
        return self.turns < self.started.get(entry.id, -entry.sticky) + entry.sticky

    def is_kept_away(self, entry: Entry) -> bool:
        """Tell whether it is too early for an entry: in the story, or since it was told last."""
        if self.turns < entry.delay:
            return True
        begun = self.started.get(entry.id)
        if begun is None or not entry.cooldown or self.is_sticky(entry):
            return False
        if entry.sticky:
            begun = self.cooling.setdefault(entry.id, self.turns)
        return self.turns < begun + entry.cooldown

    def begin(self, entry: Entry) -> None:
        """Remember that an entry is told."""
        if (entry.sticky or entry.cooldown) and not self.is_sticky(entry):
            self.started[entry.id] = self.turns
            self.cooling.pop(entry.id, None)

    def is_over(self, entry: Entry) -> bool:
        """Tell whether an entry that began is like any other from the next turn on."""
        begun, following = self.started[entry.id], self.turns + 1
        if following < begun + entry.sticky:
            return False
        if entry.sticky and entry.cooldown:
            begun = self.cooling.get(entry.id, following)
        return following >= begun + entry.cooldown
