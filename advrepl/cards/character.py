"""A character, read from the cards that people have and written back without loss.

Knows the fields of V1, V2 and V3 cards and of the characters of Pygmalion's own tools.
Does not know the files they travel in (card_files.py), how lorebooks work (lore.py), or how a prompt is spelled.
"""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import msgspec

from advrepl import AdvreplError
from advrepl.cards import card_files
from advrepl.cards.card_files import FILE_LIMIT
from advrepl.cards.text import MB

GREETINGS = 1_000
SHIPPED = Path(__file__).with_name("characters")

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
FOREIGN = {
    "char_name": "name",
    "char_persona": "description",
    "char_greeting": "first_mes",
    "example_dialogue": "mes_example",
    "world_scenario": "scenario",
    "greeting": "first_mes",
    "context": "description",
}


class Character(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who the model plays; the fields keep the names of the card specifications."""

    name: str
    description: str = ""
    personality: str = ""
    scenario: str = ""
    first_mes: str = ""  # the greeting
    mes_example: str = ""
    creator_notes: str = ""  # for people; never part of a prompt
    system_prompt: str = ""
    post_history_instructions: str = ""
    creator: str = ""
    character_version: str = ""
    nickname: str = ""  # what {{char}} stands for, if it is not the name
    alternate_greetings: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group_only_greetings: tuple[str, ...] = ()
    book: dict[str, Any] | None = None  # the lorebook as it stands in the card
    raw: dict[str, Any] = {}  # the whole card as it was read, so that what we do not know is written back

    @property
    def char(self) -> str:
        return self.nickname or self.name

    @property
    def depth_prompt(self) -> dict[str, Any]:
        """The note that SillyTavern keeps among a card's extensions: `prompt`, and `depth` in turns."""
        found: Any = self.raw
        for name in ("data", "extensions", "depth_prompt"):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def for_save(self) -> "Character":
        """Without the card as it was read, but for what belongs to the play."""
        extensions = {"depth_prompt": self.depth_prompt} if self.depth_prompt else {}
        raw = {"data": {"extensions": extensions}} if extensions else {}
        return msgspec.structs.replace(self, raw=raw, creator_notes="")


def shipped() -> dict[str, Path]:
    """The characters that come with the program, by the name of their file."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.json"))}


def load_bytes(path: Path) -> bytes:
    """A file's content, as far as a card may be long."""
    try:
        if path.exists() and not path.is_file():
            raise AdvreplError(f"{path} is no file: name the card itself")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except FileNotFoundError:
        raise AdvreplError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise AdvreplError(f"{path} cannot be read ({error})") from error
    if len(data) > FILE_LIMIT:
        raise AdvreplError(f"{path} has more than {FILE_LIMIT // MB} MB, too much for a character card")
    return data


def load(path: Path) -> tuple[Character, list[str]]:
    return read(load_bytes(path), str(path))


def read(data: bytes, source: str) -> tuple[Character, list[str]]:
    """A character from the bytes of any card, and what was odd in it, each note with the name of its field."""
    raw, notes = card_files.unpack(data, source)
    character, odd = from_object(raw, source)
    return character, notes + odd


def from_object(raw: dict[str, Any], source: str) -> tuple[Character, list[str]]:
    """A character from a card's object."""
    notes = list(_spec_notes(raw, source))
    _, data = _split(raw, notes)
    if not data.keys() & {*TEXTS, *LISTS}:
        raise AdvreplError(f"{source} is no character card: it has no name, description or greeting")
    if nulls := [key for key in data if key in KNOWN and data[key] is None]:
        notes.append(f"{', '.join(nulls)}: null, read as empty")
    fields: dict[str, Any] = {key: _text(data.get(key), key, notes) for key in TEXTS}
    fields |= {key: tuple(_texts(data.get(key), key, notes)) for key in LISTS}
    if (count := len(fields["alternate_greetings"])) > GREETINGS:
        raise AdvreplError(f"{source} has {count:,} alternate greetings; {GREETINGS:,} is the most")
    for key in ("name", "nickname"):
        fields[key] = " ".join(fields[key].split())  # they begin lines of a prompt, so they are one line
    fields["name"] = fields["name"] or _name_of_file(source, notes)
    return Character(**fields, book=_book(data.get(BOOK), notes), raw=raw), notes


# Odd cards


def _spec_notes(raw: dict[str, Any], source: str) -> Iterator[str]:
    spec, version = raw.get("spec"), raw.get("spec_version")
    character = {*TEXTS, *FOREIGN, "data"} - {"name", "description"}  # these two a lorebook has as well
    if str(spec).startswith("lorebook") or ("entries" in raw and not raw.keys() & character):
        raise AdvreplError(f"{source} is a lorebook, not a character")
    if spec is None and isinstance(raw.get("data"), dict):
        yield "spec: missing, read as a V2 card"
    elif spec not in (None, "chara_card_v2", "chara_card_v3"):
        yield f"spec: {str(spec)[:40]!r} is unknown, read as a V3 card"
    try:
        if float(version or 0) > 3:  # the specification compares them as numbers
            yield f"spec_version: {str(version)[:20]} is newer than the 3.0 that is known, read as far as possible"
    except (TypeError, ValueError, OverflowError):
        yield "spec_version: no number"


def _split(raw: dict[str, Any], notes: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The card's outer fields, and the character's own, as V2 and V3 nest them."""
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
        if key in FOREIGN and not data.get(FOREIGN[key]):
            data[FOREIGN[key]] = value
        elif key not in KNOWN and not (key == "data" and value is None):
            root[key] = value
    return root, data


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
        value = [value]
    if not isinstance(value, list):
        if value:
            notes.append(f"{key}: no list, left out")
        return
    good = [_text(item, key, notes) for item in value if isinstance(item, str) and item.strip()]
    if len(good) < len(value):
        notes.append(f"{key}: {len(value) - len(good):,} of {len(value):,} are empty or no text, left out")
    yield from good


def _book(value: object, notes: list[str]) -> dict[str, Any] | None:
    """The lorebook's object; what stands in it is lore.py's to judge."""
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
    # A file's name may hold bytes that are no text, which could not be saved.
    name = Path(source).stem.encode("utf-8", "replace").decode() or "Nameless"
    notes.append(f"name: empty, {name!r} was taken from the file")
    return name


# Writing


def card(character: Character, spec: int) -> dict[str, Any]:
    """The object of a V2 or V3 card: what was read, with the character's fields in their places."""
    root, data = _split(character.raw, [])
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


def _with_v3_fields(data: dict[str, Any]) -> dict[str, Any]:
    """Fill in what V3 demands and V2 does not know."""
    data = {"group_only_greetings": [], **data}
    book = data.get(BOOK)
    if isinstance(book, dict) and isinstance(book.get("entries"), list):
        entries = [{"use_regex": False, **entry} if isinstance(entry, dict) else entry for entry in book["entries"]]
        data[BOOK] = book | {"entries": entries}
    return data


def write_json(character: Character, spec: int = 2) -> bytes:
    """A card as JSON; V2 is what every program reads, and it keeps the fields of V3 too."""
    return msgspec.json.format(msgspec.json.encode(card(character, spec)), indent=2) + b"\n"


def write_png(character: Character, picture: bytes) -> bytes:
    """A picture that carries the card as V2 and as V3; the rest of the picture stays byte by byte."""
    copies = {keyword: msgspec.json.encode(card(character, spec)) for keyword, spec in (("chara", 2), ("ccv3", 3))}
    return card_files.embed(picture, copies)


def picture(data: bytes) -> bytes | None:
    """The picture that a card carries: the PNG itself without the card, or the main icon of its assets."""
    if data.startswith(card_files.SIGNATURE):
        return card_files.picture(data, "")
    raw, _ = card_files.unpack(data, "the card")
    _, fields = _split(raw, [])
    assets = fields.get("assets")
    found = [asset for asset in assets if isinstance(asset, dict)] if isinstance(assets, list) else []
    icons = [asset for asset in found if asset.get("type") == "icon" and isinstance(asset.get("uri"), str)]
    icons.sort(key=lambda asset: asset.get("name") != "main")
    return next(filter(None, (card_files.picture(data, asset["uri"]) for asset in icons)), None)
