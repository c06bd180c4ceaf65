"""Stories on disk: one JSON file each. Holds text, never tokens.

Does not know how a story is played, nor how its file is kept from harm meanwhile (save_file.py).
"""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from advrepl import AdvreplError, atomic, program, regular
from advrepl.cards.character import Character
from advrepl.lore.entries import Book
from advrepl.lore.timing import LoreState
from advrepl.scripts import is_file_name
from advrepl.story import crypt
from advrepl.story.encoding import Encoded, Encoder
from advrepl.story.glance import find as find
from advrepl.story.migrations import MIGRATIONS
from advrepl.story.quotes import Quote, fits
from advrepl.story.scenario import Scenario
from advrepl.story.seal import is_altered
from advrepl.story.summaries import Summary
from advrepl.story.tree import Story, Turn, counted

SCHEMA = len(MIGRATIONS) + 1


class ModelRef(msgspec.Struct, frozen=True):
    """The model a story was last played on."""

    name: str = ""
    fingerprint: str = ""
    spec: str = ""  # what --model was, so that the story goes on with the same one


class PlayedWith(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the player chose about the model, so that the story goes on with it; None: nothing."""

    ctx: Annotated[int, msgspec.Meta(ge=1)] | None = None  # tokens; of less llama.cpp makes billions
    kv: str | None = None  # the type of the cache
    plain_model: bool = False
    exact: bool = False  # does every reply follow from the story and its seed alone?


class Save(msgspec.Struct, frozen=True, omit_defaults=True):
    """A save file, field by field. Whoever goes on with the story replaces it; only the list of turns grows."""

    schema: int
    title: str
    created: str
    model: ModelRef
    format: str
    sampling: dict[str, Any]
    scenario: Scenario
    turns: list[Turn]
    head: int | None
    updated: str = ""  # behind the turns, as it changes with each version: what is before them is summed up once
    window_start: int = 0  # the first block that the model sees: example dialogues, then the turns to the head
    character: Character | None = None  # who the model plays, so that {{user}} can be filled in anew
    books: tuple[Book, ...] = ()  # lore that was added to the character's own
    lore_state: LoreState = LoreState()  # what builds before Turn.lore_state remember of its lore
    macro_values: dict[str, str] = {}  # what macros rolled, and their variables; never changed in place
    rng_seed: str = ""  # what macros and lore roll with
    bans: tuple[str, ...] = ()  # phrases that replies must not hold (prompt/bans.py)
    card_path: str = ""  # the path of the character's card, for its picture; it may be gone
    futures: dict[int, int] = {}  # as Story.futures
    branches: dict[str, int] = {}  # the last turns of branches, by the names that the player gave them
    branch: str = ""  # the one that is being read, whose last turn moves with the head; empty: none that has a name
    quotes: tuple[Quote, ...] = ()  # what is kept of turns that are out of sight (story/quotes.py)
    summaries: tuple[Summary, ...] = ()  # in the model's own words (story/summaries.py)
    recap: bool = False  # does the model choose what is kept?
    carried: Literal["", "off", "on", "told"] = ""  # is it kept what the player has? Empty: in adventures
    played: PlayedWith = PlayedWith()
    deleted: int = 0  # turns that were there once: a seed of theirs does not come again
    lock: crypt.Lock | None = None  # what the file is encrypted under; never within it
    samplings: tuple[dict[str, Any], ...] = ()  # all that replies were sampled with; Turn.sampling counts from 0


def with_scenario(save: Save, **fields: Any) -> Save:
    """Return the save with these fields of its scenario changed."""
    return msgspec.structs.replace(save, scenario=msgspec.structs.replace(save.scenario, **fields))


def now() -> str:
    """Return the time as saves have it: ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str) -> str:
    """Return the name if a story can have it: never a path out of the folder; else raise AdvreplError."""
    if not is_file_name(name):
        raise AdvreplError(
            f"{name!r} cannot be the name of a story: use letters, digits, spaces and - _ . ( ), and not too many"
        )
    return name


def path_of(folder: Path, name: str) -> Path:
    """Return the save file of a story's name, or the file itself where a path to one was given (NAME.json)."""
    return Path(name).expanduser() if name.endswith(".json") else folder / f"{check_name(name)}.json"


def free_name(saves: Path, name: str, but: Collection[str] = ()) -> str:
    """Return `name`, or `name-2`, `name-3`, … : the first that no story has, `but` none of these."""
    number, candidate = 1, name
    while candidate in but or any((saves / f"{candidate}.{kind}").exists() for kind in ("json", "json.bak")):
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def parse(data: bytes, source: str) -> Save:
    """Read a save of any schema up to this one; AdvreplError names the source and the path of a wrong field.

    An encrypted one whose passphrase is not known: crypt.Locked.
    """
    if crypt.is_encrypted(data):
        data, lock = crypt.opened(data, source)
        return msgspec.structs.replace(parse(data, source), lock=lock)
    try:
        plain = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdvreplError(f"{source} is damaged: {_sentence(error)}") from error
    except RecursionError:
        raise AdvreplError(f"{source} is no story of advrepl: it has no end of brackets") from None
    try:
        return from_plain(plain, source)
    except NewerSave:
        if is_altered(data):
            raise AdvreplError(f"{source} is damaged: it is not what was written") from None
        raise


def from_plain(plain: Any, source: str) -> Save:
    """Read a save from its JSON objects; raises AdvreplError as `parse` does."""
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if not isinstance(schema, int) or schema < 1:
        raise AdvreplError(f"{source} is no story of advrepl: it has no schema number")
    if schema > SCHEMA:
        raise NewerSave(f"{source} was written by a newer advrepl (schema {schema}, this one knows {SCHEMA}): update")
    for migrate in MIGRATIONS[schema - 1 :]:
        plain = migrate(plain)
    try:
        save = msgspec.convert({**plain, "lock": None}, Save, str_keys=True)
    except msgspec.ValidationError as error:
        raise AdvreplError(f"{source} is damaged: {_sentence(error)}") from error
    _check_tree(save, source)
    _check_kept(save, source)
    return save


def encode(save: Save) -> bytes:
    """Return the bytes of a save file that is written now; the time goes into the file, not into `save`."""
    return b"".join(encoded(save, Encoder()).pieces)


def encoded(save: Save, encoder: Encoder) -> Encoded:
    """Return the save file as `encode` does; `encoder` has encoded the versions before."""
    fields = msgspec.structs.replace(save, schema=SCHEMA, updated=now(), lock=None, turns=[])
    plain = encoder.encoded(msgspec.json.format(msgspec.json.encode(fields), indent=1), save.turns)
    if save.lock is None:
        return plain
    data = crypt.sealed(b"".join(plain.pieces), save.lock)
    return Encoded([data], hashlib.sha256(data).digest())


def write_copy(path: Path, save: Save) -> None:
    """Write a save to a path where there is no file yet; raises AdvreplError."""
    if path.exists():
        raise AdvreplError(f"{path} is there already: give another name")
    try:
        atomic.write(path, encode(save), durable=True, private=True)
    except OSError as error:
        raise AdvreplError(f"{path} could not be written ({error.strerror}): give another place") from error


class NewerSave(AdvreplError):
    """A save that only a newer version can read; there is nothing to recover."""


def load(path: Path) -> Save:
    """Read a save from its file; raises AdvreplError."""
    try:
        data = regular.read(path)
    except FileNotFoundError:
        raise AdvreplError(
            f"there is no story {path}: `{program.command('saves', 'list')}` shows those there are"
        ) from None
    except OSError as error:
        raise AdvreplError(f"{path} cannot be read: {error.strerror}") from error
    return parse(data, str(path))


def backup_of(path: Path) -> Path:
    """Return where the version before the last one of a save is kept."""
    return path.with_name(path.name + ".bak")


def problem(path: Path) -> str:
    """Return why a save cannot be read; empty: it can."""
    try:
        load(path)
    except AdvreplError as error:
        return str(error)
    return ""


def title_of(path: Path) -> str:
    """Return the title of a story; empty: its file cannot be read."""
    try:
        return load(path).title
    except AdvreplError:
        return ""


def length(save: Save) -> str:
    """Return how many turns are read of a story, and how many there are with all takes, in words."""
    read = len(Story(save.turns, save.head))
    return counted(read) + (f" ({len(save.turns)} with all takes)" if len(save.turns) > read else "")


def _check_tree(save: Save, source: str) -> None:
    for index, turn in enumerate(save.turns):
        if turn.parent is not None and not 0 <= turn.parent < index:
            raise AdvreplError(f"{source} is damaged: turns[{index}].parent names a turn that is not before it")
    if save.head is not None and not 0 <= save.head < len(save.turns):
        raise AdvreplError(f"{source} is damaged: head names turn {save.head} of {len(save.turns)}")
    for name, last in save.branches.items():
        if not 0 <= last < len(save.turns):
            raise AdvreplError(f"{source} is damaged: branches[{name!r}] names turn {last} of {len(save.turns)}")
    if save.window_start < 0:
        raise AdvreplError(f"{source} is damaged: window_start is negative")


def _check_kept(save: Save, source: str) -> None:
    if save.quotes and (wrong := fits(save.quotes, Story(save.turns))) is not None:
        raise AdvreplError(f"{source} is damaged: quotes[{wrong}] is no part of a turn")
    for number, summary in enumerate(save.summaries):
        if not 0 <= summary.turn < len(save.turns):
            raise AdvreplError(f"{source} is damaged: summaries[{number}].turn names none")


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
