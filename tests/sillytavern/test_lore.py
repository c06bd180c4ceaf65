"""Lore beside SillyTavern's own `world-info.js`: generated books and chats.

What differs on purpose is not generated here; docs/characters.md lists it.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from advrepl.lore.activation import ActiveEntry, Told, activate
from advrepl.lore.books import parse_book
from advrepl.lore.entries import ROLES
from advrepl.lore.timing import LoreState
from tests.sillytavern.node import ask

CASES = 1_200
BATCH = 200
WORDS = ["art", "dragon", "Ed", "owl", "x-ray", "кот", "猫", "o'er", "old mill", "Élan", "ab_c", "moon", "{{char}}"]
TEXTS = [
    "started",
    "dragons!",
    "art.",
    "Red",
    "owl",
    "OWL,",
    "x-rays",
    "котик",
    "黑猫跑了",
    "o'er",
    "old mills",
    "élan",
]
TEXTS += ["ab_cd", "ab_c", "moon", "moonlight", "Mo", "dragon", "Ann", "ed;", "the", "and"]
PATTERNS = [
    r"/\bowls?\b/i",
    r"/dr[aei]gon/",
    r"/\x01Mo:[^\x01]*?owl/i",
    r"/^(?=.*moon)(?=.*art)/s",
    "/moon$/m",
    "/(/",
    "/a/b/",
]
SOURCES = {
    "persona": ("personaDescription", "matchPersonaDescription"),
    "description": ("characterDescription", "matchCharacterDescription"),
    "personality": ("characterPersonality", "matchCharacterPersonality"),
    "depth_prompt": ("characterDepthPrompt", "matchCharacterDepthPrompt"),
    "scenario": ("scenario", "matchScenario"),
    "creator_notes": ("creatorNotes", "matchCreatorNotes"),
}


class FixedRolls(random.Random):
    """Rolls the same number always, as Math.random does in the script."""

    def __init__(self, roll: float) -> None:
        super().__init__()
        self.roll = roll

    def random(self) -> float:
        return self.roll


def fill(text: str) -> str:
    return text.replace("{{user}}", "Ann").replace("{{char}}", "Mo")


def ours(case: dict[str, Any]) -> list[dict[str, Any]]:
    """What advrepl tells at each step, in the shape of the script's answer."""
    book, _ = parse_book(case.get("book") or case.get("card") or case["foreign"], "book")
    sources = {name: case["sources"].get(theirs, "") for name, (theirs, _) in SOURCES.items()}
    told = Told(characters=frozenset(["mo"]), tags=frozenset(["t1"]), sources=sources)
    state, seen = LoreState(), []
    for chat in case["steps"]:
        active, state = activate(
            book, chat, state, count=len, budget=case["budget"], rng=FixedRolls(case["roll"]), expand=fill, told=told
        )
        seen.append(as_told(active))
    return seen


def as_told(active: tuple[ActiveEntry, ...]) -> dict[str, Any]:
    def joined(position: str) -> str:
        return "\n".join(each.text for each in active if each.entry.position == position)

    depth: dict[tuple[int, int], list[str]] = {}
    outlets: dict[str, list[str]] = {}
    for each in active:
        if each.entry.position == "depth":
            depth.setdefault((each.entry.depth, ROLES.index(each.entry.role)), []).append(each.text)
        if each.entry.outlet and each.entry.position == "outlet":
            outlets.setdefault(each.entry.outlet, []).append(each.text)
    return {
        "active": sorted(int(each.entry.id) for each in active),
        "before": joined("before"),
        "after": joined("after"),
        "outlets": outlets,
        "depth": sorted([deep, role, texts] for (deep, role), texts in depth.items()),
    }


def theirs(cases: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found = ask("lore.mjs", {"cases": cases})
    assert found["version"] == "1.19.0"
    for step in (step for steps in found["results"] for step in steps):
        step["depth"] = sorted(step["depth"])
    results: list[list[dict[str, Any]]] = found["results"]
    return results


# --- generated books and chats


def a_world(rng: random.Random, rules: Callable[[random.Random], dict[str, Any]]) -> dict[str, Any]:
    entries = {}
    for uid in range(rng.randint(2, 9)):
        entries[str(uid)] = {
            "uid": uid,
            "key": rng.sample(WORDS, rng.randint(1, 2)),
            "content": f"Text {uid}: {' '.join(rng.sample(TEXTS, 2))}.",
            "order": rng.choice([10, 50, 100, 100]),
            "position": rng.choice([0, 0, 1]),
            **rules(rng),
        }
    return {"entries": entries}


def some(rng: random.Random, chance: float, name: str, *values: object) -> dict[str, Any]:
    return {name: rng.choice(values)} if rng.random() < chance else {}


def keys(rng: random.Random) -> dict[str, Any]:
    return {
        **some(rng, 0.3, "caseSensitive", True, False, None),
        **some(rng, 0.4, "matchWholeWords", True, False, None),
        **some(rng, 0.3, "key", [rng.choice(PATTERNS)], [rng.choice(PATTERNS), "moon"], [], ["Mo: "]),
        **some(rng, 0.3, "scanDepth", 0, 1, 3, 10),
    }


def secondary(rng: random.Random) -> dict[str, Any]:
    return {
        "keysecondary": rng.sample(WORDS, rng.randint(0, 3)),
        "selectiveLogic": rng.randint(0, 3),
        **some(rng, 0.2, "selective", False),
        **some(rng, 0.3, "matchWholeWords", False),
    }


def recursion(rng: random.Random) -> dict[str, Any]:
    return {
        **some(rng, 0.2, "excludeRecursion", True),
        **some(rng, 0.2, "preventRecursion", True),
        **some(rng, 0.3, "delayUntilRecursion", True, 1, 2, 3),
        **some(rng, 0.1, "constant", True),
        **some(rng, 0.1, "content", "@@activate\nText {{user}}.", "@@dont_activate\nText.", "@@@activate\nText."),
    }


def timing(rng: random.Random) -> dict[str, Any]:
    rules = {
        **some(rng, 0.5, "sticky", 1, 2, 3, 4, 5),
        **some(rng, 0.5, "cooldown", 1, 2, 3, 4, 5),
        **some(rng, 0.3, "delay", 1, 2, 3, 4, 5),
        **some(rng, 0.2, "group", "g"),
        **some(rng, 0.2, "scanDepth", 1),
    }
    if "group" in rules:
        rules.pop("cooldown", None)
    return rules


def groups(rng: random.Random) -> dict[str, Any]:
    return {
        "key": rng.sample(WORDS[:-1], 2),
        **some(rng, 0.7, "group", "g", "h"),
        **some(rng, 0.4, "groupWeight", 0, 10, 1000),
        **some(rng, 0.2, "groupOverride", True),
        **some(rng, 0.3, "useGroupScoring", True),
        **some(rng, 0.5, "keysecondary", ["moon", "owl"], ["art"]),
        **some(rng, 0.5, "selectiveLogic", 0, 1, 2, 3),
        **some(rng, 0.2, "sticky", 5),
        **some(rng, 0.2, "delayUntilRecursion", 1),
    }


def filters(rng: random.Random) -> dict[str, Any]:
    match = rng.choice([flag for _, flag in SOURCES.values()])
    return {
        **some(rng, 0.4, "triggers", [], ["normal"], ["continue", "swipe"]),
        **some(rng, 0.5, "characterFilter", *(
            {"isExclude": exclude, "names": names, "tags": tags}
            for exclude in (False, True) for names in ([], ["Mo"], ["Sabine"]) for tags in ([], ["t1"], ["t2"])
        )),
        **some(rng, 0.5, match, True),
        **some(rng, 0.2, "disable", True),
    }  # fmt: skip


def places(rng: random.Random) -> dict[str, Any]:
    return {
        "position": rng.choice([0, 1, 4, 4, 7]),
        "depth": rng.choice([0, 1, 4]),
        "role": rng.choice([0, 1, 2]),
        "outletName": rng.choice(["o", "p"]),
        "order": rng.choice([1, 2, 3, 100]),
    }


def odds(rng: random.Random) -> dict[str, Any]:
    return {
        **some(rng, 0.6, "probability", 0, 30, 60, 100),
        **some(rng, 0.2, "useProbability", False),
        **some(rng, 0.3, "group", "g"),
        **some(rng, 0.2, "sticky", 3),
    }


def budget(rng: random.Random) -> dict[str, Any]:
    return {**some(rng, 0.2, "ignoreBudget", True), **some(rng, 0.2, "constant", True), **some(rng, 0.2, "sticky", 5)}


def all_of_it(rng: random.Random) -> dict[str, Any]:
    rules = [keys, secondary, recursion, timing, filters, places, odds]
    found = {name: value for each in rng.sample(rules, 3) for name, value in each(rng).items()}
    if "group" in found:
        found.pop("cooldown", None)
    return found


KINDS = [keys, secondary, recursion, timing, groups, filters, places, odds, budget, all_of_it]


def a_case(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    chat = [f"{('Mo', 'Ann')[at % 2]}: {' '.join(rng.choices(TEXTS, k=rng.randint(1, 6)))}" for at in range(9)]
    ends = sorted(rng.sample(range(1, 10), rng.randint(1, 5))) if rng.random() < 0.5 else range(2, 10, 2)
    return {
        "kind": kind.__name__,
        "book": a_world(rng, kind),
        "steps": [chat[:end] for end in ends],
        "budget": rng.randint(60, 150) if kind is budget else 10_000,
        "roll": rng.choice([0.01, 0.4, 0.99]),
        "sources": {name: rng.choice(TEXTS) for name, _ in SOURCES.values()},
    }


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_books_are_told_as_there(first: int) -> None:
    cases = [a_case(number) for number in range(first, first + BATCH)]
    differ = [
        (number, case, mine, other)
        for number, (case, other) in enumerate(zip(cases, theirs(cases), strict=True), first)
        if (mine := ours(case)) != other
    ]
    assert not differ, f"{len(differ)} differ: {Counter(case['kind'] for _, case, _, _ in differ)}; {differ[0]}"


# Of an entry of a world file, the names that SillyTavern gives its fields among a card's extensions.
EXTENSIONS = {
    "position": "position", "excludeRecursion": "exclude_recursion", "probability": "probability", "depth": "depth",
    "useProbability": "useProbability", "selectiveLogic": "selectiveLogic", "outletName": "outlet_name",
    "group": "group", "groupOverride": "group_override", "groupWeight": "group_weight",
    "preventRecursion": "prevent_recursion", "delayUntilRecursion": "delay_until_recursion",
    "scanDepth": "scan_depth", "matchWholeWords": "match_whole_words", "useGroupScoring": "use_group_scoring",
    "caseSensitive": "case_sensitive", "role": "role", "sticky": "sticky", "cooldown": "cooldown", "delay": "delay",
    "triggers": "triggers", "ignoreBudget": "ignore_budget",
    "matchPersonaDescription": "match_persona_description",
    "matchCharacterDescription": "match_character_description",
    "matchCharacterPersonality": "match_character_personality",
    "matchCharacterDepthPrompt": "match_character_depth_prompt",
    "matchScenario": "match_scenario", "matchCreatorNotes": "match_creator_notes",
}  # fmt: skip


def as_card(book: dict[str, Any]) -> dict[str, Any]:
    """The book as SillyTavern puts it into a card."""
    return {
        "name": "book",
        "entries": [
            {
                "id": entry["uid"], "keys": entry["key"], "secondary_keys": entry.get("keysecondary", []),
                "content": entry["content"], "constant": entry.get("constant", False), "use_regex": True,
                "selective": entry.get("selective", True), "insertion_order": entry["order"],
                "enabled": not entry.get("disable"), "position": "before_char",
                "extensions": {
                    "exclude_recursion": False, "useProbability": True, "selectiveLogic": 0,
                    **{theirs: entry[name] for name, theirs in EXTENSIONS.items() if name in entry},
                },
            }
            for entry in book["entries"].values()
        ],
    }  # fmt: skip


def test_the_book_of_a_card_is_told_as_there() -> None:
    cases = [a_case(number) for number in range(CASES, CASES + BATCH)]
    cards = [
        {**case, "book": None, "card": as_card(case["book"])}
        for case in cases
        if not any("characterFilter" in entry for entry in case["book"]["entries"].values())
    ]
    differ = [
        (case, mine, other) for case, other in zip(cards, theirs(cards), strict=True) if (mine := ours(case)) != other
    ]
    assert not differ, f"{len(differ)} of {len(cards)} differ: {differ[0]}"
