"""Lorebooks as other programs write them, read into one kind of entry.

Knows the books of V2 and V3 cards, standalone V3 lorebooks, SillyTavern's world files, those of Agnai, NovelAI and
RisuAI (foreign.py), world info of KoboldAI and Kobold Lite, and AI Dungeon's story cards. What is odd is read as well
as it can be, with a note that names the field. Does not know when an entry applies (activation.py).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from advrepl import AdvreplError
from advrepl.cards import card_files, text
from advrepl.cards.read import parse_object
from advrepl.lore import decorators, key_match
from advrepl.lore.entries import LOGICS, ROLES, SOURCES, Book, Entry, Position
from advrepl.lore.fields import HIGHEST, Fields, shorten
from advrepl.lore.foreign import world_entries
from advrepl.macros.expand import unknown_note

MAX_ENTRIES = 10_000
MAX_CONTENT = 100_000  # characters of one entry
MAX_TOTAL = 10_000_000  # characters of a book
MAX_BOOK_KEYS = 50_000  # of all entries
MAX_CHECKED = 500  # patterns of a book that are tried when it is read

# As SillyTavern numbers them: before and after the character, the two ends of the author's note, at a depth,
# before and after the examples, where {{outlet::…}} stands.
POSITIONS: tuple[Position, ...] = ("before", "after", "depth", "depth", "depth", "after", "after", "outlet")
AT_DEPTH = 4
UNSUPPORTED = (
    {AT_DEPTH: "at a depth"} | dict.fromkeys((2, 3), "at the author's note") | dict.fromkeys((5, 6), "at the examples")
)
KEY_FIELDS = ("keys", "secondary_keys", "additional_keys", "exclude_keys")
HOLDERS = ("data", "character_book", "worldinfo_v2")  # objects around a book
LISTS = ("entries", "worldinfo", "worldInfo", "storyCards")  # what its list of entries may be called
SOURCE_FLAGS = frozenset(flag for flags in SOURCES.values() for flag in flags)
# Written into card books by SillyTavern, which sets use_regex on every entry whatever its keys are.
SILLYTAVERN_FIELDS = {"exclude_recursion", "selectiveLogic", "useProbability"}


def parse_book(data: object, source: str) -> tuple[Book, list[str]]:
    """Read a book of any known kind, decoded from JSON; the notes say what was odd about it and what is not done here.

    Raises AdvreplError, which begins with the source, for what is no book or too much of one.
    """
    notes: list[str] = []
    holder, listed = _find(data, source, notes)
    if len(listed) > MAX_ENTRIES:
        raise AdvreplError(f"{source} has {len(listed):,} entries, the limit is {MAX_ENTRIES:,}: split it")
    entries: list[Entry] = []
    unsupported: Counter[str] = Counter()
    patterns = 0
    for key, value in listed:
        if isinstance(value, dict):
            entries.append(_entry(Fields(value, f"entries[{key}].", notes), key, source, unsupported))
            patterns += _check_patterns(entries[-1], f"entries[{key}].", notes) if patterns < MAX_CHECKED else 0
        else:
            notes.append(f"entries[{key}] is no object: ignored")
    if sum(len(entry.content) for entry in entries) > MAX_TOTAL:
        raise AdvreplError(f"{source} holds more than {MAX_TOTAL:,} characters of lore: split it")
    if (keys := sum(map(_key_count, entries))) > MAX_BOOK_KEYS:
        raise AdvreplError(f"{source} has {keys:,} keys, the limit is {MAX_BOOK_KEYS:,}: split it")
    fields = Fields(holder, "", notes)
    book = Book(
        entries=tuple(entries),
        scan_depth=fields.count("scan_depth", "scanDepth"),
        token_budget=fields.count("token_budget", "tokenBudget") or None,
        # SillyTavern writes no such field; there it is a setting, and entries say what they want to be kept out of.
        recursive=fields.flag("recursive_scanning", default=any(_is_sillytavern(value) for _, value in listed)),
    )
    unknown = unknown_note(*(entry.content for entry in entries))
    return book, [*_never_notes(book), *_unsupported_note(unsupported), *unknown, *shorten(notes)]


def load_book(path: Path) -> tuple[Book, list[str]]:
    """Read a book from a file of any of the kinds; also the one in a character card."""
    data = card_files.load_bytes(path)
    found, forgiven = _decoded(data, str(path))
    book, notes = parse_book(found, str(path))
    if not book.entries:
        raise AdvreplError(f"{path} has no entries: it is no lorebook")
    return book, [f"{path.name}: {note}" for note in (*forgiven, *notes)]


def combine(books: Iterable[Book]) -> Book:
    """Make one book out of several; what ruled each is written into its entries."""
    stack = list(books)
    entries = tuple(
        msgspec.structs.replace(
            entry,
            id=f"{number}.{entry.id}",
            scan_depth=book.scan_depth if entry.scan_depth is None else entry.scan_depth,
            exclude_recursion=entry.exclude_recursion or not book.recursive,
        )
        for number, book in enumerate(stack)
        for entry in book.entries
    )
    budgets = [book.token_budget for book in stack if book.token_budget]
    budget = sum(budgets) if budgets and len(budgets) == len(stack) else None
    return Book(entries, token_budget=budget, recursive=any(book.recursive for book in stack))


def _decoded(data: bytes, source: str) -> tuple[object, list[str]]:
    """The book in a file, which is its text, or that of the character in a picture or an archive."""
    if not card_files.is_text(data):
        found, notes = card_files.unpack(data, source)
        if world_entries(found):
            return found, notes
        character, _ = parse_object(found, source)
        if not character.book:
            raise AdvreplError(f"{source} is a character card without a lorebook")
        return character.book, []
    try:
        return text.decode(data)
    except AdvreplError as error:
        raise AdvreplError(f"{source} holds no lorebook that can be read: {error}") from error


def _find(data: object, source: str, notes: list[str]) -> tuple[dict[Any, Any], list[tuple[str, Any]]]:
    """The object that holds the entries, and these with their keys or numbers."""
    holder: Any = world_entries(data) or data
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
    numbered = [(str(key)[:80], value) for key, value in items]
    if isinstance(found, dict) and any(isinstance(value, dict) and "keys" in value for value in found.values()):
        notes.append("entries is an object, not a list: read in its order")
    return holder if isinstance(holder, dict) else {}, numbered


def _key_count(entry: Entry) -> int:
    return sum(len(getattr(entry, name)) for name in KEY_FIELDS)


def _is_world_entry(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("key"), list) and "keyanti" not in value


def _is_sillytavern(value: object) -> bool:
    """Whether SillyTavern wrote the entry, into a world file or a card, and what is not said there is its setting."""
    if not isinstance(value, dict) or _is_world_entry(value):
        return isinstance(value, dict)
    extensions = value.get("extensions")
    return isinstance(extensions, dict) and not SILLYTAVERN_FIELDS.isdisjoint(map(str, extensions))


def _entry(fields: Fields, key: str, source: str, unsupported: Counter[str]) -> Entry:
    """An entry; what it asks for and does not get here is counted."""
    content = fields.text("content", "value", "entry")
    if len(content) > MAX_CONTENT:
        raise AdvreplError(
            f"{source}: {fields.path}content has {len(content):,} characters, the limit is {MAX_CONTENT:,}: split it"
        )
    content, change = decorators.read(content)
    extensions = fields.inner("extensions")
    by_sillytavern = _is_sillytavern(fields.value)
    position = _position(fields, extensions)
    values: dict[str, Any] = {
        **_keys(fields, extensions, by_sillytavern),
        **_order(fields, extensions),
        "position": POSITIONS[position],
    }
    if position != AT_DEPTH:
        values["role"] = "system"  # other places have no roles
    values |= {**_rules(fields, extensions), **_group(fields, extensions), **_meant_for(fields, extensions), **change}
    entry = Entry(key, content, **values)
    if entry.enabled and entry.content.strip():
        unsupported.update(_unsupported(entry, position))
    return entry


def _keys(fields: Fields, extensions: Fields, by_sillytavern: bool) -> dict[str, Any]:
    secondary = fields.words("secondary_keys", "keysecondary")
    logic = int(_either("selectiveLogic", fields, extensions, default=0, low=0, high=3))
    return {
        "keys": fields.words("keys", "key"),
        "secondary_keys": secondary if fields.flag("selective", default=_is_world_entry(fields.value)) else (),
        "selective_logic": LOGICS[logic],
        "exclude_keys": fields.words("keyanti"),
        "enabled": fields.flag("enabled", default=True)
        and not fields.flag("disable")
        and not fields.flag("widisabled"),
        "constant": fields.flag("constant"),
        "use_regex": fields.flag("use_regex") and not by_sillytavern,
        "case_sensitive": _flag(fields, extensions, "case_sensitive", "caseSensitive"),
        "match_whole_words": _flag(fields, extensions, "match_whole_words", "matchWholeWords", default=by_sillytavern),
        "match_sources": _sources(fields, extensions),
        "scan_depth": _count(fields, extensions, "scan_depth", "scanDepth"),
    }


def _sources(fields: Fields, extensions: Fields) -> tuple[str, ...]:
    if SOURCE_FLAGS.isdisjoint(fields.value) and SOURCE_FLAGS.isdisjoint(extensions.value):
        return ()
    return tuple(name for name, flags in SOURCES.items() if _flag(fields, extensions, *flags))


def _order(fields: Fields, extensions: Fields) -> dict[str, Any]:
    return {
        "order": fields.number("insertion_order", "order", default=100.0),
        "priority": fields.number("priority", default=0.0),
        "depth": int(_either("depth", fields, extensions, default=4, low=0)),
        "role": ROLES[int(_either("role", fields, extensions, default=0, low=0, high=2))],
        "outlet": (extensions.text("outlet_name") or fields.text("outletName")).strip(),
        "ignore_budget": _flag(fields, extensions, "ignore_budget", "ignoreBudget"),
    }


def _position(fields: Fields, extensions: Fields) -> int:
    """The place that the entry asks for, as SillyTavern numbers them; card books have its name beside the number."""
    named = fields.value.get("position")
    number = (extensions if isinstance(named, str) or named is None else fields).count("position")
    if number is None and named == "before_char":
        return 0
    return number if number is not None and number < len(POSITIONS) else 1


def _unsupported(entry: Entry, position: int) -> Iterator[str]:
    """What the entry asks for and does not get here."""
    if entry.position != POSITIONS[position]:  # a decorator wants it otherwise
        position = AT_DEPTH if entry.position == "depth" else 1
    if position in UNSUPPORTED:
        yield UNSUPPORTED[position]


def _never_notes(book: Book) -> list[str]:
    """Say so where entries can never be told; where none can, the book is one that is not understood."""
    able = [each for each in book.entries if each.enabled and each.content.strip() and each.probability]
    able = [each for each in able if each.keys or each.constant or each.activate]
    if book.entries and not able:
        why = "they have no keys, no text, or are switched off"
        return [f"none of its {len(book.entries):,} entries can ever apply: {why}"]
    others = sum(bool(each.triggers) and "normal" not in each.triggers for each in able)
    which = "entries that are for continuations, swipes and the like alone"
    return [f"{which} ({others:,}): never told, as lore here is chosen for the player's turn"] if others else []


def _unsupported_note(unsupported: Counter[str]) -> list[str]:
    asked = ", ".join(f"{count:,} {what}" for what, count in unsupported.most_common())
    told = "lore here is told before the turn at which it fires, and again when it is as many turns old as it is deep"
    return [f"entries that ask for a place of their own ({asked}): {told}"] if asked else []


def _rules(fields: Fields, extensions: Fields) -> dict[str, Any]:
    sure = not _flag(fields, extensions, "useProbability", default=True)
    delayed = extensions.value.get("delay_until_recursion", fields.value.get("delayUntilRecursion"))
    return {
        "probability": 100.0 if sure else _either("probability", fields, extensions, default=100, low=0, high=100),
        "sticky": int(_either("sticky", fields, extensions, default=0, low=0)),
        "cooldown": int(_either("cooldown", fields, extensions, default=0, low=0)),
        "delay": int(_either("delay", fields, extensions, default=0, low=0)),
        "exclude_recursion": _flag(fields, extensions, "exclude_recursion", "excludeRecursion"),
        "prevent_recursion": _flag(fields, extensions, "prevent_recursion", "preventRecursion"),
        "delay_until_recursion": max(0, min(100, int(delayed))) if isinstance(delayed, int) else 0,
    }


def _group(fields: Fields, extensions: Fields) -> dict[str, Any]:
    named = extensions.text("group") or fields.text("group")
    if not named:
        return {}
    return {
        "groups": tuple(name.strip() for name in named.split(",")[:20] if name.strip()),
        "group_weight": _count(fields, extensions, "group_weight", "groupWeight", default=100) or 0.0,
        "group_override": _flag(fields, extensions, "group_override", "groupOverride"),
        "use_group_scoring": _flag(fields, extensions, "use_group_scoring", "useGroupScoring"),
    }


def _meant_for(fields: Fields, extensions: Fields) -> dict[str, Any]:
    """The characters and the replies that an entry is for."""
    triggers = (extensions if extensions.value.get("triggers") is not None else fields).words("triggers")
    wanted = (extensions if "characterFilter" in extensions.value else fields).inner("characterFilter")
    if not wanted.value:
        return {"triggers": triggers}
    return {
        "characters": wanted.words("names"),
        "tags": wanted.words("tags"),
        "for_others": wanted.flag("isExclude"),
        "triggers": triggers,
    }


def _either(
    name: str, fields: Fields, extensions: Fields, *, default: float, low: float, high: float = HIGHEST
) -> float:
    place = extensions if extensions.value.get(name) is not None else fields
    return place.number(name, default=default, low=low, high=high) if name in place.value else default


def _flag(fields: Fields, extensions: Fields, *names: str, default: bool = False) -> bool:
    """The first of a field's spellings that is there; cards have it among their extensions."""
    for place in (extensions, fields) if extensions.value else (fields,):
        for name in names:
            if place.value.get(name) is not None:
                return place.flag(name, default)
    return default


def _count(fields: Fields, extensions: Fields, *names: str, default: int | None = None) -> int | None:
    for place in (fields, extensions):
        for name in names:
            if place.value.get(name) is not None and (found := place.count(name)) is not None:
                return found
    return default


def _check_patterns(entry: Entry, path: str, notes: list[str]) -> int:
    """Name patterns that are none, and say how many there were; they are looked for as they are written."""
    keys = [(name, key) for name in KEY_FIELDS for key in getattr(entry, name) if entry.use_regex or key[0] == "/"]
    keys = [(name, key) for name, key in keys if entry.use_regex or key_match.is_pattern(key)]
    for name, key in keys:
        if "{{" not in key and not key_match.is_valid(key):
            notes.append(f"{path}{name} holds {key[:40]!r}, which is no pattern that can be used: looked for as it is")
    return len(keys)
