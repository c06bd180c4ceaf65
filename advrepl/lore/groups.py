"""Groups of entries of which one is told: a sticky one, those with most keys, one that overrides, or one that is drawn.

As SillyTavern has it; but an entry that has lost in one of its groups is out of all of them at once, and a group of
which an entry is told is taken whatever other groups that entry has.
"""

import random
from collections.abc import Callable, Sequence

from advrepl.lore.entries import Entry


def one_of_each(
    numbers: Sequence[int],
    entries: Sequence[Entry],
    *,
    taken: set[str],
    is_sticky: Callable[[Entry], bool],
    score: Callable[[Entry], int],
    rng: random.Random,
) -> list[int]:
    """Leave of entries, in order, those that speak for their groups; `taken` groups have their speaker already."""
    groups = list(dict.fromkeys(group for number in numbers for group in entries[number].groups))
    left = dict.fromkeys(numbers)

    def members(group: str) -> list[int]:
        return [number for number in left if group in entries[number].groups]

    def keep(group: str, chosen: Sequence[int]) -> None:
        for number in set(members(group)) - set(chosen):
            del left[number]

    drawn = []
    for group in groups:
        if sticky := [number for number in members(group) if is_sticky(entries[number])]:
            keep(group, sticky)
        else:
            drawn.append(group)
    for group in drawn:
        keep(group, _best_scored(members(group), entries, score))
    for group in drawn:
        keep(group, [] if group in taken else _winner(members(group), entries, rng))
    return list(left)


def _best_scored(members: list[int], entries: Sequence[Entry], score: Callable[[Entry], int]) -> list[int]:
    """Those of which most keys were found, and those that do not care."""
    if not any(entries[number].use_group_scoring for number in members):
        return members
    scores = {number: score(entries[number]) for number in members}
    best = max(scores.values())
    return [number for number in members if scores[number] == best or not entries[number].use_group_scoring]


def _winner(members: list[int], entries: Sequence[Entry], rng: random.Random) -> list[int]:
    if len(members) < 2:
        return members
    if overriding := [number for number in members if entries[number].group_override]:
        return [max(overriding, key=lambda number: entries[number].order)]
    drawn = rng.random() * sum(entries[number].group_weight for number in members)
    for number in members:
        drawn -= entries[number].group_weight
        if drawn <= 0:
            return [number]
    return members[-1:]
