"""Summaries in the model's own words, each kept with the turn behind which it was written, and there only with that.

They may be wrong: whoever reads or is told one is told whose words they are. Does not write them (play/memory.py).
"""

from collections.abc import Iterable

import msgspec

from advrepl.story.tree import Story

TOLD = "In the narrator's own words: "


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was told up to a turn, in free words; empty ones say that nothing is to be told from there on."""

    turn: int  # index into Story.turns
    text: str
    edited: bool = False  # has the player changed the words?


def newest(summaries: Iterable[Summary], story: Story) -> Summary | None:
    """Return the summary of the path that is read; None: it has none."""
    found = max((each for each in summaries if story.reads(each.turn)), key=lambda each: each.turn, default=None)
    return found if found and found.text else None


def told(summaries: Iterable[Summary], story: Story) -> str:
    """Return what the model is told of it; empty for none."""
    found = newest(summaries, story)
    return TOLD + " ".join(found.text.split()) if found else ""


def added(summaries: Iterable[Summary], new: Summary) -> tuple[Summary, ...]:
    """Return them with a new one in place of that of the same turn."""
    return (*(each for each in summaries if each.turn != new.turn), new)
