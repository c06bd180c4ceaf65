"""Books of Agnai, NovelAI and RisuAI, put as SillyTavern would write them when it has read them.

Keys are whole words then, and lore may wake lore. What SillyTavern leaves out is kept: entries of NovelAI that always
apply, and what Agnai drops first. Does not know what the fields mean (books.py).
"""

from typing import Any

from advrepl.lore.fields import split_keys

FIRST = 0  # SillyTavern's number for the place before the character, where it puts them all


def world_entries(data: object) -> list[object] | None:
    """Return the entries of one of these books as those of a world file; None for another book."""
    if not isinstance(data, dict):
        return None
    module = data.get("module")
    if data.get("type") == "risuModule" and isinstance(module, dict):  # of RisuAI: a book, and scripts
        return world_entries({"type": "risu", "data": module.get("lorebook")})
    for is_its, name, read in (
        (data.get("kind") == "memory", "entries", _agnai),
        (data.get("lorebookVersion") is not None, "entries", _novelai),
        (data.get("type") == "risu", "data", _risu),
    ):
        if is_its and isinstance(data.get(name), list):
            listed: list[Any] = data[name]
            entries = [entry for entry in listed if not (isinstance(entry, dict) and entry.get("mode") == "folder")]
            return [read(entry) | {"position": FIRST} if isinstance(entry, dict) else entry for entry in entries]
    return None


def _agnai(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": _keys(entry.get("keywords")),
        "content": entry.get("entry"),
        "order": entry.get("weight"),
        "priority": entry.get("priority"),
        "enabled": entry.get("enabled"),
    }


def _novelai(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry.get("contextConfig")
    return {
        "key": _keys(entry.get("keys")),
        "content": entry.get("text"),
        "order": (config if isinstance(config, dict) else {}).get("budgetPriority", 0),
        "constant": entry.get("forceActivation"),
        "enabled": entry.get("enabled"),
    }


def _risu(entry: dict[str, Any]) -> dict[str, Any]:
    percent = entry.get("activationPercent")
    key = entry.get("key")
    return {
        "key": [key] if entry.get("useRegex") and isinstance(key, str) else _keys(key),
        "keysecondary": _keys(entry.get("secondkey")),
        "selective": entry.get("selective"),
        "content": entry.get("content"),
        "order": entry.get("insertorder"),
        "constant": entry.get("alwaysActive"),
        "probability": 100 if percent is None else percent,
    }


def _keys(value: object) -> list[object]:
    return [*split_keys(value)] if isinstance(value, str) else value if isinstance(value, list) else []
