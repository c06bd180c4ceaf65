"""Lorebooks as other programs write them, read into one kind of entry.

Knows the books of V2 and V3 cards, standalone V3 lorebooks, SillyTavern's world files, world info of KoboldAI and
Kobold Lite, and AI Dungeon's story cards. What is odd is read as well as it can be, with a note that names the field.
Does not know when an entry applies (lore.py).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from advrepl import AdvreplError
from advrepl.cards.card_files import load_bytes
from advrepl.cards.read import parse_card
from advrepl.lore import decorators, key_match
from advrepl.lore.fields import Fields, clean, shorten

MAX_ENTRIES = 10_000
MAX_CONTENT = 100_000  # characters of one entry
MAX_TOTAL = 10_000_000  # characters of a book
MAX_BOOK_KEYS = 50_000  # of all entries; each is looked for every turn

Logic = Literal["any", "not all", "not any", "all"]
Position = Literal["before", "after", "depth"]
Role = Literal["system", "user", "assistant"]
LOGICS: tuple[Logic, ...] = ("any", "not all", "not any", "all")  # as SillyTavern numbers them
# As SillyTavern numbers them: before and after the character, the two ends of the author's note, at a depth,
# before and after the examples.
POSITIONS: tuple[Position, ...] = ("before", "after", "depth", "depth", "depth", "after", "after")
ROLES: tuple[Role, ...] = ("system", "user", "assistant")
HOLDERS = ("data", "character_book", "worldinfo_v2")
LISTS = ("entries", "worldinfo", "worldInfo", "storyCards")
# Written into card books by SillyTavern, which sets use_regex on every entry whatever its keys are.
SILLYTAVERN = {"exclude_recursion", "selectiveLogic", "useProbability"}


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of lore and when it applies. Numbers of turns are 0 where the entry has no such rule."""

    id: str
    content: str
    name: str = ""
    keys: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    logic: Logic = "any"  # how many of the secondary keys must be there
    also: tuple[str, ...] = ()  # one of these must be there too
    exclude: tuple[str, ...] = ()  # none of these may be there
    enabled: bool = True
    constant: bool = False
    forced: bool = False  # applies in any case
    regex: bool = False  # all keys are patterns, not only those written /like this/
    case: bool = False
    whole: bool = False  # a key of one word does not match inside a longer word
    order: float = 100.0  # lower stands earlier
    priority: float = 0.0  # lower is dropped first
    dropped_first: bool = False
    position: Position = "after"
    depth: int = 4  # turns that follow it, for position "depth"
    role: Role = "system"
    probability: float = 100.0
    groups: tuple[str, ...] = ()
    weight: float = 100.0
    leads: bool = False  # its groups, by order, before any that are drawn by weight
    sticky: int = 0
    cooldown: int = 0
    delay: int = 0  # turns that the story must have
    after: int = 0  # replies that the model must have written
    every: int = 0  # so many replies
    greeting: int | None = None
    scan_depth: int | None = None
    unread: bool = False  # its keys are not looked for in other entries
    silent: bool = False  # no keys are looked for in its own text
    level: int = 0  # the round of recursion from which it takes part; 0: needs none


class Book(msgspec.Struct, frozen=True, omit_defaults=True):
    entries: tuple[Entry, ...] = ()
    name: str = ""
    scan_depth: int | None = None  # turns; None: as lore.py has it
    token_budget: int | None = None
    recursive: bool = False


def parse_book(data: object, source: str) -> tuple[Book, list[str]]:
    """Read a book of any known kind, decoded from JSON, and say what was odd about it."""
    notes: list[str] = []
    holder, listed = _find(data, source, notes)
    if len(listed) > MAX_ENTRIES:
        raise AdvreplError(f"{source} has {len(listed):,} entries, the limit is {MAX_ENTRIES:,}: split it")
    entries: list[Entry] = []
    for key, value in listed:
        if isinstance(value, dict):
            entries.append(_entry(Fields(value, f"entries[{key}].", notes), key, source))
        else:
            notes.append(f"entries[{key}] is no object: ignored")
    if sum(len(entry.content) for entry in entries) > MAX_TOTAL:
        raise AdvreplError(f"{source} holds more than {MAX_TOTAL:,} characters of lore: split it")
    if (keys := sum(map(_key_count, entries))) > MAX_BOOK_KEYS:
        raise AdvreplError(f"{source} has {keys:,} keys, the limit is {MAX_BOOK_KEYS:,}: split it")
    fields = Fields(holder, "", notes)
    book = Book(
        entries=tuple(entries),
        name=fields.text("name"),
        scan_depth=fields.count("scan_depth", "scanDepth"),
        token_budget=fields.count("token_budget", "tokenBudget") or None,
        # World files have no such field; there it is a setting, and entries say what they want to be kept out of.
        recursive=fields.flag("recursive_scanning", default=any(_of_world(value) for _, value in listed)),
    )
    return book, shorten(notes)


def load_book(path: Path) -> tuple[Book, list[str]]:
    """A book from a JSON file of any of the kinds; also the one in a character card."""
    data = load_bytes(path)
    try:
        found = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        character, _ = parse_card(data, str(path))  # a picture or an archive; names itself where it is neither
        if not character.book:
            raise AdvreplError(f"{path} is a character card without a lorebook") from None
        found = character.book
    book, notes = parse_book(found, str(path))
    if not book.entries:
        raise AdvreplError(f"{path} has no entries: it is no lorebook")
    return book, [f"{path.name}: {note}" for note in notes]


def combine(books: Iterable[Book]) -> Book:
    """One book out of a card's own and those the player added; what ruled a book is written into its entries."""
    stack = list(books)
    entries = tuple(
        msgspec.structs.replace(
            entry,
            id=f"{number}.{entry.id}",
            scan_depth=book.scan_depth if entry.scan_depth is None else entry.scan_depth,
            unread=entry.unread or not book.recursive,
        )
        for number, book in enumerate(stack)
        for entry in book.entries
    )
    budgets = [book.token_budget for book in stack if book.token_budget]
    budget = sum(budgets) if budgets and len(budgets) == len(stack) else None
    return Book(entries, token_budget=budget, recursive=any(book.recursive for book in stack))


def _find(data: object, source: str, notes: list[str]) -> tuple[dict[Any, Any], list[tuple[str, Any]]]:
    """The object that holds the entries, and these with their keys or numbers."""
    holder: Any = data
    for name in HOLDERS:
        if isinstance(holder, dict) and name in holder and "entries" not in holder:
            holder = holder[name]
    if holder is None:
        notes.append("the book is null: taken as empty")
        return {}, []
    found: Any = holder
    if isinstance(holder, dict):
        name = next((name for name in LISTS if name in holder), "")
        found = holder[name] if name else ""
        if found is None:
            notes.append(f"{name} is null: taken as empty")
    if not isinstance(found, dict | list | None):
        raise AdvreplError(f"{source} is no lorebook: it has no list of entries")
    items = found.items() if isinstance(found, dict) else enumerate(found or ())
    numbered = [(clean(str(key))[:80], value) for key, value in items]
    if isinstance(found, dict) and any(isinstance(value, dict) and "keys" in value for value in found.values()):
        notes.append("entries is an object, not a list: read in its order")
    return holder if isinstance(holder, dict) else {}, numbered


def _key_count(entry: Entry) -> int:
    return len(entry.keys) + len(entry.secondary) + len(entry.also) + len(entry.exclude)


def _of_world(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("key"), list) and "keyanti" not in value


def _entry(fields: Fields, key: str, source: str) -> Entry:
    content = fields.text("content", "value", "entry")
    if len(content) > MAX_CONTENT:
        raise AdvreplError(
            f"{source}: {fields.path}content has {len(content):,} characters, the limit is {MAX_CONTENT:,}: split it"
        )
    text, change = decorators.read(content)
    more = fields.inner("extensions")
    values: dict[str, Any] = {"name": fields.text("comment", "name", "title"), **_keys(fields, more)}
    values |= {**_place(fields, more), **_rules(fields, more), **_group(fields, more), **change}
    entry = Entry(key, text, **values)
    _check_patterns(entry, fields)
    return entry


def _keys(fields: Fields, more: Fields) -> dict[str, Any]:
    secondary = fields.words("secondary_keys", "keysecondary")
    logic = int(_either("selectiveLogic", fields, more, default=0, low=0, high=3))
    return {
        "keys": fields.words("keys", "key"),
        "secondary": secondary if fields.flag("selective", default=_of_world(fields.value)) else (),
        "logic": LOGICS[logic],
        "exclude": fields.words("keyanti"),
        "enabled": fields.flag("enabled", default=True)
        and not fields.flag("disable")
        and not fields.flag("widisabled"),
        "constant": fields.flag("constant"),
        "regex": fields.flag("use_regex") and not SILLYTAVERN & set(map(str, more.value)),
        "case": _flag(fields, more, "case_sensitive", "caseSensitive"),
        "whole": _flag(fields, more, "match_whole_words", "matchWholeWords"),
        "scan_depth": _count(fields, more, "scan_depth", "scanDepth"),
    }


def _place(fields: Fields, more: Fields) -> dict[str, Any]:
    named = fields.value.get("position")
    number = (more if isinstance(named, str) or named is None else fields).count("position")
    position = POSITIONS[number] if number is not None and number < len(POSITIONS) else "after"
    if number is None and named == "before_char":
        position = "before"
    return {
        "order": fields.number("insertion_order", "order", default=100.0),
        "priority": fields.number("priority", default=0.0),
        "position": position,
        "depth": int(_either("depth", fields, more, default=4, low=0)),
        "role": ROLES[int(_either("role", fields, more, default=0, low=0, high=2))],
    }


def _rules(fields: Fields, more: Fields) -> dict[str, Any]:
    sure = not _flag(fields, more, "useProbability", default=True)
    delayed = more.value.get("delay_until_recursion", fields.value.get("delayUntilRecursion"))
    return {
        "probability": 100.0 if sure else _either("probability", fields, more, default=100, low=0, high=100),
        "sticky": int(_either("sticky", fields, more, default=0, low=0)),
        "cooldown": int(_either("cooldown", fields, more, default=0, low=0)),
        "delay": int(_either("delay", fields, more, default=0, low=0)),
        "unread": _flag(fields, more, "exclude_recursion", "excludeRecursion"),
        "silent": _flag(fields, more, "prevent_recursion", "preventRecursion"),
        "level": max(0, min(100, int(delayed))) if isinstance(delayed, int) else 0,
    }


def _group(fields: Fields, more: Fields) -> dict[str, Any]:
    named = more.text("group") or fields.text("group")
    return {
        "groups": tuple(name.strip() for name in named.split(",")[:20] if name.strip()),
        "weight": _count(fields, more, "group_weight", "groupWeight", default=100) or 0.0,
        "leads": _flag(fields, more, "group_override", "groupOverride"),
    }


def _either(name: str, fields: Fields, more: Fields, **limits: float) -> float:
    return (more if more.value.get(name) is not None else fields).number(name, **limits)


def _flag(fields: Fields, more: Fields, *names: str, default: bool = False) -> bool:
    """The first of a field's spellings that is there; cards have it among their extensions."""
    for place in (more, fields):
        for name in names:
            if place.value.get(name) is not None:
                return place.flag(name, default)
    return default


def _count(fields: Fields, more: Fields, *names: str, default: int | None = None) -> int | None:
    found = fields.count(*names)
    found = more.count(*names) if found is None else found
    return default if found is None else found


def _check_patterns(entry: Entry, fields: Fields) -> None:
    """Name patterns that do not compile. They stay where they are and match nothing, so that the entry keeps quiet."""
    for name in ("keys", "secondary", "also", "exclude"):
        for key in getattr(entry, name):
            pattern = entry.regex or key_match.is_pattern(key)
            if pattern and "{{" not in key and not key_match.compiled(key, not entry.case):
                fields.note(name, f"holds {key[:40]!r}, which is no pattern: it matches nothing")
