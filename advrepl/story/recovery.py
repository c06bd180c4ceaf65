"""Read what can be read of a save that was cut short: all up to its last whole turn.

Does not know where saves lie or what becomes of the damaged file (saves.py).
"""

import json
import re
from typing import Any

# Saves are written with an indent of one blank, so that this is no key within a turn or a scenario.
_TURNS = re.compile(r'\n "turns": \[\s*')
_NEXT = re.compile(r"\s*,\s*")


def salvage(data: bytes) -> dict[str, Any]:
    """Return the fields of a save that ends within its turns, with those that are whole; ValueError if none is."""
    text = data.decode("utf-8", "ignore")
    found = _TURNS.search(text)
    if not found:
        raise ValueError("no turns")
    turns, at, decoder = list[Any](), found.end(), json.JSONDecoder()
    try:
        fields = json.loads(text[: found.start()].rstrip().rstrip(",") + "}")
        while True:
            turn, at = decoder.raw_decode(text, at)
            turns.append(turn)
            comma = _NEXT.match(text, at)
            if not comma:
                break
            at = comma.end()
    except (ValueError, RecursionError):
        if not turns:
            raise ValueError("no whole turn") from None
    return {**fields, "turns": turns, "head": len(turns) - 1}
