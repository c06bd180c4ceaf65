"""Lorebooks of Agnai, NovelAI and RisuAI, told here and by SillyTavern when it has made world files of them.

What differs on purpose is not generated; docs/characters.md lists it.
"""

import random
from typing import Any

from tests.sillytavern.test_lore import TEXTS, WORDS, ours, some, theirs

CASES = 300


def agnai(rng: random.Random) -> dict[str, Any]:
    def entry() -> dict[str, Any]:
        keys = {"keywords": rng.sample(WORDS, rng.randint(0, 3)), "weight": rng.randint(0, 5), "priority": 1}
        return {"name": "n", "entry": text(rng), "enabled": rng.random() < 0.8, **keys}

    return {"kind": "memory", "name": "b", "entries": [entry() for _ in range(rng.randint(1, 6))]}


def novelai(rng: random.Random) -> dict[str, Any]:
    def entry() -> dict[str, Any]:
        config = some(rng, 0.8, "contextConfig", {"budgetPriority": 400}, {"budgetPriority": 0}, {})
        keys = rng.sample([*WORDS, "/dr[aei]gon/", "/owls?/i"], rng.randint(0, 3))
        return {"text": text(rng), "displayName": "n", "keys": keys, "enabled": rng.random() < 0.8, **config}

    return {"lorebookVersion": rng.choice([1, 4, 6]), "entries": [entry() for _ in range(rng.randint(1, 6))]}


def risu(rng: random.Random) -> dict[str, Any]:
    def entry() -> dict[str, Any]:
        keys = rng.sample(WORDS, rng.randint(0, 3))
        return {
            "key": rng.choice([",", ", ", " ,"]).join(keys),
            "secondkey": ", ".join(rng.sample(WORDS, rng.randint(0, 2))),
            "comment": "c", "content": text(rng), "alwaysActive": rng.random() < 0.1, "insertorder": rng.randint(0, 5),
            "selective": rng.random() < 0.5, "mode": rng.choice(["normal", "constant", "multiple"]),
            **some(rng, 0.3, "activationPercent", 30, 60, 100, None),
        }  # fmt: skip

    return {"type": "risu", "ver": 1, "data": [entry() for _ in range(rng.randint(1, 6))]}


def text(rng: random.Random) -> str:
    return " ".join(rng.choices([*TEXTS, "{{user}}"], k=3))


def a_case(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    chat = [f"{('Mo', 'Ann')[at % 2]}: {' '.join(rng.choices(TEXTS, k=rng.randint(1, 6)))}" for at in range(8)]
    return {
        "foreign": (agnai, novelai, risu)[number % 3](rng),
        "steps": [chat[:end] for end in range(2, 9, 2)],
        "budget": 10_000,
        "roll": rng.choice([0.01, 0.4, 0.99]),
        "sources": {},
    }


def test_books_of_other_programs_are_told_as_there() -> None:
    cases = [a_case(number) for number in range(CASES)]
    differ = [
        (number, case, mine, other)
        for number, (case, other) in enumerate(zip(cases, theirs(cases), strict=True))
        if (mine := ours(case)) != other
    ]
    assert not differ, f"{len(differ)} differ: {differ[0]}"
