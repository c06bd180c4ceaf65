"""A reply as far as it came: what is kept of it, whatever ends it.

Does not write it (writer.py) and does not keep it (game.py).
"""

import time

from advrepl.play.reply import Option, Piece, Written
from advrepl.play.thoughts import Thought
from advrepl.story.tree import Turn


class ReplySoFar:
    """What was shown of a reply that is being written, and what the model thought before it."""

    def __init__(self, prefix: str, before: Turn | None, asked: float) -> None:
        """`prefix`: prose that there was, of the turn `before`; `asked`: the time.perf_counter of the line."""
        self._prefix, self._shown, self._asked = prefix, prefix, asked
        self._thoughts, self._correction = (before.thoughts, before.correction) if before else ("", None)
        self.first = 0.0  # seconds to its first piece
        self.written: Written | None = None  # once it is whole

    def take(self, event: Piece | Option | Thought | Written) -> None:
        """Take note of what comes next."""
        if isinstance(event, Thought):
            self._thoughts = event.text
        elif isinstance(event, Written):
            self.written = event
        else:
            self.first = self.first or time.perf_counter() - self._asked
            self._shown += event.text if isinstance(event, Piece) else ""

    def turn(self, parent: int | None, seed: int) -> Turn | None:
        """Return it as a turn; None: not a word of it was shown."""
        text, stop = (self.written.text, self.written.stats.stop) if self.written else (self._shown, "interrupted")
        if not text.strip() or text == self._prefix:
            return None
        seconds = round(time.perf_counter() - self._asked, 3)
        return Turn(parent, "model", text, seed, stop, seconds, thoughts=self._thoughts, correction=self._correction)
