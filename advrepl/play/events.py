"""What comes out of a game while it is played, for the terminal to show."""

from typing import Any

from msgspec import Struct

from advrepl.engines.base import Stats
from advrepl.play.reply import Option, Piece
from advrepl.play.thoughts import Thought


class Reply(Struct, frozen=True):
    """A reply that is complete and saved."""

    text: str  # the prose, without the options
    options: tuple[str, ...]
    stats: dict[str, Any]


class Slid(Struct, frozen=True):
    """Turns have slid out of the model's sight: it now sees the story from this text on."""

    turns: int
    first: str


class Note(Struct, frozen=True):
    """What the program has to say, as plain text."""

    text: str


class Picture(Note, frozen=True):
    """A picture, for those who can draw; the text is for the others."""

    data: bytes


class Verbatim(Note, frozen=True):
    """A text that is shown to the letter, whatever its layout."""


class Draft(Note, frozen=True):
    """A line for the player to change and send; the text is for those in whose line it cannot be put."""

    line: str


Event = Piece | Option | Thought | Reply | Slid | Note


def reply_stats(cost: Stats, evicted: int, first: float, seconds: float, ahead: bool, aside: int = 0) -> dict[str, Any]:
    """Return the `stats` of a reply (docs/design.md); `first`: seconds to its first piece, of `seconds` in all.

    `aside`: tokens that were decoded while the player read and typed, and for something else than this reply.
    """
    return {
        "prompt": cost.prompt,
        "reused": cost.reused,
        "shifted": cost.shifted,
        "evicted": evicted,
        "generated": cost.generated,
        "decoded": cost.decoded + aside,
        "aside": aside,
        "first_ms": round(first * 1000, 1),
        "seconds": round(seconds, 2),
        "ahead": ahead,
        "stop": cost.stop,
    }
