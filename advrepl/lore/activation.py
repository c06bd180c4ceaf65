"""Decide which entries of a lorebook apply to a turn, and in which order they stand in the prompt.

Results depend on the arguments alone, with one exception: a pattern that takes too long is switched off for the story.
Does not know how books are written (books.py) nor where "before", "after" and "depth" are in a prompt.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from advrepl.lore.books import Book, Entry
from advrepl.lore.key_match import PATIENCE, Patterns, has_word, is_pattern
from advrepl.macros.expand import hidden_keys

SCAN_DEPTH = 2  # turns that are searched for keys where a book does not say; as SillyTavern has it
MAX_SCAN = 20_000  # characters that are searched, the newest ones; more than the models' context holds
MAX_ROUNDS = 10  # of entries that wake entries
PLACES = ("before", "after", "depth")


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a story remembers of its lore: never changed, `activate` gives a new one."""

    started: dict[str, int] = {}  # number of turns there were when an entry with sticky or cooldown last began
    slow: tuple[str, ...] = ()  # patterns that took too long


@dataclass(frozen=True, slots=True)
class Active:
    """An entry that applies now, with its macros expanded."""

    entry: Entry
    text: str
    tokens: int


def activate(
    book: Book,
    turns: Sequence[str],
    state: State,
    *,
    count: Callable[[str], int],
    budget: int,
    rng: random.Random,
    expand: Callable[[str], str],
    greeting: int | None = None,
) -> tuple[tuple[Active, ...], State]:
    """The entries that apply, in the order of the prompt: before the character, after it, then from deep to shallow.

    `turns` are all of the story, oldest first, as their number is what sticky, cooldown and delay are counted in;
    put names before them ("Ann: …") where keys should find speakers. `greeting` is the number of the one in use.
    `budget` is in tokens of the entries alone, without what may stand between them.
    """
    scan = _Scan(book, turns, state, expand, greeting)
    pending = [number for number, entry in enumerate(book.entries) if scan.may(entry)]
    taken: dict[int, Active] = {}
    room = min(budget, book.token_budget or budget)
    for _ in range(MAX_ROUNDS):
        matched = [number for number in pending if scan.matches(book.entries[number])]
        groups = {group for number in taken for group in book.entries[number].groups}
        new = _fitting(scan, _one_of_each_group(scan, matched, groups, rng), room, count, rng)
        room -= sum(active.tokens for active in new.values())
        taken |= new
        out = set(matched)  # an entry has one chance a turn: to be drawn, to win its group, to fit
        pending = [number for number in pending if number not in out]
        if not (book.recursive and scan.read(new, pending)):
            break
    ordered = sorted(taken, key=lambda number: _place(book.entries[number], number))
    return tuple(taken[number] for number in ordered if taken[number].text), scan.after(taken)


def news(before: State, after: State) -> list[str]:
    """What to tell the player about patterns that were switched off."""
    return [
        f"the lore pattern {key[:60]!r} took longer than {PATIENCE} seconds: it is switched off in this story"
        for key in after.slow
        if key not in before.slow
    ]


class _Scan:
    """One turn's search: the text, what woken entries added to it, and the time that patterns have left."""

    def __init__(
        self, book: Book, turns: Sequence[str], state: State, expand: Callable[[str], str], greeting: int | None
    ) -> None:
        self.book, self.turns, self.expand, self.greeting = book, turns, expand, greeting
        self.patterns = Patterns(set(state.slow))
        # An entry that began this turn or later began in a future that was undone or is being written again.
        self.started = {name: turn for name, turn in state.started.items() if turn < len(turns)}
        self.woken = ""
        self.level = self.round = 0
        self.texts: dict[tuple[int, bool], str] = {}

    def since(self, entry: Entry) -> int | None:
        """Turns since the entry began, where it has to do with time."""
        start = self.started.get(entry.id)
        return None if start is None or not (entry.sticky or entry.cooldown) else len(self.turns) - start

    def sticks(self, entry: Entry) -> bool:
        since = self.since(entry)
        return since is not None and since <= entry.sticky

    def may(self, entry: Entry) -> bool:
        """Whether an entry could apply this turn, whatever is said."""
        if not entry.enabled or not entry.content.strip():
            return False
        if entry.forced or self.sticks(entry):
            return True
        replies, since = len(self.turns) // 2, self.since(entry)
        return (
            (since is None or since > entry.sticky + entry.cooldown)
            and len(self.turns) >= entry.delay
            and replies >= entry.after
            and not (entry.every and replies % entry.every)
            and (entry.greeting is None or self.greeting is None or entry.greeting == self.greeting)
        )

    def matches(self, entry: Entry) -> bool:
        if entry.forced or self.sticks(entry):
            return True
        if entry.level > self.level or (self.round and entry.unread):
            return False
        has = self.finder(entry)
        return (entry.constant or any(map(has, entry.keys))) and (
            (entry.constant or _second(entry, has))
            and (not entry.also or any(map(has, entry.also)))
            and not any(map(has, entry.exclude))
        )

    def finder(self, entry: Entry) -> Callable[[str], bool]:
        def has(key: str) -> bool:
            key = self.expand(key) if "{{" in key or "<" in key else key
            if entry.regex or is_pattern(key):
                return self.patterns.found(key, self.text(entry, folded=False), not entry.case)
            text = self.text(entry, folded=not entry.case)
            word = key if entry.case else key.casefold()
            if not word or word not in text:
                return False
            # As in SillyTavern, where the books come from: keys of several words are always looked for as they are.
            return not entry.whole or len(word.split()) > 1 or has_word(text, word)

        return has

    def text(self, entry: Entry, folded: bool) -> str:
        depth = next((d for d in (entry.scan_depth, self.book.scan_depth) if d is not None), SCAN_DEPTH)
        depth = min(depth, len(self.turns))
        if (depth, folded) not in self.texts:
            text = _newest(self.turns, depth) + self.woken
            self.texts[depth, folded] = text.casefold() if folded else text
        return self.texts[depth, folded]

    def read(self, new: dict[int, Active], pending: list[int]) -> bool:
        """Add the text of new entries to what is searched; whether there is anything left to find."""
        loud = [active for active in new.values() if not active.entry.silent]
        levels = [self.book.entries[number].level for number in pending if self.book.entries[number].level > self.level]
        if not loud and not levels:
            return False
        self.woken += "".join(f"\n{active.text}\n{hidden_keys(active.entry.content)}" for active in loud)
        self.level = max(self.level, 1) if loud else min(levels)
        self.round += 1
        self.texts.clear()
        return True

    def after(self, taken: dict[int, Active]) -> State:
        started = dict(self.started)
        for entry in (active.entry for active in taken.values()):
            if (entry.sticky or entry.cooldown) and not self.sticks(entry):
                started[entry.id] = len(self.turns)
        return State(started, tuple(sorted(self.patterns.slow)))


def _second(entry: Entry, has: Callable[[str], bool]) -> bool:
    if not entry.secondary:
        return True
    if entry.logic in ("any", "not any"):
        return any(map(has, entry.secondary)) == (entry.logic == "any")
    return all(map(has, entry.secondary)) == (entry.logic == "all")


def _one_of_each_group(scan: _Scan, matched: list[int], closed: set[str], rng: random.Random) -> list[int]:
    entries, left = scan.book.entries, dict.fromkeys(matched)
    for group in dict.fromkeys(group for number in matched for group in entries[number].groups):
        members = [number for number in left if group in entries[number].groups]
        if members and group not in closed:
            members.remove(_winner(scan, members, rng))
        for number in members:
            del left[number]
    return list(left)


def _winner(scan: _Scan, members: list[int], rng: random.Random) -> int:
    """The entry that speaks for a group: one that sticks, else one that leads, else one drawn by weight."""
    entries = scan.book.entries
    if stuck := [number for number in members if scan.sticks(entries[number])]:
        return stuck[0]
    if leaders := [number for number in members if entries[number].leads]:
        return max(leaders, key=lambda number: entries[number].order)
    weights = [entries[number].weight for number in members]
    return rng.choices(members, weights if sum(weights) > 0 else None)[0]


def _fitting(
    scan: _Scan, numbers: list[int], room: int, count: Callable[[str], int], rng: random.Random
) -> dict[int, Active]:
    """Those that are drawn and for which there is room. One that is too long does not keep shorter ones out."""
    taken: dict[int, Active] = {}
    for number in sorted(numbers, key=lambda number: _rank(scan, number)):
        entry = scan.book.entries[number]
        if not (entry.forced or scan.sticks(entry)) and rng.random() * 100 >= entry.probability:
            continue
        text = scan.expand(entry.content).strip()
        tokens = count(text) if text else 0
        if tokens <= room:
            room -= tokens
            taken[number] = Active(entry, text, tokens)
    return taken


def _rank(scan: _Scan, number: int) -> tuple[object, ...]:
    """Who is served first while there is room."""
    entry = scan.book.entries[number]
    kind = 0 if entry.constant or entry.forced else 1 if scan.sticks(entry) else 2
    return entry.dropped_first, kind, -entry.priority, -entry.order, number


def _place(entry: Entry, number: int) -> tuple[object, ...]:
    return PLACES.index(entry.position), -entry.depth if entry.position == "depth" else 0, entry.order, number


def _newest(turns: Sequence[str], depth: int) -> str:
    """The text of the last turns, in their order, at most MAX_SCAN characters of it."""
    found: list[str] = []
    left = MAX_SCAN
    for turn in reversed(turns[len(turns) - depth :]):
        found.append(turn[-left:])
        left -= len(turn)
        if left <= 0:
            break
    return "\n".join(reversed(found))
