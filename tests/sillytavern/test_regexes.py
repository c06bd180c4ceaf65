"""Regular expressions of keys beside JavaScript's own, as SillyTavern uses them: alike, or listed.

An engine older than Node 23 knows no modifiers, `(?i:…)`, and no name given twice, as browsers do: such patterns are
left out there.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from advrepl.lore.key_match import PatternSearch
from tests.sillytavern import regexes
from tests.sillytavern.node import ask
from tests.sillytavern.test_lore import ours

TEXT = "Mo: The café's owl-eyed dragoness said: \u201cNo. 42!\u201d\nКотик спит, 猫 too; 😀 a/b aa abab x{,3} "
TEXT += "\\d k<y> e\u0301 ſ \x10"
KEYS = Path(__file__).with_name("keys.txt").read_text().split("\n")[:-1]
BATCH = 500
NEWEST = re.compile(r"\(\?[ims]*-?[ims]*:.*|\(\?<([^>]*)>.*\(\?<\1>", re.DOTALL)
# Why a pattern may differ (docs/characters.md): what it holds, and its flags.
DECIDED = {
    "half a letter beyond U+FFFF": (r"\\u[dD][89abAB]|[\U00010000-\U0010ffff]", "^[^u]*$"),
    "letters that Unicode has for capitals of others": ("[^\0-\x7f]", "i"),
    "counted repeats beyond the limit": (r"\{[0-9]{4,}", ""),
    "a group that is repeated, and what it held": (r"(?s)(?=.*\)(?:[*+]|\{)).*\\(?:[1-9]|k<)", ""),
    "a name given twice in one alternative": (r"(?s)\(\?<([^>=!]*)>.*\(\?<\1>", ""),
    "V8's classes in a group with i": (r"(?s)\(\?[ms]*i.*\[", ""),
}


def compared(keys: list[str], texts: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return the keys that are found in one place alone, in which text, and where; but for what is listed."""
    entries = {
        str(uid): {"uid": uid, "key": [key], "content": "text", "matchWholeWords": False, "preventRecursion": True}
        for uid, key in enumerate(keys)
    }
    base = {"budget": 10_000_000, "roll": 0.5, "sources": {}, "book": {"entries": entries}}
    cases: list[dict[str, Any]] = [{**base, "steps": [[text]]} for text in texts]
    found = ask("lore.mjs", {"cases": cases})
    slow = too_slow(keys, texts)
    differ = []
    for case, other in zip(cases, found["results"], strict=True):
        here, there = set(ours(case)[0]["active"]), set(other[0]["active"])
        differ += [(keys[uid], case["steps"][0][0], "here" if uid in here else "there") for uid in here ^ there]
    return [
        each
        for each in differ
        if each[0] not in slow and not is_decided(each[0]) and (found["newest"] or not NEWEST.search(each[0]))
    ]


def too_slow(keys: list[str], texts: tuple[str, ...]) -> set[str]:
    """The patterns that are switched off, and named to the player, since they take longer than one may."""
    search = PatternSearch(set(), seconds_left=1e9)
    for key in keys:
        for text in texts:
            search.found(key, f"\x01{text}", ignore_case=False)
    return search.switched_off


def is_decided(key: str) -> bool:
    pattern, _, flags = key[1:].rpartition("/")
    return any(re.search(held, pattern) and re.search(with_flags, flags) for held, with_flags in DECIDED.values())


def test_written_regular_expressions_mean_what_they_mean_there() -> None:
    assert compared(KEYS, (TEXT, "Mo: owl", "Ann: aab 'x\\'")) == []


@pytest.mark.parametrize("seed", range(6))
def test_generated_regular_expressions_too(seed: int) -> None:
    assert compared(regexes.pieces(BATCH, seed), regexes.TEXTS) == []
    assert compared(regexes.nested(BATCH, seed), regexes.SHORT_TEXTS) == []
