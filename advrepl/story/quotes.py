"""A memory that can only quote: spans of turns, told again once their turns are out of sight.

A line is never words but a place in a turn, so it is what the turn says, letter for letter; and it is there only where
its turn is on the path that is read. Does not choose spans (play/memory.py).
"""

from collections.abc import Iterable, Sequence

import msgspec

from advrepl.story.tree import Story

BATCH = 4  # lines are told in so many at a time, so that what the model is told stands still for a while
MOST_LINES = 16  # the newest, besides those that are pinned
EARLIER, JOINT = "Earlier: ", " … "


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A span of a turn; an empty one says that nothing of the turn is to be kept."""

    turn: int  # index into Story.turns
    start: int  # characters
    end: int
    pinned: bool = False


def text(quote: Quote, story: Story) -> str:
    """Return what a quote says."""
    return story.turns[quote.turn].text[quote.start : quote.end]


def on_path(quotes: Iterable[Quote], story: Story) -> list[Quote]:
    """Return the lines of the path that is read, in the order of the story."""
    found = (quote for quote in quotes if story.reads(quote.turn) and quote.start < quote.end)
    return sorted(found, key=lambda quote: (quote.turn, quote.start))


def told(quotes: Iterable[Quote], story: Story) -> str:
    """Return what the model is told of the lines of the path; empty for none."""
    lines = on_path(quotes, story)
    pinned = [line for line in lines if line.pinned]
    chosen = [line for line in lines if not line.pinned]
    newest = chosen[: len(chosen) - len(chosen) % BATCH][-MOST_LINES:]
    kept = sorted([*pinned, *newest], key=lines.index)
    return EARLIER + JOINT.join(" ".join(text(line, story).split()) for line in kept) if kept else ""


def fits(quotes: Sequence[Quote], story: Story) -> int | None:
    """Return the first quote that is no span of a turn; None: all are."""
    for number, quote in enumerate(quotes):
        in_story = 0 <= quote.turn < len(story.turns)
        if not in_story or not 0 <= quote.start <= quote.end <= len(story.turns[quote.turn].text):
            return number
    return None
