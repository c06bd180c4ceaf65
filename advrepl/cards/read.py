"""Read a character from the cards that people have, whatever is odd about them, with notes for the player.

Does not know the files that cards travel in (card_files.py), nor what lorebooks hold (lore/books.py).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advrepl import AdvreplError
from advrepl.cards import card_files
from advrepl.cards.character import Character
from advrepl.cards.foreign import from_agnai
from advrepl.cards.kinds import refuse_others
from advrepl.cards.scripts import not_played
from advrepl.cards.spec import BOOK, KNOWN, LISTS, TEXTS, split_card
from advrepl.cards.text import without_surrogates
from advrepl.macros.expand import unknown_note

MAX_GREETINGS = 1_000
GREETINGS = "alternate_greetings"


def load_card(path: Path) -> tuple[Character, list[str]]:
    """Read a card's file; the notes say what was odd, each with the name of its field."""
    return parse_card(card_files.load_bytes(path), str(path))


def parse_card(data: bytes, source: str) -> tuple[Character, list[str]]:
    """Read a card from the bytes of any of its files; the notes say what was odd about it.

    Raises AdvreplError, which begins with the source, for what is no card.
    """
    raw, notes = card_files.unpack(data, source)
    character, odd = parse_object(raw, source)
    return character, notes + odd


def parse_object(raw: dict[str, Any], source: str) -> tuple[Character, list[str]]:
    """Read a character from a card's decoded JSON, which it keeps; the notes say what was odd about it."""
    notes: list[str] = []
    if agnai := from_agnai(raw):
        raw = agnai
    refuse_others(raw, source)
    notes += _spec_notes(raw)
    _, data = split_card(raw, notes)
    # A name and tags among fields that no card has are anything.
    only_named = raw.get("spec") is None and "data" not in raw and data.keys() <= {"name", "tags"} and raw != data
    if only_named or not data.keys() & {*TEXTS, *LISTS}:
        raise AdvreplError(f"{source} is no character card: it has no description or greeting")
    if nulls := [key for key in data if key in KNOWN and data[key] is None]:
        notes.append(f"{', '.join(nulls)}: null, read as empty")
    fields: dict[str, Any] = {key: read_field(data.get(key), key, notes) for key in (*TEXTS, *LISTS)}
    if (count := len(fields["alternate_greetings"])) > MAX_GREETINGS:
        raise AdvreplError(f"{source} has {count:,} alternate greetings; {MAX_GREETINGS:,} is the most")
    fields["name"] = fields["name"] or _name_of_file(source, notes)
    character = Character(**fields, book=_book(data.get(BOOK), notes), raw=raw)
    told = [getattr(character, key) for key in TEXTS if key not in ("creator", "creator_notes", "tags")]
    notes += unknown_note(*told, *character.alternate_greetings)
    return character, [*notes, *not_played(data.get("extensions"), has_book=bool(character.book))]


def find_picture(data: bytes) -> bytes | None:
    """Return the picture in a card's file: the PNG itself without the card, or the main icon of its assets."""
    if data.startswith(card_files.SIGNATURE):
        return card_files.embed(data, {})
    raw, _ = card_files.unpack(data, "the card")
    _, fields = split_card(raw, [])
    assets = fields.get("assets")
    found = [asset for asset in assets if isinstance(asset, dict)] if isinstance(assets, list) else []
    icons = [asset for asset in found if asset.get("type") == "icon" and isinstance(asset.get("uri"), str)]
    icons.sort(key=lambda asset: asset.get("name") != "main")
    return next(filter(None, (card_files.read_asset(data, asset["uri"]) for asset in icons)), None)


def read_field(value: object, key: str, notes: list[str]) -> str | tuple[str, ...]:
    """Read a field of a card as it is played: a list as a tuple, a name as one line; add to the notes."""
    if key in LISTS:
        return tuple(_texts(value, key, notes))
    text = _text(value, key, notes)
    return " ".join(text.split()) if key in ("name", "nickname") else text  # they begin lines of a prompt


def _spec_notes(raw: dict[str, Any]) -> Iterator[str]:
    spec, version = raw.get("spec"), raw.get("spec_version")
    if spec is None and isinstance(raw.get("data"), dict):
        yield "spec: missing, read as a V2 card"
    elif spec not in (None, "chara_card_v1", "chara_card_v2", "chara_card_v3"):
        yield f"spec: {str(spec)[:40]!r} is unknown, read as a V3 card"
    try:
        if float(version or 0) > 3:  # the specification compares them as numbers
            yield f"spec_version: {str(version)[:20]} is newer than the 3.0 that is known, read as far as possible"
    except (TypeError, ValueError, OverflowError):
        yield "spec_version: no number"


def _text(value: object, key: str, notes: list[str]) -> str:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        notes.append(f"{key}: a number, read as text")
        return str(value) if abs(value) < 1e300 else ""  # Python refuses to spell endless integers
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        notes.append(f"{key}: a list, read as lines")
        return _text("\n".join(value), key, notes)
    if value:
        notes.append(f"{key}: neither text nor number, left out")
    return ""


def _texts(value: object, key: str, notes: list[str]) -> Iterator[str]:
    if isinstance(value, str):
        notes.append(f"{key}: a text instead of a list")
        value = [tag.strip() for tag in value.split(",") if tag.strip()] if key == "tags" else [value]
    if not isinstance(value, list):
        if value:
            notes.append(f"{key}: no list, left out")
        return
    numbered = key == GREETINGS  # entries of lore and macros name them by their numbers: none may move up
    good = [_text(item, key, notes) if isinstance(item, str) else "" for item in value]
    if missing := sum(not item.strip() for item in good):
        notes.append(f"{key}: {missing:,} of {len(value):,} are empty or no text, left out")
    yield from (item if item.strip() else "" for item in good if numbered or item.strip())


def _book(value: object, notes: list[str]) -> dict[str, Any] | None:
    """The lorebook's object; what stands in it is lore/books.py's to judge."""
    if isinstance(value, list) and value:
        notes.append(f"{BOOK}: a bare list, read as its entries")
        value = {"entries": value}
    if value and not isinstance(value, dict):
        notes.append(f"{BOOK}: no object, left out")
    if not isinstance(value, dict) or not value:
        return None
    if isinstance(value.get("entries"), dict):
        notes.append(f"{BOOK}.entries: an object instead of a list")
    return value


def _name_of_file(source: str, notes: list[str]) -> str:
    name = without_surrogates(Path(source).stem) or "Nameless"
    notes.append(f"name: empty, {name!r} was taken from the file")
    return name
