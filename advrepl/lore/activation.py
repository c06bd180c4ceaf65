"""Decide which entries of a lorebook apply to a turn, and in which order they stand in the prompt.

The rules are SillyTavern's, with what card specifications add; docs/characters.md lists what differs.
Results depend on the arguments alone, with one exception: a pattern that takes too long is switched off for the story.
Does not know how books are written (books.py), nor where in the prompt lore stands (story/injections.py).
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct, field

from advrepl.lore import groups
from advrepl.lore.entries import TOP_TO_BOTTOM, Book, Entry
from advrepl.lore.key_index import MACRO, index_of
from advrepl.lore.key_match import PATTERN_TIMEOUT, Haystack, PatternSearch, compile_pattern, is_pattern
from advrepl.lore.timing import LoreState, Timing
from advrepl.macros.expand import hidden_keys

SCAN_DEPTH = 2  # turns that are searched for keys where a book does not say; as SillyTavern has it
MAX_SCAN_DEPTH = 1_000  # turns; as SillyTavern has it
MAX_SCAN = 200_000  # characters that are searched, the newest ones; more than the models' context holds


class ActiveEntry(Struct, frozen=True):
    """An entry that applies now, with its macros expanded."""

    entry: Entry
    text: str
    tokens: int


class Told(Struct, frozen=True):
    """Whom the lore is told to: what an entry may ask of the character and of the moment."""

    characters: frozenset[str] = frozenset()  # the character's names, caseless
    tags: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)  # the texts of entries.SOURCES
    trigger: str = "normal"  # why there is a reply, as SillyTavern calls it


def activate(
    book: Book,
    turns: Sequence[str],
    state: LoreState,
    *,
    count: Callable[[str], int],
    budget: int,
    rng: random.Random,
    expand: Callable[[str], str],
    expand_entry: Callable[[Entry], str] | None = None,
    greeting: int | None = None,
    told: Told | None = None,
) -> tuple[tuple[ActiveEntry, ...], LoreState]:
    """Find the entries that apply, in the order of the prompt: before the character, after it, from deep to shallow.

    `turns` are all of the story, oldest first, as their number is what sticky, cooldown and delay are counted in;
    put names before them ("Ann: …") where keys should find speakers. `expand` fills in the macros of a key, and
    `expand_entry` those of an entry's text. `greeting` is the number of the one in use. `budget` is in tokens of the
    entries alone.
    """
    scan = _Scan(book, turns, state, expand, greeting, told or Told())
    tokens = _Tokens(count, min(budget, book.token_budget or budget))
    text_of = expand_entry or (lambda entry: expand(entry.content))
    active: dict[int, ActiveEntry] = {}
    while True:
        chosen = groups.one_of_each(
            scan.matches(active),
            book.entries,
            taken={group for number in active for group in book.entries[number].groups},
            is_sticky=scan.timing.is_sticky,
            score=scan.score,
            rng=rng,
        )
        new: dict[int, ActiveEntry] = {}
        for number in chosen:
            entry = book.entries[number]
            if tokens.may_fit(entry) and scan.is_drawn(number, rng):
                text = text_of(entry).strip()
                if tokens.take(entry, text):
                    new[number] = ActiveEntry(entry, text, count(text) if text else 0)
                elif not tokens.used_up:
                    scan.out.add(number)
        active |= new
        read = [_read(each) for each in new.values() if not each.entry.prevent_recursion]
        if not scan.goes_on(read, wakes=bool(read) and book.recursive and not tokens.used_up):
            break
    for each in active.values():
        scan.timing.begin(each.entry)
    order = {number: place for place, number in enumerate(active)}
    ordered = sorted(active, key=lambda number: _place(book.entries[number], order[number]))
    return tuple(active[number] for number in ordered if active[number].text), scan.next_state()


def switched_off_notes(before: LoreState, after: LoreState) -> list[str]:
    """Tell the player about the patterns that were switched off between two states."""
    return [
        f"the lore pattern {key[:60]!r} took longer than {PATTERN_TIMEOUT} seconds: it is switched off in this story"
        for key in after.slow
        if key not in before.slow
    ]


class _Tokens:
    """What is left of the budget. The first entry that does not fit ends it, as in SillyTavern."""

    def __init__(self, count: Callable[[str], int], budget: int) -> None:
        self.count, self.budget, self.left, self.used_up = count, budget, budget, False

    def may_fit(self, entry: Entry) -> bool:
        return entry.ignore_budget or not self.used_up

    def take(self, entry: Entry, text: str) -> bool:
        """Whether an entry fits; one that would fit no turn at all does not keep the others out."""
        tokens = self.count(f"{text}\n") if text else 0
        if entry.ignore_budget or tokens < self.left:
            self.left -= tokens
            return True
        self.used_up = tokens < self.budget
        return False


class _Scan:
    """One turn's search: the text, what active entries added to it, and the time that patterns have left."""

    def __init__(
        self,
        book: Book,
        turns: Sequence[str],
        state: LoreState,
        expand: Callable[[str], str],
        greeting: int | None,
        told: Told,
    ) -> None:
        self.book, self.expand, self.greeting, self.told = book, expand, greeting, told
        self.index = index_of(book)
        self.patterns = PatternSearch(set(state.slow))
        self.timing = Timing(state, len(turns))
        self.replies = len(turns) // 2
        self.depth = SCAN_DEPTH if book.scan_depth is None else book.scan_depth
        self.turns = _newest(turns, min(max(self.depth, self.index.depth), MAX_SCAN_DEPTH))
        self.recursion: list[str] = []
        self.levels = list(self.index.levels)
        self.level, self.recursive = (self.levels.pop(0) if self.levels else 0), False
        self.out: set[int] = set()  # entries that had their chance
        self.haystacks: dict[tuple[int, tuple[str, ...]], Haystack] = {}

    def matches(self, active: Mapping[int, object]) -> list[int]:
        """The entries that apply now and have not yet, those first that are served first while tokens are left."""
        texts = (*self.turns, *self.recursion, *self.told.sources.values())
        found = self.index.candidates(map(_marked, texts))
        for name in self.timing.started:
            if (number := self.index.numbers.get(name)) is not None:
                found[number] = self.book.entries[number].keys
        # In the book's order, as its keys below: which patterns get their time is the same in every process.
        matched = [
            number
            for number, keys in sorted(found.items())
            if number not in active and number not in self.out and self.applies(self.book.entries[number], keys)
        ]
        return sorted(matched, key=self.rank)

    def rank(self, number: int) -> tuple[object, ...]:
        entry = self.book.entries[number]
        sticky = self.timing.is_sticky(entry)
        return entry.ignore_on_max_context, not sticky, -entry.priority, -entry.order, number

    def applies(self, entry: Entry, keys: Collection[str]) -> bool:
        """Whether an entry applies, of whose keys no others than these can be there."""
        if not (entry.enabled and self.is_for_this(entry)) or self.timing.is_kept_away(entry):
            return False
        sticky = self.timing.is_sticky(entry)
        if not sticky and not self.is_its_round(entry):
            return False
        return sticky or self.has_keys(entry, keys)

    def is_for_this(self, entry: Entry) -> bool:
        """Whether an entry is meant for this character, reply and greeting."""
        told = self.told
        for wanted, there in ((entry.characters, told.characters), (entry.tags, told.tags)):
            if wanted and entry.for_others != there.isdisjoint(map(str.casefold, wanted)):
                return False
        return (
            (not entry.triggers or told.trigger in entry.triggers)
            and self.replies >= entry.activate_only_after
            and not (entry.activate_only_every and self.replies % entry.activate_only_every)
            and (entry.greeting is None or self.greeting is None or entry.greeting == self.greeting)
        )

    def is_its_round(self, entry: Entry) -> bool:
        if not self.recursive:
            return not entry.delay_until_recursion
        return entry.delay_until_recursion <= self.level and not (entry.exclude_recursion and self.book.recursive)

    def has_keys(self, entry: Entry, keys: Collection[str]) -> bool:
        """Whether the keys of an entry are there as it wants them."""
        if entry.activate:
            return True
        has = self.finder(entry)
        ordered = keys if keys is entry.keys else [key for key in entry.keys if key in keys]
        if not entry.constant and not (any(map(has, ordered)) and _has_secondary(entry, has)):
            return False
        return (not entry.additional_keys or any(map(has, entry.additional_keys))) and not any(
            map(has, entry.exclude_keys)
        )

    def finder(self, entry: Entry) -> Callable[[str], bool]:
        haystack = self.haystack(entry)

        def has(key: str) -> bool:
            key = self.expand(key).strip() if MACRO.search(key) else key
            if not key:
                return False
            if (entry.use_regex or is_pattern(key)) and compile_pattern(key, not entry.case_sensitive):
                return self.patterns.found(key, haystack.text(), not entry.case_sensitive)
            return haystack.holds(key, entry.case_sensitive, entry.match_whole_words)

        return has

    def haystack(self, entry: Entry) -> Haystack:
        """What is searched for the entry's keys: the newest turn first, as in SillyTavern."""
        depth = self.depth if entry.scan_depth is None else entry.scan_depth
        key = (depth, entry.match_sources)
        if key not in self.haystacks:
            texts = [*self.turns[:depth], *self.sources(entry), *self.recursion] if depth else []
            self.haystacks[key] = Haystack(map(_marked, texts))
        return self.haystacks[key]

    def sources(self, entry: Entry) -> list[str]:
        return [text for name in entry.match_sources if (text := self.told.sources.get(name, ""))]

    def score(self, entry: Entry) -> int:
        """How many of its keys were found."""
        has = self.finder(entry)
        first, second = sum(map(has, entry.keys)), sum(map(has, entry.secondary_keys))
        if entry.selective_logic == "any" or (entry.selective_logic == "all" and second == len(entry.secondary_keys)):
            return first + second if entry.keys else 0
        return first

    def is_drawn(self, number: int, rng: random.Random) -> bool:
        """Whether luck is with an entry; it has one chance a turn."""
        entry = self.book.entries[number]
        if entry.probability >= 100 or self.timing.is_sticky(entry) or rng.random() * 100 < entry.probability:
            return True
        self.out.add(number)
        return False

    def goes_on(self, read: list[str], *, wakes: bool) -> bool:
        """Search again with the text of new entries, or for those that wait for recursion; whether there is either."""
        if not wakes and not self.levels:
            return False
        if not wakes:
            self.level = self.levels.pop(0)
        self.recursive = True
        self.recursion += read
        self.haystacks.clear()
        return True

    def next_state(self) -> LoreState:
        timing, number_of = self.timing, self.index.numbers
        started = {
            name: turn
            for name, turn in timing.started.items()
            if name in number_of and not timing.is_over(self.book.entries[number_of[name]])
        }
        cooling = {name: turn for name, turn in timing.cooling.items() if name in started}
        return LoreState(started, tuple(sorted(self.patterns.switched_off)), cooling)


def _read(active: ActiveEntry) -> str:
    """What keys are looked for in when an entry has been told."""
    hidden = hidden_keys(active.entry.content)
    return f"{active.text}\n{hidden}" if hidden else active.text


def _has_secondary(entry: Entry, has: Callable[[str], bool]) -> bool:
    if not entry.secondary_keys:
        return True
    if entry.selective_logic in ("any", "not any"):
        return any(map(has, entry.secondary_keys)) == (entry.selective_logic == "any")
    return all(map(has, entry.secondary_keys)) == (entry.selective_logic == "all")


def _place(entry: Entry, at: int) -> tuple[object, ...]:
    """Where an entry stands among others, as SillyTavern would have them from the top of the prompt down.

    Of two with the same order the one that was found later stands earlier; at an outlet all is the other way round.
    """
    place = TOP_TO_BOTTOM.index(entry.position)
    if entry.position == "outlet":
        return place, 0, -entry.order, at
    return place, -entry.depth if entry.position == "depth" else 0, entry.order, -at


def _marked(text: str) -> str:
    """A text as it is searched: patterns find by \\x01 where each begins."""
    return f"\x01{text}"


def _newest(turns: Sequence[str], depth: int) -> list[str]:
    """The last turns, the newest first, at most MAX_SCAN characters of them."""
    found: list[str] = []
    left = MAX_SCAN
    for turn in reversed(turns[max(len(turns) - depth, 0) :]):
        found.append(turn.strip()[-left:])
        left -= len(turn)
        if left <= 0:
            break
    return found
