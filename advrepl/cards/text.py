"""Read the text of a character card, JSON or YAML, as one plain object.

Forgives what real programs write wrong, with a note; bounds size and depth. Does not know what the fields mean.
"""

import json
from typing import Any

import msgspec
import yaml  # type: ignore[import-untyped]

from advrepl import AdvreplError

MB = 1 << 20
LIMIT = 8 * MB
YAML_LIMIT = 128 << 10  # PyYAML needs about ten seconds for a megabyte
DEPTH = 100  # of lists in lists; Python's own limit is near 1,000, and a save nests the card deeper


def parse(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """The object in a JSON or YAML text."""
    if len(data) > LIMIT:
        raise AdvreplError(f"the card has more than {LIMIT // MB} MB of text")
    text, notes = _decode(data)
    found = _parse_json(text, notes) if text.lstrip().startswith(("{", "[")) else _parse_yaml(text)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
        notes.append("the card lies in a list: its one entry was taken")
    if not isinstance(found, dict):
        raise AdvreplError("a card is a JSON object, and this is none")
    _check_depth(found)
    return found, notes


def _decode(data: bytes) -> tuple[str, list[str]]:
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


def _parse_json(text: str, notes: list[str]) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        strict = str(error)
    except RecursionError:
        raise AdvreplError(f"the JSON nests deeper than {DEPTH} levels") from None
    try:
        # Raw line breaks in strings, halves of emoji, NaN: written by real programs, forbidden in JSON.
        loose = json.loads(text, strict=False, parse_constant=lambda name: None, parse_float=_finite)
        found = msgspec.json.decode(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise AdvreplError(f"the JSON is damaged ({strict})") from None
    notes.append(f"the JSON is not quite valid ({strict}): read as it was meant")
    return found


def _finite(number: str) -> float | None:
    value = float(number)
    return value if abs(value) < float("inf") else None


def _parse_yaml(text: str) -> Any:
    """All values come as text, so that no date or number can go wrong."""
    if len(text) > YAML_LIMIT:
        raise AdvreplError(f"it is no JSON, and has more than the {YAML_LIMIT >> 10} KB that a YAML card may have")
    try:
        # References let a few lines stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            raise AdvreplError("YAML with references (*name) is not read")
        return yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        raise AdvreplError("it is neither PNG, CHARX, JSON nor YAML") from None


def _check_depth(card: dict[str, Any]) -> None:
    level: list[Any] = [card]
    for _ in range(DEPTH):
        children = [child for value in level for child in (value.values() if isinstance(value, dict) else value)]
        level = [child for child in children if isinstance(child, (dict, list))]
        if not level:
            return
    raise AdvreplError(f"the JSON nests deeper than {DEPTH} levels")
