"""Decide which entries of a lorebook apply to a turn, and in which order they stand in the prompt.

Results depend on the arguments alone, with one exception: a pattern that takes too long is switched off for the story.
Does not know how books are written (books.py), nor where in the prompt lore stands (story/injections.py).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from advrepl.lore.books import TOP_TO_BOTTOM, Book, Entry
from advrepl.lore.key_match import PATTERN_TIMEOUT, PatternSearch, has_word, is_pattern
from advrepl.macros.expand import hidden_keys
from advrepl.scripts import composed, folded

SCAN_DEPTH = 2  # turns that are searched for keys where a book does not say; as SillyTavern has it
MAX_SCAN = 20_000  # characters that are searched, the newest ones; more than the models' context holds
MAX_ROUNDS = 10  # of entries that activate entries


class LoreState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a story remembers of its lore: never changed, `activate` gives a new one."""

    started: dict[str, int] = {}  # number of turns there were when an entry with sticky or cooldown last began
    slow: tuple[str, ...] = ()  # patterns that took too long


@dataclass(frozen=True, slots=True)
class ActiveEntry:
    """An entry that applies now, with its macros expanded."""

    entry: Entry
    text: str
    tokens: int


def activate(
    book: Book,
    turns: Sequence[str],
    state: LoreState,
    *,
    count: Callable[[str], int],
    budget: int,
    rng: random.Random,
    expand: Callable[[str], str],
    greeting: int | None = None,
) -> tuple[tuple[ActiveEntry, ...], LoreState]:
    """Find the entries that apply, in the order of the prompt: before the character, after it, from deep to shallow.

    `turns` are all of the story, oldest first, as their number is what sticky, cooldown and delay are counted in;
    put names before them ("Ann: …") where keys should find speakers. `greeting` is the number of the one in use.
    `budget` is in tokens of the entries alone, without what may stand between them.
    """
    scan = _Scan(book, turns, state, expand, greeting)
    pending = [number for number, entry in enumerate(book.entries) if scan.may_apply(entry)]
    active: dict[int, ActiveEntry] = {}
    left = min(budget, book.token_budget or budget)
    for _ in range(MAX_ROUNDS):
        matched = [number for number in pending if scan.matches(book.entries[number])]
        taken_groups = {group for number in active for group in book.entries[number].groups}
        new = _within_budget(scan, _one_of_each_group(scan, matched, taken_groups, rng), left, count, rng)
        left -= sum(entry.tokens for entry in new.values())
        active |= new
        done = set(matched)  # an entry has one chance a turn: to be drawn, to win its group, to fit
        pending = [number for number in pending if number not in done]
        if not (book.recursive and scan.recurse(new, pending)):
            break
    ordered = sorted(active, key=lambda number: _place(book.entries[number], number))
    return tuple(active[number] for number in ordered if active[number].text), scan.next_state(active)


def switched_off_notes(before: LoreState, after: LoreState) -> list[str]:
    """Tell the player about the patterns that were switched off between two states."""
    return [
        f"the lore pattern {key[:60]!r} took longer than {PATTERN_TIMEOUT} seconds: it is switched off in this story"
        for key in after.slow
        if key not in before.slow
    ]


class _Scan:
    """One turn's search: the text, what active entries added to it, and the time that patterns have left."""

    def __init__(
        self, book: Book, turns: Sequence[str], state: LoreState, expand: Callable[[str], str], greeting: int | None
    ) -> None:
        self.book, self.turns, self.expand, self.greeting = book, turns, expand, greeting
        self.patterns = PatternSearch(set(state.slow))
        # An entry that began this turn or later began in a future that was undone or is being written again.
        self.started = {name: turn for name, turn in state.started.items() if turn < len(turns)}
        self.recursion_text = ""
        self.recursion_level = self.round = 0
        self.texts: dict[tuple[int, bool], str] = {}

    def turns_active(self, entry: Entry) -> int | None:
        """Turns since the entry began, where it has to do with time."""
        start = self.started.get(entry.id)
        return None if start is None or not (entry.sticky or entry.cooldown) else len(self.turns) - start

    def is_sticky(self, entry: Entry) -> bool:
        since = self.turns_active(entry)
        return since is not None and since <= entry.sticky

    def may_apply(self, entry: Entry) -> bool:
        """Whether an entry could apply this turn, whatever is said."""
        if not entry.enabled or not entry.content.strip():
            return False
        if entry.activate or self.is_sticky(entry):
            return True
        replies, since = len(self.turns) // 2, self.turns_active(entry)
        return (
            (since is None or since > entry.sticky + entry.cooldown)
            and len(self.turns) >= entry.delay
            and replies >= entry.activate_only_after
            and not (entry.activate_only_every and replies % entry.activate_only_every)
            and (entry.greeting is None or self.greeting is None or entry.greeting == self.greeting)
        )

    def matches(self, entry: Entry) -> bool:
        if entry.activate or self.is_sticky(entry):
            return True
        if entry.delay_until_recursion > self.recursion_level or (self.round and entry.exclude_recursion):
            return False
        has = self.key_finder(entry)
        return (entry.constant or any(map(has, entry.keys))) and (
            (entry.constant or _has_secondary(entry, has))
            and (not entry.additional_keys or any(map(has, entry.additional_keys)))
            and not any(map(has, entry.exclude_keys))
        )

    def key_finder(self, entry: Entry) -> Callable[[str], bool]:
        def has(key: str) -> bool:
            key = self.expand(key) if "{{" in key or "<" in key else key
            if entry.use_regex or is_pattern(key):
                return self.patterns.found(key, self.text(entry, caseless=False), not entry.case_sensitive)
            text = self.text(entry, caseless=not entry.case_sensitive)
            word = composed(key) if entry.case_sensitive else folded(key)
            if not word or word not in text:
                return False
            # As in SillyTavern, where the books come from: keys of several words are always looked for as they are.
            return not entry.match_whole_words or len(word.split()) > 1 or has_word(text, word)

        return has

    def text(self, entry: Entry, caseless: bool) -> str:
        """What is searched for the entry's keys, with its case folded if asked for."""
        depth = next((d for d in (entry.scan_depth, self.book.scan_depth) if d is not None), SCAN_DEPTH)
        depth = min(depth, len(self.turns))
        if (depth, caseless) not in self.texts:
            text = _newest(self.turns, depth) + self.recursion_text
            self.texts[depth, caseless] = folded(text) if caseless else composed(text)
        return self.texts[depth, caseless]

    def recurse(self, new: dict[int, ActiveEntry], pending: list[int]) -> bool:
        """Add the text of new entries to what is searched; whether there is anything left to find."""
        read = [active for active in new.values() if not active.entry.prevent_recursion]
        delays = [self.book.entries[number].delay_until_recursion for number in pending]
        later = [level for level in delays if level > self.recursion_level]
        if not read and not later:
            return False
        self.recursion_text += "".join(f"\n{active.text}\n{hidden_keys(active.entry.content)}" for active in read)
        self.recursion_level = max(self.recursion_level, 1) if read else min(later)
        self.round += 1
        self.texts.clear()
        return True

    def next_state(self, active: dict[int, ActiveEntry]) -> LoreState:
        started = dict(self.started)
        for entry in (each.entry for each in active.values()):
            if (entry.sticky or entry.cooldown) and not self.is_sticky(entry):
                started[entry.id] = len(self.turns)
        return LoreState(started, tuple(sorted(self.patterns.switched_off)))


def _has_secondary(entry: Entry, has: Callable[[str], bool]) -> bool:
    if not entry.secondary_keys:
        return True
    if entry.selective_logic in ("any", "not any"):
        return any(map(has, entry.secondary_keys)) == (entry.selective_logic == "any")
    return all(map(has, entry.secondary_keys)) == (entry.selective_logic == "all")


def _one_of_each_group(scan: _Scan, matched: list[int], taken_groups: set[str], rng: random.Random) -> list[int]:
    entries, left = scan.book.entries, dict.fromkeys(matched)
    for group in dict.fromkeys(group for number in matched for group in entries[number].groups):
        members = [number for number in left if group in entries[number].groups]
        if members and group not in taken_groups:
            members.remove(_group_winner(scan, members, rng))
        for number in members:
            del left[number]
    return list(left)


def _group_winner(scan: _Scan, members: list[int], rng: random.Random) -> int:
    """The entry that speaks for a group: a sticky one, else one that overrides the others, else drawn by weight."""
    entries = scan.book.entries
    if sticky := [number for number in members if scan.is_sticky(entries[number])]:
        return sticky[0]
    if overriding := [number for number in members if entries[number].group_override]:
        return max(overriding, key=lambda number: entries[number].order)
    weights = [entries[number].group_weight for number in members]
    return rng.choices(members, weights if sum(weights) > 0 else None)[0]


def _within_budget(
    scan: _Scan, numbers: list[int], left: int, count: Callable[[str], int], rng: random.Random
) -> dict[int, ActiveEntry]:
    """Those that are drawn and for which tokens are left. One that is too long does not keep shorter ones out."""
    active: dict[int, ActiveEntry] = {}
    for number in sorted(numbers, key=lambda number: _budget_rank(scan, number)):
        entry = scan.book.entries[number]
        if not (entry.activate or scan.is_sticky(entry)) and rng.random() * 100 >= entry.probability:
            continue
        text = scan.expand(entry.content).strip()
        tokens = count(text) if text else 0
        if tokens <= left:
            left -= tokens
            active[number] = ActiveEntry(entry, text, tokens)
    return active


def _budget_rank(scan: _Scan, number: int) -> tuple[object, ...]:
    """Who is served first while tokens are left."""
    entry = scan.book.entries[number]
    kind = 0 if entry.constant or entry.activate else 1 if scan.is_sticky(entry) else 2
    return entry.ignore_on_max_context, kind, -entry.priority, -entry.order, number


def _place(entry: Entry, number: int) -> tuple[object, ...]:
    """Where an entry stands among others, as SillyTavern would have them from the top of the prompt down."""
    return TOP_TO_BOTTOM.index(entry.position), -entry.depth if entry.position == "depth" else 0, entry.order, number


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
