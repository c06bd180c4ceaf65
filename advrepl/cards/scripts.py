"""Tell what a card brings for other programs to run, which is kept and not run here.

Does not know what the scripts do.
"""

from collections.abc import Iterator
from typing import Any

# Where among the extensions each kind lies, and what it is.
SCRIPTS = {
    ("regex_scripts",): "regular expressions of SillyTavern",
    ("tavern_helper", "scripts"): "scripts of Tavern Helper",
    ("TavernHelper_scripts",): "scripts of Tavern Helper",
    ("risuai", "customScripts"): "regular expressions of RisuAI",
    ("risuai", "triggerscript"): "triggers of RisuAI",
}


def not_played(extensions: object, *, has_book: bool) -> list[str]:
    """Say which scripts and which book of a card's extensions play no part here."""
    found = [
        f"{what} ({count})" for place, what in SCRIPTS.items() if (count := len(list(_switched_on(extensions, place))))
    ]
    notes = [f"not run here, though the card counts on them: {', '.join(found)}"] if found else []
    world = extensions.get("world") if isinstance(extensions, dict) else None
    if isinstance(world, str) and world.strip() and not has_book:
        notes.append(f"the lorebook {world.strip()[:40]!r} that it names is not in it: /lore FILE adds one")
    return notes


def _switched_on(extensions: object, place: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    found: Any = extensions
    for name in place:
        found = found.get(name) if isinstance(found, dict) else None
    for script in found if isinstance(found, list) else ():
        if isinstance(script, dict) and script and script.get("disabled") is not True:
            yield script
