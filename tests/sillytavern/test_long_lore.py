"""Lore over thirty turns beside SillyTavern's own `world-info.js`: what one turn begins, later ones remember.

Where turns are undone, its code runs over each line of the story by itself, as if the others had never been: that is
what a path remembers here. What differs on purpose is not generated; docs/characters.md lists it.
"""

import random
from dataclasses import dataclass
from typing import Any

import pytest

from advrepl.lore.activation import Told, activate
from advrepl.lore.books import parse_book
from advrepl.lore.timing import LoreState
from tests.sillytavern import test_lore as short
from tests.sillytavern.test_lore import TEXTS, WORDS, FixedRolls, as_told, fill, some, theirs

TURNS = 30
BOOKS = 240
BATCH = 60
RULES = [
    *(short.keys, short.secondary, short.recursion, short.timing, short.groups, short.filters, short.places, short.odds)
]


@dataclass(frozen=True)
class Asked:
    """A turn of the player: all that is said up to it, and the one before it on its line of the story."""

    chat: list[str]
    before: int | None


def rules(rng: random.Random) -> dict[str, Any]:
    """Rules of several kinds at once, and groups with scores in half of the entries."""
    found: dict[str, Any] = {}
    for each in rng.sample(RULES, rng.randint(2, 5)):
        found |= each(rng)
    found |= {**some(rng, 0.4, "group", "g", "h"), **some(rng, 0.3, "useGroupScoring", True)}
    if "group" in found:
        for name in ("cooldown", "selective"):
            found.pop(name, None)
        for name in ("key", "keysecondary"):
            found[name] = [key for key in found.get(name) or rng.sample(WORDS[:-1], 2) if "{{" not in key]
    return found


def a_story(rng: random.Random) -> list[Asked]:
    """What is asked turn by turn; now and then some are undone, or the last is asked again."""

    def said(name: str) -> str:
        return f"{name}: {' '.join(rng.choices(TEXTS, k=rng.randint(1, 4)))}"

    asked: list[Asked] = []
    at: int | None = None
    while len(asked) < TURNS:
        if at is not None and rng.random() < 0.1:
            for _ in range(rng.randint(1, 6)):
                at = asked[at].before if at is not None else None
        told = asked[at].chat if at is not None else []
        asked.append(Asked([*told, said("Mo"), said("Ann")], at))
        at = len(asked) - 1
    return asked


def lines(asked: list[Asked]) -> list[list[int]]:
    """The story's lines, each from its first turn to its last."""
    to: list[list[int]] = []
    for number, each in enumerate(asked):
        to.append([*(to[each.before] if each.before is not None else ()), number])
    return [to[last] for last in set(range(len(asked))) - {each.before for each in asked}]


def a_case(number: int) -> tuple[dict[str, Any], list[Asked]]:
    rng = random.Random(number)
    book = short.a_world(rng, rules)
    budget = 10_000 if rng.random() < 0.7 else rng.randint(60, 200)
    if budget < 10_000:  # what counts for it is decided otherwise
        for entry in book["entries"].values():
            entry.pop("preventRecursion", None)
    case = {
        "book": book,
        "budget": budget,
        "roll": rng.choice([0.01, 0.4, 0.99]),
        "sources": {name: rng.choice(TEXTS) for name, _ in short.SOURCES.values()},
    }
    return case, a_story(rng)


def ours(case: dict[str, Any], asked: list[Asked]) -> list[dict[str, Any]]:
    """What is told at each turn, which goes on from what the one before it remembers."""
    book, _ = parse_book(case["book"], "book")
    sources = {name: case["sources"].get(theirs, "") for name, (theirs, _) in short.SOURCES.items()}
    told = Told(characters=frozenset(["mo"]), tags=frozenset(["t1"]), sources=sources)
    states: list[LoreState] = []
    seen = []
    for each in asked:
        active, state = activate(
            book,
            each.chat,
            LoreState() if each.before is None else states[each.before],
            count=len,
            budget=case["budget"],
            rng=FixedRolls(case["roll"]),
            expand=fill,
            told=told,
        )
        states.append(state)
        seen.append(as_told(active))
    return seen


@pytest.mark.parametrize("first", range(0, BOOKS, BATCH))
def test_long_stories_are_told_as_there(first: int) -> None:
    cases = [(number, *a_case(number)) for number in range(first, first + BATCH)]
    way = [(number, case, asked, line) for number, case, asked in cases for line in lines(asked)]
    answers = theirs([{**case, "steps": [asked[at].chat for at in line]} for _, case, asked, line in way])
    told = {number: ours(case, asked) for number, case, asked in cases}
    differ = [
        (number, asked[at].chat, told[number][at], other)
        for (number, _, asked, line), steps in zip(way, answers, strict=True)
        for at, other in zip(line, steps, strict=True)
        if told[number][at] != other
    ]
    assert not differ, f"{len({number for number, *_ in differ})} books differ: {differ[0]}"
