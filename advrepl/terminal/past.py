"""What the replies of a game have cost since it was opened, for /stats.

Kept beside the game, which itself knows only its last one; in a few bytes for each, as a story may be long.
"""

from array import array
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from msgspec import Struct, field

from advrepl.play.events import Event, Reply
from advrepl.play.game import Game


class Past(Struct):
    """Add up the stats of replies (docs/design.md)."""

    replies: int = 0
    ahead: int = 0  # of them begun before they were asked for
    written: int = 0  # tokens
    read: int = 0  # tokens
    speeds: "array[float]" = field(default_factory=lambda: array("f"))  # tokens a second of those that were not
    firsts: "array[float]" = field(default_factory=lambda: array("f"))  # seconds to the first word

    def add(self, reply: Reply) -> None:
        """Take note of one more."""
        cost = reply.stats
        self.replies += 1
        self.ahead += cost["ahead"]
        self.written += cost["generated"]
        self.read += cost["prompt"] - cost["reused"]
        self.firsts.append(cost["first_ms"] / 1000)
        if cost["seconds"] and not cost["ahead"]:
            self.speeds.append(cost["generated"] / cost["seconds"])


_PAST: WeakKeyDictionary[Game, Past] = WeakKeyDictionary()


def noted(game: Game, events: Iterator[Event]) -> Iterator[Event]:
    """Pass events on, and take note of what each reply has cost."""
    for event in events:
        if isinstance(event, Reply) and event.stats.get("generated"):
            _PAST.setdefault(game, Past()).add(event)
        yield event


def costs(game: Game) -> Past:
    """Return what the replies have cost."""
    return _PAST.get(game, Past())
