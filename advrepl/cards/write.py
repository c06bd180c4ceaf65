"""Write a character as a card, without loss of what was read: fields that are not known here stay in their places.

Does not know where in a picture a card lies (card_files.py), and writes no file.
"""

from types import NoneType
from typing import Any

import msgspec

from advrepl.cards import card_files
from advrepl.cards.character import Character
from advrepl.cards.spec import BOOK, LISTS, TEXTS, V1, V3_ONLY, split_card


def to_object(character: Character, spec: int) -> dict[str, Any]:
    """Make the object of a V2 or V3 card: what was read, with the character's fields in their places."""
    root, data = split_card(character.raw, [])
    for key in (*TEXTS, *LISTS):
        value = getattr(character, key)
        # What could not be read is not replaced by nothing, and V2 does not know the fields of V3.
        unread = isinstance(data.get(key), (dict, bool)) or (key in V3_ONLY and key not in data)
        if value or not unread:
            data[key] = list(value) if isinstance(value, tuple) else value
    extensions = data.get("extensions") or {}
    data["extensions"] = extensions if isinstance(extensions, dict) else {"extensions": extensions}
    if character.book is not None:
        data[BOOK] = character.book
    elif isinstance(data.get(BOOK), (dict, list, NoneType)):
        data.pop(BOOK, None)
    if spec == 3:
        data = _with_v3_fields(data)
    root = {key: data[key] if key in V1 else value for key, value in root.items()}
    return root | {"spec": f"chara_card_v{spec}", "spec_version": f"{spec}.0", "data": data}


def to_json(character: Character, spec: int = 2) -> bytes:
    """Write a card as JSON; V2 is what every program reads, and it keeps the fields of V3 too."""
    return msgspec.json.format(msgspec.json.encode(to_object(character, spec)), indent=2) + b"\n"


def to_png(character: Character, picture: bytes) -> bytes:
    """Put the card into a PNG picture, as V2 and as V3; the rest of the picture stays byte by byte."""
    copies = {keyword: msgspec.json.encode(to_object(character, spec)) for keyword, spec in (("chara", 2), ("ccv3", 3))}
    return card_files.embed(picture, copies)


def _with_v3_fields(data: dict[str, Any]) -> dict[str, Any]:
    """Fill in what V3 demands and V2 does not know."""
    data = {"group_only_greetings": [], **data}
    book = data.get(BOOK)
    if isinstance(book, dict) and isinstance(book.get("entries"), list):
        entries = [{"use_regex": False, **entry} if isinstance(entry, dict) else entry for entry in book["entries"]]
        data[BOOK] = book | {"entries": entries}
    return data
