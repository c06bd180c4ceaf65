"""What stands in foreign JSON, taken as what it should be; an error names the file and the field."""

from typing import Any

from advrepl import AdvreplError

PICKLED = "base64:"  # KoboldAI United writes pickles this way: never to be read


def text(value: Any, where: str) -> str:
    """Return a text; a number or nothing is one too."""
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if value.startswith(PICKLED) else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise AdvreplError(f"{where} is {_kind(value)} and should be a text")


def listed(value: Any, where: str) -> list[Any]:
    """Return a list; nothing is an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise AdvreplError(f"{where} is {_kind(value)} and should be a list")


def fields(value: Any, where: str) -> dict[str, Any]:
    """Return an object; nothing is an empty one."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise AdvreplError(f"{where} is {_kind(value)} and should be an object")


def whole(value: Any, default: int = 0) -> int:
    """Return a whole number, or the default for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", dict: "an object", list: "a list", str: "a text"}
    return kinds.get(type(value), "a number")
