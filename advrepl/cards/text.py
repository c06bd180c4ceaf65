"""Decode the text of a character card or a lorebook, JSON or YAML, into plain objects.

Forgives what real programs write wrong, with a note; bounds size and depth. Does not know what the fields mean.
"""

import json
from typing import Any

import msgspec

from advrepl import AdvreplError

MB = 1 << 20
CARD_LIMIT = 8 * MB
YAML_LIMIT = 128 << 10  # PyYAML needs about ten seconds for a megabyte
MAX_DEPTH = 100  # of lists in lists; Python's own limit is near 1,000, and a save nests the card deeper


def parse_card_text(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Decode the one object that a card's text is; the notes say what was forgiven.

    Raises AdvreplError without the name of the file.
    """
    if len(data) > CARD_LIMIT:
        raise AdvreplError(f"the card has more than {CARD_LIMIT // MB} MB of text")
    found, notes = decode(data)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
        notes.append("the card lies in a list: its one entry was taken")
    if not isinstance(found, dict):
        raise AdvreplError("a card is a JSON object, and this is none")
    _check_depth(found)
    return found, notes


def decode(data: bytes) -> tuple[Any, list[str]]:
    """Decode JSON, also what is not quite valid, or YAML, whose values are all text; the notes say what was forgiven.

    No text in the result holds half a surrogate pair. Raises AdvreplError without the name of the file.
    """
    text, notes = _characters(data)
    found = _decode_json(text, notes) if text.lstrip().startswith(("{", "[")) else _decode_yaml(text)
    return found, notes


def without_surrogates(text: str) -> str:
    """Put a question mark for what is no character, as names of files may hold it and no save can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _characters(data: bytes) -> tuple[str, list[str]]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), ["the text is UTF-16"]
        except UnicodeDecodeError:
            raise AdvreplError("it begins like UTF-16 text, but is none") from None
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        note = f"the text is not UTF-8 (byte {error.start:,}): read as Latin-1"
    # What is called Latin-1 is nearly always Windows' kin of it, which has the curly quotes.
    try:
        return data.decode("cp1252"), [note]
    except UnicodeDecodeError:
        return data.decode("latin-1"), [note]


def _decode_json(text: str, notes: list[str]) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        strict = str(error)
    except RecursionError:
        raise AdvreplError(f"the JSON nests deeper than {MAX_DEPTH} levels") from None
    try:
        # Raw line breaks in strings, halves of emoji, NaN: written by real programs, forbidden in JSON.
        found = _sound(json.loads(text, strict=False, parse_constant=lambda name: None, parse_float=_finite))
    except (ValueError, RecursionError):
        raise AdvreplError(f"the JSON is damaged ({strict})") from None
    notes.append(f"the JSON is not quite valid ({strict}): read as it was meant")
    return found


def _finite(number: str) -> float | None:
    value = float(number)
    return value if abs(value) < float("inf") else None


def _decode_yaml(text: str) -> Any:
    """All values come as text, so that no date or number can go wrong."""
    import yaml  # type: ignore[import-untyped]  # few cards are YAML: no other story waits for it

    if len(text) > YAML_LIMIT:
        raise AdvreplError(f"it is no JSON, and has more than the {YAML_LIMIT >> 10} KB that YAML may have")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of them stand for gigabytes
                raise AdvreplError("YAML with references (*name) is not read")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:  # each level makes every token take longer
                raise AdvreplError(f"the YAML nests deeper than {MAX_DEPTH} levels")
        return _sound(yaml.load(text, Loader=yaml.BaseLoader))
    # The last two: PyYAML 6.0.4 gives "\U00110000" to chr(), and "\Uffffffff".
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        raise AdvreplError("it is neither PNG, CHARX, JSON nor YAML") from None


def _sound(value: object) -> Any:
    """The same without halves of surrogate pairs in its texts."""
    return msgspec.json.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _check_depth(card: dict[str, Any]) -> None:
    level: list[Any] = [card]
    for _ in range(MAX_DEPTH):
        children = [child for value in level for child in (value.values() if isinstance(value, dict) else value)]
        level = [child for child in children if isinstance(child, (dict, list))]
        if not level:
            return
    raise AdvreplError(f"the JSON nests deeper than {MAX_DEPTH} levels")
