"""What the replies of a game have cost since it was opened, for /stats.

Kept beside the game, which itself knows only its last one.
"""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from advrepl.play.events import Event, Reply
from advrepl.play.game import Game

_PAST: WeakKeyDictionary[Game, list[dict[str, Any]]] = WeakKeyDictionary()


def noted(game: Game, events: Iterator[Event]) -> Iterator[Event]:
    """Pass events on, and take note of what each reply has cost."""
    for event in events:
        if isinstance(event, Reply) and event.stats.get("generated"):
            _PAST.setdefault(game, []).append(event.stats)
        yield event


def costs(game: Game) -> list[dict[str, Any]]:
    """Return the stats of the replies (docs/design.md), the oldest first."""
    return _PAST.get(game, [])
