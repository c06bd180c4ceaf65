"""A story as it stands: the frozen save, and the path to its last turn. The one place of all that changes in play.

Does not write files (story/save_file.py), work out prompts (planner.py) or write replies (game.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from advrepl.prompt import options as menu
from advrepl.sampling.params import Sampling, read_saved
from advrepl.story import carried
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import Save
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Story, Turn

NOT_KEPT = "nothing was said, so no story is kept"


class GameState:
    """The save of a story that is being played, replaced by a new one at every change.

    Turns are added and the head is moved here, not in `story`, so that the two agree. They share the list of turns,
    which only grows: a turn costs the same at any length.
    """

    def __init__(self, save: Save) -> None:
        self.story = Story(save.turns, save.head, save.futures)
        self.browsed: int | None = None  # the place on the path whose takes are looked through; None: the last
        # Turns that were the head when it moved elsewhere, in that order -> where the window began.
        self.left: dict[int, int] = {}
        self.save = msgspec.structs.replace(save, turns=self.story.turns)
        self._sampling = (save.sampling, read_saved(save.sampling)[0])  # wrong values were told at opening

    @property
    def sampling(self) -> Sampling:
        """How the next reply is sampled."""
        saved, sampling = self._sampling
        if saved is not self.save.sampling:  # read once, as a save is never changed in place
            sampling = read_saved(self.save.sampling)[0]
            self._sampling = (self.save.sampling, sampling)
        return sampling

    @property
    def option_count(self) -> int:
        """How many options are offered after each reply."""
        return self.save.scenario.options

    def options(self) -> tuple[str, ...]:
        """Return the options on offer now."""
        last = self.story.last
        return menu.parted(last.text, self.option_count)[1] if last and last.role == "model" else ()

    def evicted(self) -> int:
        """Return how many turns the model no longer sees; the example dialogues go before them."""
        return max(self.save.window_start - len(self.save.scenario.dialogues), 0)

    def replace(self, **fields: Any) -> None:
        """Change fields of the save, but not the turns and the head."""
        self.save = msgspec.structs.replace(self.save, **fields)

    def add(self, turn: Turn) -> None:
        """Append a turn and move the head to it."""
        self.story.add(turn)
        self._moved()

    def add_reply(self, turn: Turn, prompt: str, start: int) -> None:
        """Append a reply with what is needed to write it again: the digest of its prompt, whose first block is `start`.

        And how it is sampled now.
        """
        known, now = self.save.samplings, self.save.sampling
        if now not in known[-1:]:
            self.replace(samplings=(*known, now))
        sampling = len(self.save.samplings) - 1
        self.add(msgspec.structs.replace(turn, sampling=sampling, prompt=prompt, start=start))

    def mark(self, index: int, **fields: Any) -> None:
        """Take note of something about a turn besides its words."""
        self.story.mark(index, **fields)
        if self.save.carried == carried.TOLD:
            self.replace()  # what the model is told follows from it

    def goto(self, head: int | None) -> None:
        """Move the head to any turn, or before the first one (None)."""
        self.story.goto(head)
        self._moved()

    def become(self, save: Save) -> None:
        """Go on with a save of other turns."""
        self.story = Story(save.turns, save.head, save.futures)
        self.save, self.browsed = msgspec.structs.replace(save, turns=self.story.turns), None
        self.left = {}

    def leave(self, start: int) -> None:
        """Note that the head moves elsewhere next, and with which block the window began."""
        if self.story.head is not None:
            self.left.pop(self.story.head, None)
            self.left[self.story.head] = start

    def _moved(self) -> None:
        """The head is another one: so is the end of the branch that is read."""
        self.browsed, head, branches = None, self.story.head, self.save.branches
        if self.save.branch and head is not None:
            branches = {**branches, self.save.branch: head}
        self.replace(head=head, futures=dict(self.story.futures), branches=branches)

    def begin_with(self, greeting: str) -> None:
        """Let the story begin with this turn of the model: one there is, or else a new one."""
        first = (index for index in self.story.children(None) if self.story.turns[index].text == greeting)
        index = next(first, None)
        if index is None:
            self.add(Turn(None, "model", greeting))
        else:
            self.goto(index)

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """Put everything back as it is now if what is done meanwhile raises anything."""
        save, story, count = self.save, self.story, len(self.story.turns)
        try:
            yield
        except BaseException:
            self.story, self.save = story, save
            story.take_back(count, save.head)
            raise


class Told(ABC):
    """A story of which all is known but what its model does: it has a state and the file that it is kept in."""

    file: SaveFile
    state: GameState

    @property
    @abstractmethod
    def is_kept(self) -> bool:
        """Is there a story to go on with if the player leaves now?"""

    @abstractmethod
    def keep(self) -> str:
        """Write the story, which is kept from now on; returns what there is to say of it. Raises AdvreplError."""

    @property
    def title(self) -> str:
        """The story's title."""
        return self.state.save.title

    @property
    def story(self) -> Story:
        """All turns and the path to the last one; changed through `state` only."""
        return self.state.story

    @property
    def scenario(self) -> Scenario:
        """What the story started from, with what the player changed of it."""
        return self.state.save.scenario

    @property
    def option_count(self) -> int:
        """How many options are offered after each reply."""
        return self.state.option_count

    def options(self) -> tuple[str, ...]:
        """Return the options on offer now."""
        return self.state.options()
