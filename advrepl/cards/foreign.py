"""Characters of Agnai and Backyard, put as V2 cards.

What V2 has no field for is kept under the other program's name among the extensions.
Does not know the files that they travel in (card_files.py).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from advrepl import AdvreplError

MAX_SCENARIOS = 100  # of one archive
SPEECH = re.compile(r"#\{(user|character)\}:", re.IGNORECASE)
NAME = re.compile(r"(?<!\{)\{(user|character)\}(?!\})", re.IGNORECASE)

Object = dict[str, Any]


def from_agnai(raw: Object) -> Object | None:
    """Make a V2 card of an Agnai character; None for anything else."""
    if raw.get("kind") != "character" or "data" in raw:
        return None
    book = raw.get("characterBook")
    fields = {
        "name": raw.get("name"),
        "description": _persona(raw.get("persona"), str(raw.get("name"))),
        "scenario": raw.get("scenario"),
        "first_mes": raw.get("greeting"),
        "mes_example": raw.get("sampleChat"),
        "creator_notes": raw.get("description"),
        "system_prompt": raw.get("systemPrompt"),
        "post_history_instructions": raw.get("postHistoryInstructions"),
        "alternate_greetings": raw.get("alternateGreetings") or [],
        "tags": raw.get("tags") or [],
        "creator": raw.get("creator"),
        "character_version": raw.get("characterVersion"),
    }
    own = {"persona", "characterBook", "greeting", "sampleChat", "systemPrompt", "postHistoryInstructions"}
    own |= {"alternateGreetings", "characterVersion", "kind", *fields}
    rest = {key: value for key, value in raw.items() if key not in own}
    extensions = raw.get("extensions") if isinstance(raw.get("extensions"), dict) else {}
    rest.pop("extensions", None)
    fields["extensions"] = {**(extensions or {}), "agnai": {**rest, "persona": raw.get("persona")}}
    if isinstance(book, dict) and isinstance(book.get("entries"), list):
        fields["character_book"] = _agnai_book(book)
    return _card(fields)


def _persona(persona: object, name: str) -> str:
    """A persona in the spelling that its kind asks for: text, lines, Boostyle, W++ or a square-bracket format."""
    if not isinstance(persona, dict) or not isinstance(persona.get("attributes"), dict):
        return persona if isinstance(persona, str) else ""
    lists = {str(key): _strings(values) for key, values in persona["attributes"].items()}
    match persona.get("kind"):
        case "boostyle":
            return " + ".join(part for key, values in lists.items() for part in (key, *values))
        case "wpp":
            lines = [f"  {key}({' + '.join(map(_quoted, values))})" for key, values in lists.items()]
            return "\n".join([f"[character({_quoted(name)}) {{", *lines, "}]"])
        case "sbf":
            parts = [f"{key}: {', '.join(map(_quoted, values))}" for key, values in lists.items()]
            return f"[ {'; '.join([f'character: {_quoted(name)}', *parts])} ]"
    return "\n".join(
        ", ".join(values) if key == "text" else f"{key}: {', '.join(values)}" for key, values in lists.items()
    )


def _agnai_book(book: Object) -> Object:
    """The book with the entries of a V2 card: keys are whole words and lore may wake lore, as in books of Agnai."""
    return {
        "name": book.get("name") or "",
        "extensions": book.get("extensions") or {},
        "recursive_scanning": True,
        "entries": [
            {
                "keys": _strings(entry.get("keywords")),
                "content": entry.get("entry") or "",
                "name": entry.get("name") or "",
                "enabled": entry.get("enabled", True),
                "insertion_order": entry.get("weight") or 0,
                "priority": entry.get("priority") or 0,
                "extensions": {"match_whole_words": True},
            }
            for entry in book["entries"]
            if isinstance(entry, dict)
        ],
    }


def from_backyard(read: Callable[[str], Object]) -> tuple[Object, list[str]]:
    """Make a V2 card of the first character in a Backyard archive, whose files `read` decodes; with notes.

    Raises AdvreplError, without the name of the file.
    """
    manifest = read("manifest.json")
    characters, scenarios = _strings(manifest.get("characters")), _strings(manifest.get("scenarios"))
    if not characters:
        raise AdvreplError("the archive's manifest names no character")
    notes = [f"the archive has {len(characters)} characters: the first was taken"] if len(characters) > 1 else []
    character = read(characters[0])
    scenes = [read(name) for name in scenarios[:MAX_SCENARIOS]] or [{}]
    first, author = scenes[0], manifest.get("author")
    greetings = list(dict.fromkeys(filter(None, map(_greeting, scenes))))
    fields = {
        "name": character.get("name") or character.get("displayName"),
        "description": _macros(character.get("persona")),
        "scenario": _macros(first.get("narrative")),
        "first_mes": _greeting(first),
        "mes_example": "\n".join(f"<START>\n{_macros(text)}" for text in _texts(first.get("exampleMessages")) if text),
        "system_prompt": _macros(first.get("formattingInstructions")),
        "alternate_greetings": [greeting for greeting in greetings if greeting != _greeting(first)],
        "creator": author.get("name") if isinstance(author, dict) else "",
        "creator_notes": author.get("backyardURL") if isinstance(author, dict) else "",
        "tags": ["nsfw"] if character.get("isNSFW") else [],
        "extensions": {"backyard": {"displayName": character.get("displayName"), "scenarios": scenes}},
        "assets": _icons(character, characters[0]),
    }
    if items := [item for item in _list(character.get("loreItems")) if isinstance(item, dict)]:
        fields["character_book"] = {"extensions": {}, "entries": [*map(_backyard_entry, items, range(len(items)))]}
    if len(scenes) > 1:
        notes.append(f"the archive has {len(scenes)} scenarios: the first was taken, and the greetings of all")
    return _card(fields), notes


def _backyard_entry(item: Object, order: int) -> Object:
    keys = [key.strip() for key in _macros(item.get("key")).split(",")]
    content = _macros(item.get("value"))
    return {
        "keys": [key for key in keys if key], "content": content, "enabled": True, "insertion_order": order,
        "extensions": {},
    }  # fmt: skip


def _icons(character: Object, place: str) -> list[Object]:
    """The pictures of a character as assets of a card; they lie beside it in the archive."""
    folder = place.rpartition("/")[0]
    paths = [image.get("path") for image in _list(character.get("images")) if isinstance(image, dict)]
    return [
        {"type": "icon", "name": "icon" if index else "main", "ext": path.rpartition(".")[2],
         "uri": f"embeded://{folder}/{path}" if folder else f"embeded://{path}"}
        for index, path in enumerate(path for path in paths if isinstance(path, str) and path)
    ]  # fmt: skip


def _greeting(scene: Object) -> str:
    return _macros(next(_texts(scene.get("firstMessages")), ""))


def _macros(text: object) -> str:
    """Backyard's `{character}` and `#{user}:` as macros."""
    names = {"user": "{{user}}", "character": "{{char}}"}
    if not isinstance(text, str):
        return ""
    text = SPEECH.sub(lambda found: f"{names[found[1].lower()]}:", text)
    return NAME.sub(lambda found: names[found[1].lower()], text)


def _card(fields: Object) -> Object:
    data = {key: value for key, value in fields.items() if value is not None}
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": data}


def _texts(messages: object) -> Iterator[str]:
    for message in _list(messages):
        if isinstance(message, dict) and isinstance(message.get("text"), str):
            yield message["text"]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]


def _quoted(text: str) -> str:
    return f'"{text}"'
