"""The fields of the card specifications, V1 to V3, and where in a card each version and older tools keep them.

Does not know what the fields mean.
"""

from typing import Any

V1 = ("name", "description", "personality", "scenario", "first_mes", "mes_example")
TEXTS = (
    *V1,
    *("creator_notes", "system_prompt", "post_history_instructions", "creator", "character_version", "nickname"),
)
LISTS = ("alternate_greetings", "tags", "group_only_greetings")
BOOK = "character_book"
KNOWN = {*TEXTS, *LISTS, BOOK, "extensions"}
V3_ONLY = {"nickname", "group_only_greetings"}  # left out of a V2 card where they are empty
# Pygmalion's character editor, and the YAML of text-generation-webui.
OTHER_NAMES = {
    "char_name": "name",
    "char_persona": "description",
    "char_greeting": "first_mes",
    "example_dialogue": "mes_example",
    "world_scenario": "scenario",
    "greeting": "first_mes",
    "context": "description",
    "creatorcomment": "creator_notes",  # SillyTavern's name for it in V1 cards, which it takes before any other
}
FIRST = "creatorcomment"


def split_card(raw: dict[str, Any], notes: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a card into its outer fields and the character's own, as V2 and V3 nest them; add to the notes."""
    if not isinstance(raw.get("data"), dict):
        return _split_flat(raw, notes)
    root = {key: value for key, value in raw.items() if key != "data"}
    data = dict(raw["data"])
    for key in (*V1, BOOK):
        outside = root.get(key)
        if outside and not data.get(key):
            data[key] = outside
            notes.append(f"{key}: stands beside data, not in it")
        elif outside and key != BOOK and outside != data[key]:
            notes.append(f"{key}: differs beside data and in it, the one in data was taken")
    root.pop(BOOK, None)
    return root, data


def _split_flat(raw: dict[str, Any], notes: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """V1, and the formats that name things differently; what is neither stays outside."""
    if raw.get("spec") in ("chara_card_v2", "chara_card_v3"):
        notes.append("data: missing, read as a V1 card")
    data = {key: value for key, value in raw.items() if key in KNOWN}
    root = {}
    for key, value in raw.items():
        if key in OTHER_NAMES and ((key == FIRST and value is not None) or not data.get(OTHER_NAMES[key])):
            data[OTHER_NAMES[key]] = value
        elif key not in KNOWN and not (key == "data" and value is None):
            root[key] = value
    return root, data
