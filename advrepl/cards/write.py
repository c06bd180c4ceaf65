"""Write a character as a card, without loss of what was read: fields that are not known here stay in their places.

Does not know where in a picture a card lies (card_files.py), and writes no file.
"""

from types import NoneType
from typing import Any

import msgspec

from advrepl.cards import card_files
from advrepl.cards.character import Character
from advrepl.cards.read import read_field
from advrepl.cards.spec import BOOK, LISTS, TEXTS, V1, V3_ONLY, split_card


def to_object(character: Character, spec: int) -> dict[str, Any]:
    """Make the object of a V2 or V3 card: what was read, with the character's fields in their places."""
    root, data = split_card(character.raw, [])
    for key in (*TEXTS, *LISTS):
        value = getattr(character, key)
        # What could not be read is not replaced by nothing, and V2 does not know the fields of V3.
        unread = isinstance(data.get(key), (dict, bool)) or (key in V3_ONLY and key not in data)
        if (value or not unread) and not _says(data.get(key), key, value):
            data[key] = list(value) if isinstance(value, tuple) else value
    extensions = data.get("extensions") or {}
    data["extensions"] = extensions if isinstance(extensions, dict) else {"extensions": extensions}
    if character.book is not None:
        data[BOOK] = character.book
    elif isinstance(data.get(BOOK), (dict, list, NoneType)):
        data.pop(BOOK, None)
    if isinstance(data.get(BOOK), dict):
        data[BOOK] = _with_all_fields(data[BOOK], spec)
    if spec == 3:
        data = {"group_only_greetings": [], **data}
    # Older programs read what stands beside the data, as in a V1 card; SillyTavern writes both too.
    copies = {key: data[key] for key in V1}
    return root | copies | {"spec": f"chara_card_v{spec}", "spec_version": f"{spec}.0", "data": data}


def to_json(character: Character, spec: int = 2) -> bytes:
    """Write a card as JSON; V2 is what every program reads, and it keeps the fields of V3 too."""
    return msgspec.json.format(msgspec.json.encode(to_object(character, spec)), indent=2) + b"\n"


def to_png(character: Character, picture: bytes) -> bytes:
    """Put the card into a PNG picture, as V2 and as V3; the rest of the picture stays byte by byte."""
    # V2 comes last: aichar reads all behind the word "chara" as one text.
    copies = {keyword: msgspec.json.encode(to_object(character, spec)) for keyword, spec in (("ccv3", 3), ("chara", 2))}
    return card_files.embed(picture, copies)


def _says(read: object, key: str, value: object) -> bool:
    """Whether what was read says the same in the right form: then its line ends and empty greetings stay."""
    right = isinstance(read, list) and all(isinstance(item, str) for item in read) if key in LISTS else True
    return (
        right
        and isinstance(read, (str, list))
        and (key in LISTS) == isinstance(read, list)
        and (read_field(read, key, []) == value)
    )


def _with_all_fields(book: dict[str, Any], spec: int) -> dict[str, Any]:
    """Fill in what the specification demands of a book, and other programs leave out."""
    entries = book.get("entries")
    if not isinstance(entries, list):
        return book
    demanded = {"keys": [], "content": "", "extensions": {}, "enabled": True, "insertion_order": 0}
    if spec == 3:
        demanded["use_regex"] = False
    whole = [{**demanded, **entry} if isinstance(entry, dict) else entry for entry in entries]
    return {"extensions": {}, **book, "entries": whole}
