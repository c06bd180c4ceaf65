"""Lorebooks as other programs write them, read into one kind of entry.

Knows the books of V2 and V3 cards, standalone V3 lorebooks, SillyTavern's world files, world info of KoboldAI and
Kobold Lite, and AI Dungeon's story cards. What is odd is read as well as it can be, with a note that names the field.
Does not know when an entry applies (activation.py).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from advrepl import AdvreplError
from advrepl.cards import card_files, text
from advrepl.cards.read import parse_card
from advrepl.lore import decorators, key_match
from advrepl.lore.fields import Fields, shorten

MAX_ENTRIES = 10_000
MAX_CONTENT = 100_000  # characters of one entry
MAX_TOTAL = 10_000_000  # characters of a book
MAX_BOOK_KEYS = 50_000  # of all entries; each is looked for every turn

Logic = Literal["any", "not all", "not any", "all"]
Position = Literal["before", "after", "depth"]
LOGICS: tuple[Logic, ...] = get_args(Logic)  # as SillyTavern numbers them
TOP_TO_BOTTOM: tuple[Position, ...] = get_args(Position)  # of the prompt
# As SillyTavern numbers them: before and after the character, the two ends of the author's note, at a depth,
# before and after the examples.
POSITIONS: tuple[Position, ...] = ("before", "after", "depth", "depth", "depth", "after", "after")
AT_DEPTH = 4
UNSUPPORTED = (
    {AT_DEPTH: "at a depth"} | dict.fromkeys((2, 3), "at the author's note") | dict.fromkeys((5, 6), "at the examples")
)
ROLES = ("system", "user", "assistant")
KEY_FIELDS = ("keys", "secondary_keys", "additional_keys", "exclude_keys")
HOLDERS = ("data", "character_book", "worldinfo_v2")  # objects around a book
LISTS = ("entries", "worldinfo", "worldInfo", "storyCards")  # what its list of entries may be called
# Written into card books by SillyTavern, which sets use_regex on every entry whatever its keys are.
SILLYTAVERN_FIELDS = {"exclude_recursion", "selectiveLogic", "useProbability"}


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of lore and when it applies. Numbers of turns are 0 where the entry has no such rule.

    The names are SillyTavern's and those of the V3 specification.
    """

    id: str
    content: str
    keys: tuple[str, ...] = ()
    secondary_keys: tuple[str, ...] = ()
    selective_logic: Logic = "any"  # how many of the secondary keys must be there
    additional_keys: tuple[str, ...] = ()  # one of these must be there too
    exclude_keys: tuple[str, ...] = ()  # none of these may be there
    enabled: bool = True
    constant: bool = False
    activate: bool = False  # applies in any case
    use_regex: bool = False  # all keys are patterns, not only those written /like this/
    case_sensitive: bool = False
    match_whole_words: bool = False  # a key of one word does not match inside a longer word
    order: float = 100.0  # lower stands earlier
    priority: float = 0.0  # lower is dropped first
    ignore_on_max_context: bool = False
    position: Position = "after"  # among the entries that stand before the same turn: "before" stands first
    depth: int = 4  # among those with position "depth": the deepest stands first
    probability: float = 100.0
    groups: tuple[str, ...] = ()
    group_weight: float = 100.0
    group_override: bool = False  # its groups, by order, before any that are drawn by weight
    sticky: int = 0
    cooldown: int = 0
    delay: int = 0  # turns that the story must have
    activate_only_after: int = 0  # replies that the model must have written
    activate_only_every: int = 0  # so many replies
    greeting: int | None = None
    scan_depth: int | None = None
    exclude_recursion: bool = False  # its keys are not looked for in other entries
    prevent_recursion: bool = False  # no keys are looked for in its own text
    delay_until_recursion: int = 0  # the round of recursion from which it takes part; 0: needs none


class Book(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lore from one source, or from several that were combined."""

    entries: tuple[Entry, ...] = ()
    scan_depth: int | None = None  # turns; None: as activation.py has it
    token_budget: int | None = None  # None: none of its own
    recursive: bool = False


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
    for key, value in listed:
        if isinstance(value, dict):
            entries.append(_entry(Fields(value, f"entries[{key}].", notes), key, source, unsupported))
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
        # World files have no such field; there it is a setting, and entries say what they want to be kept out of.
        recursive=fields.flag("recursive_scanning", default=any(_is_world_entry(value) for _, value in listed)),
    )
    return book, [*_unsupported_note(unsupported), *shorten(notes)]


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
        character, _ = parse_card(data, source)
        if not character.book:
            raise AdvreplError(f"{source} is a character card without a lorebook")
        return character.book, []
    try:
        return text.decode(data)
    except AdvreplError as error:
        raise AdvreplError(f"{source} holds no lorebook that can be read: {error}") from error


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
    numbered = [(str(key)[:80], value) for key, value in items]
    if isinstance(found, dict) and any(isinstance(value, dict) and "keys" in value for value in found.values()):
        notes.append("entries is an object, not a list: read in its order")
    return holder if isinstance(holder, dict) else {}, numbered


def _key_count(entry: Entry) -> int:
    return sum(len(getattr(entry, name)) for name in KEY_FIELDS)


def _is_world_entry(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("key"), list) and "keyanti" not in value


def _entry(fields: Fields, key: str, source: str, unsupported: Counter[str]) -> Entry:
    """An entry; what it asks for and does not get here is counted."""
    content = fields.text("content", "value", "entry")
    if len(content) > MAX_CONTENT:
        raise AdvreplError(
            f"{source}: {fields.path}content has {len(content):,} characters, the limit is {MAX_CONTENT:,}: split it"
        )
    content, change = decorators.read(content)
    extensions = fields.inner("extensions")
    position = _position(fields, extensions)
    values: dict[str, Any] = {
        **_keys(fields, extensions),
        **_order(fields, extensions),
        "position": POSITIONS[position],
    }
    values |= {**_rules(fields, extensions), **_group(fields, extensions), **change}
    role = values.pop("role")
    entry = Entry(key, content, **values)
    if entry.enabled and entry.content.strip():
        unsupported.update(_unsupported(entry, position, role))
    _check_patterns(entry, fields)
    return entry


def _keys(fields: Fields, extensions: Fields) -> dict[str, Any]:
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
        "use_regex": fields.flag("use_regex") and not SILLYTAVERN_FIELDS & set(map(str, extensions.value)),
        "case_sensitive": _flag(fields, extensions, "case_sensitive", "caseSensitive"),
        "match_whole_words": _flag(fields, extensions, "match_whole_words", "matchWholeWords"),
        "scan_depth": _count(fields, extensions, "scan_depth", "scanDepth"),
    }


def _order(fields: Fields, extensions: Fields) -> dict[str, Any]:
    return {
        "order": fields.number("insertion_order", "order", default=100.0),
        "priority": fields.number("priority", default=0.0),
        "depth": int(_either("depth", fields, extensions, default=4, low=0)),
        "role": ROLES[int(_either("role", fields, extensions, default=0, low=0, high=2))],
    }


def _position(fields: Fields, extensions: Fields) -> int:
    """The place that the entry asks for, as SillyTavern numbers them; card books have its name beside the number."""
    named = fields.value.get("position")
    number = (extensions if isinstance(named, str) or named is None else fields).count("position")
    if number is None and named == "before_char":
        return 0
    return number if number is not None and number < len(POSITIONS) else 1


def _unsupported(entry: Entry, position: int, role: str) -> Iterator[str]:
    """What the entry asks for and does not get here."""
    if entry.position != POSITIONS[position]:  # a decorator wants it otherwise
        position = AT_DEPTH if entry.position == "depth" else 1
    if position in UNSUPPORTED:
        yield UNSUPPORTED[position]
    if position == AT_DEPTH and role != "system":  # other places have no roles
        yield "as user or assistant"


def _unsupported_note(unsupported: Counter[str]) -> list[str]:
    asked = ", ".join(f"{count:,} {what}" for what, count in unsupported.most_common())
    told = "lore here is system text before the turn at which it fires, or at the head if it always applies"
    return [f"entries that ask for a place or role of their own ({asked}): {told}"] if asked else []


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
    return {
        "groups": tuple(name.strip() for name in named.split(",")[:20] if name.strip()),
        "group_weight": _count(fields, extensions, "group_weight", "groupWeight", default=100) or 0.0,
        "group_override": _flag(fields, extensions, "group_override", "groupOverride"),
    }


def _either(name: str, fields: Fields, extensions: Fields, **limits: float) -> float:
    return (extensions if extensions.value.get(name) is not None else fields).number(name, **limits)


def _flag(fields: Fields, extensions: Fields, *names: str, default: bool = False) -> bool:
    """The first of a field's spellings that is there; cards have it among their extensions."""
    for place in (extensions, fields):
        for name in names:
            if place.value.get(name) is not None:
                return place.flag(name, default)
    return default


def _count(fields: Fields, extensions: Fields, *names: str, default: int | None = None) -> int | None:
    found = fields.count(*names)
    found = extensions.count(*names) if found is None else found
    return default if found is None else found


def _check_patterns(entry: Entry, fields: Fields) -> None:
    """Name patterns that do not compile. They stay where they are and match nothing, so that the entry keeps quiet."""
    for name in KEY_FIELDS:
        for key in getattr(entry, name):
            pattern = entry.use_regex or key_match.is_pattern(key)
            if pattern and "{{" not in key and not key_match.compile_pattern(key, not entry.case_sensitive):
                fields.note(name, f"holds {key[:40]!r}, which is no pattern that can be used: it matches nothing")
