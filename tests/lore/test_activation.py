"""Lore: what wakes an entry, how long it stays, which one wins, and that no pattern holds up the game."""

import random
from collections.abc import Sequence
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.lore.activation import ActiveEntry, activate, switched_off_notes
from advrepl.lore.entries import Book, Entry, Logic
from advrepl.lore.key_index import index_of
from advrepl.lore.timing import LoreState

FRESH = LoreState()


def words(text: str) -> int:
    return len(text.split())


def run(
    book: Book,
    turns: Sequence[str],
    state: LoreState = FRESH,
    budget: int = 100,
    seed: int = 0,
    greeting: int | None = None,
) -> tuple[tuple[ActiveEntry, ...], LoreState]:
    def expand(text: str) -> str:
        return text.replace("{{char}}", "Bob")

    rng = random.Random(seed)
    return activate(book, turns, state, count=words, budget=budget, rng=rng, expand=expand, greeting=greeting)


def woken(*entries: Entry, turns: Sequence[str] = ("x",), seed: int = 0, **rules: object) -> list[str]:
    """The texts of the entries that apply."""
    book = Book(entries, **rules)  # type: ignore[arg-type]
    return [active.text for active in run(book, turns, seed=seed)[0]]


@pytest.mark.parametrize(
    ("entry", "text", "found"),
    [
        (Entry("0", "c", keys=("elf",)), "An ELF.", True),
        (Entry("0", "c", keys=("elf",), case_sensitive=True), "An ELF.", False),
        (Entry("0", "c", keys=("elf",)), "himself", True),
        (Entry("0", "c", keys=("elf",), match_whole_words=True), "himself", False),
        (Entry("0", "c", keys=("elf",), match_whole_words=True), "himself, the elf!", True),
        (Entry("0", "c", keys=("old elf",), match_whole_words=True), "bold elfin", True),
        (Entry("0", "c", keys=("Élan",), match_whole_words=True), "e\u0301lan!", True),
        (Entry("0", "c", keys=("राम",), match_whole_words=True), "रामायण", True),
        (Entry("0", "c", keys=("東京",), match_whole_words=True), "東京に行く", True),
        (Entry("0", "c", keys=("straße",)), "STRASSE", True),
        (Entry("0", "c", keys=("{{char}}",)), "bob?", True),
        (Entry("0", "c", keys=("/e.f\\b/",)), "an elf", True),
        (Entry("0", "c", keys=("/E.f/",)), "an elf", False),
        (Entry("0", "c", keys=("/E.f/i",)), "an elf", True),
        (Entry("0", "c", keys=("/cafe/",)), "cafe\u0301", True),
        (Entry("0", "c", keys=("/Ann’s/",)), "Ann’s", True),
        (Entry("0", "c", keys=("/a/b/",)), "a/b and /a/b/", True),
        (Entry("0", "c", keys=("/E.f/q",)), "an elf", False),
        (Entry("0", "c", keys=("E.f",), use_regex=True), "an elf", True),
        (Entry("0", "c", keys=("E.f",), use_regex=True, case_sensitive=True), "an elf", False),
        (Entry("0", "c", keys=("(",), use_regex=True), "(", True),
        (Entry("0", "c", keys=("elf",), exclude_keys=("orc",)), "elf and orc", False),
        (Entry("0", "c", keys=("elf",), additional_keys=("orc", "dwarf")), "elf and dwarf", True),
        (Entry("0", "c", keys=("elf",), additional_keys=("orc", "dwarf")), "elf", False),
        (Entry("0", "c", keys=("elf",), enabled=False), "elf", False),
        (Entry("0", " ", keys=("elf",)), "elf", False),
        (Entry("0", "c", constant=True, secondary_keys=("x",)), "elf", True),
        (Entry("0", "c", activate=True), "elf", True),
        (Entry("0", "c", activate=True, delay=99), "elf", False),
        (Entry("0", "c"), "elf", False),
    ],
)
def test_keys(entry: Entry, text: str, found: bool) -> None:
    assert woken(entry, turns=[text]) == (["c"] if found else [])


@pytest.mark.parametrize(
    ("logic", "results"),
    [
        ("any", [False, True, True]),
        ("all", [False, False, True]),
        ("not any", [True, False, False]),
        ("not all", [True, True, False]),
    ],
)
def test_secondary_keys(logic: Logic, results: list[bool]) -> None:
    entry = Entry("0", "c", keys=("k",), secondary_keys=("a", "b"), selective_logic=logic)
    assert [bool(woken(entry, turns=[text])) for text in ("k", "k b", "k a b")] == results


def test_only_the_newest_turns_are_searched() -> None:
    turns = ["elf", "b", "c", "d"]
    entry = Entry("0", "c", keys=("elf",))
    assert woken(entry, turns=turns) == []
    assert woken(entry, turns=turns, scan_depth=4) == ["c"]
    assert woken(Entry("0", "c", keys=("elf",), scan_depth=9), turns=turns) == ["c"]
    assert woken(Entry("0", "c", keys=("d",), scan_depth=0), turns=turns, scan_depth=9) == []


def test_order_and_places() -> None:
    entries = [
        Entry("0", "shallow", constant=True, position="depth", depth=1),
        Entry("1", "deep", constant=True, position="depth", depth=9, order=500),
        Entry("2", "late", constant=True, order=200),
        Entry("3", "early", constant=True, order=10),
        Entry("4", "top", constant=True, position="before", order=999),
    ]
    assert woken(*entries) == ["top", "early", "late", "deep", "shallow"]


def test_the_budget_goes_by_priority_then_order_and_ends_with_the_first_that_does_not_fit() -> None:
    def texts(budget: int) -> list[str]:
        book = Book((
            Entry("0", "low", keys=("x",), order=1),
            Entry("1", "high", keys=("x",), order=2),
            Entry("2", "first", keys=("x",), order=0, priority=5),
            Entry("3", "const ant", constant=True, order=3),
            Entry("4", "last", constant=True, ignore_on_max_context=True, order=0),
        ))  # fmt: skip
        return sorted(active.text for active in run(book, ["x"], budget=budget)[0])

    assert texts(1) == []
    assert texts(2) == ["first"]
    assert texts(3) == ["first"]  # "high" would fit, but comes after one that does not
    assert texts(4) == ["const ant", "first"]
    assert texts(7) == ["const ant", "first", "high", "last", "low"]


def test_what_ignores_the_budget_is_told_and_what_could_never_fit_keeps_nothing_out() -> None:
    book = Book((
        Entry("0", "w " * 9, constant=True, order=9),
        Entry("1", "one", constant=True, order=8),
        Entry("2", "a b c", constant=True, order=7),
        Entry("3", "free", constant=True, order=6, ignore_budget=True),
        Entry("4", "late", constant=True, order=5),
    ))  # fmt: skip
    assert [active.text for active in run(book, ["x"], budget=4)[0]] == ["free", "one"]


def test_a_book_has_its_own_budget() -> None:
    assert woken(Entry("0", "one", constant=True), Entry("1", "two", constant=True), token_budget=2) == ["one"]


def test_probability() -> None:
    entry = Entry("0", "c", keys=("x",), probability=30)
    assert 40 < sum(bool(woken(entry, seed=seed)) for seed in range(200)) < 80
    assert woken(Entry("0", "c", keys=("x",), probability=0)) == []


def test_one_of_a_group_by_weight() -> None:
    entries = [
        Entry("0", "rare", keys=("x",), groups=("g",), group_weight=10),
        Entry("1", "often", keys=("x",), groups=("g",), group_weight=90),
    ]
    drawn = [woken(*entries, seed=seed) for seed in range(200)]
    assert {len(texts) for texts in drawn} == {1}
    assert 5 < drawn.count(["rare"]) < 40
    leader = Entry("2", "leader", keys=("x",), groups=("g", "h"), group_override=True)
    other = Entry("3", "other", keys=("x",), groups=("h",))
    assert woken(*entries, leader, other) == ["leader"]


def play(book: Book, turns: Sequence[str]) -> list[bool]:
    """Whether anything applied, turn after turn."""
    state, seen = LoreState(), []
    for number in range(1, len(turns) + 1):
        active, state = run(book, turns[:number], state)
        seen.append(bool(active))
    return seen


def test_sticky_and_cooldown_are_counted_in_turns() -> None:
    """As SillyTavern counts: an entry with sticky 2 is kept in one turn more, and one with sticky 1 in none."""
    entry = Entry("0", "c", keys=("elf",), scan_depth=1, sticky=2, cooldown=2)
    turns = ["elf", "", "", "elf", "elf", "elf", ""]
    assert play(Book((entry,)), turns) == [True, True, False, False, True, True, False]
    alone = Entry("0", "c", keys=("elf",), scan_depth=1, cooldown=3)
    assert play(Book((alone,)), ["elf"] * 7) == [True, False, False, True, False, False, True]


def test_an_entry_cools_down_from_the_turn_at_which_it_is_seen_to_be_over() -> None:
    """Players and model take turns, so that every other number of turns is looked at."""
    book = Book((Entry("0", "c", keys=("elf",), scan_depth=1, sticky=3, cooldown=3),))
    state, seen = LoreState(), []
    for number in range(2, 13, 2):
        active, state = run(book, ["elf"] * number, state)
        seen.append(bool(active))
    assert seen == [True, True, False, False, True, True]


def test_delay_and_replies() -> None:
    turns = ["elf"] * 6
    assert play(Book((Entry("0", "c", keys=("elf",), delay=3),)), turns) == [False, False, True, True, True, True]
    assert play(Book((Entry("0", "c", keys=("elf",), activate_only_after=2),)), turns) == [
        False,
        False,
        False,
        True,
        True,
        True,
    ]
    every = Book((Entry("0", "c", keys=("elf",), activate_only_every=2, activate_only_after=1),))
    assert play(every, turns) == [False, False, False, True, True, False]


def test_a_retry_and_an_undo_begin_again() -> None:
    book = Book((Entry("0", "c", keys=("elf",), scan_depth=1, sticky=1, cooldown=9),))
    first, state = run(book, ["a", "elf"])
    again, same = run(book, ["a", "elf"], state)
    assert (bool(first), first, state) == (True, again, same)
    assert state.started == {"0": 2}
    assert run(book, ["a"], state) == ((), LoreState())


def test_entries_wake_entries() -> None:
    chain = [Entry(str(n), f"word{n + 1}", keys=(f"word{n}",)) for n in range(5)]
    assert woken(*chain, turns=["word0"]) == ["word1"]
    assert woken(*chain, turns=["word0"], recursive=True) == [f"word{n}" for n in range(5, 0, -1)]
    hidden = Entry("0", "shown {{hidden_key:word3}}", keys=("x",))
    assert woken(hidden, chain[3], recursive=True)[:1] == ["word4"]


def test_recursion_can_be_refused_or_waited_for() -> None:
    caller = Entry("0", "elf orc", keys=("x",))
    silent = Entry("0", "elf orc", keys=("x",), prevent_recursion=True)
    elf, unread = Entry("1", "Elf!", keys=("elf",)), Entry("1", "Elf!", keys=("elf",), exclude_recursion=True)
    assert woken(caller, elf, recursive=True) == ["Elf!", "elf orc"]
    assert woken(caller, unread, recursive=True) == ["elf orc"]
    assert woken(silent, elf, recursive=True) == ["elf orc"]
    late, later = (Entry(str(n), f"Late {n}.", keys=("x",), delay_until_recursion=n) for n in (1, 2))
    assert woken(late) == woken(late, recursive=True) == []  # nothing woke anything
    assert woken(caller, late, recursive=True) == ["Late 1.", "elf orc"]
    assert woken(caller, late, later, recursive=True) == ["Late 2.", "Late 1.", "elf orc"]


def test_recursion_ends_when_nothing_new_is_woken() -> None:
    chain = [Entry(str(n), f"<{n + 1}>", keys=(f"<{n}>",)) for n in range(50)]
    assert len(woken(*chain, turns=["<0>"], recursive=True)) == 50
    circle = [Entry("0", "b", keys=("a",)), Entry("1", "a", keys=("b",))]
    assert woken(*circle, turns=["a"], recursive=True) == ["a", "b"]


def test_a_greeting_of_its_own() -> None:
    book = Book((Entry("0", "c", constant=True, greeting=1),))
    assert [bool(run(book, ["x"], greeting=greeting)[0]) for greeting in (0, 1, None)] == [False, True, True]


def test_a_pattern_that_never_ends_is_switched_off() -> None:
    slow = [f"/(a+)+{letter}$/" for letter in "bcdefghijklmnopqrst"]
    book = Book(tuple(Entry(str(n), "c", keys=(key, "x")) for n, key in enumerate(slow)))
    start = process_time()
    active, state = run(book, ["a" * 5000 + "! x"])
    assert process_time() - start < 3
    assert len(active) == len(slow)
    assert 1 <= len(state.slow) < len(slow)  # the time of all patterns together is bounded too
    first = sorted(state.slow)
    assert first == slow[: len(first)]  # in the book's order, whatever order a set of keys has
    assert switched_off_notes(LoreState(), state)[0] == (
        f"the lore pattern '{state.slow[0]}' took longer than 0.05 seconds: it is switched off in this story"
    )
    assert switched_off_notes(state, state) == []
    assert set(run(book, ["a"], state)[1].slow) == set(state.slow)


def test_a_big_book_over_a_long_story_is_quick() -> None:
    entries = tuple(
        Entry(str(n), f"text {n}", keys=tuple(f"no. {n} word {k}" for k in range(5))) for n in range(10_000)
    )
    start = process_time()
    active, _ = run(Book(entries, scan_depth=500), ["some words, no. 77 word 3, " * 20] * 500)
    assert [one.text for one in active] == ["text 77"]
    assert process_time() - start < 10


KEYS = st.lists(st.sampled_from(["a", "b", "c", "ab", "/a+/", "/(/", "{{char}}", ""]), max_size=3).map(tuple)
ENTRIES = st.builds(
    Entry,
    id=st.sampled_from("0123456789"),
    content=st.sampled_from(["a", "b c", "a b c d", "", "{{char}}", "c " * 30]),
    keys=KEYS,
    secondary_keys=KEYS,
    exclude_keys=KEYS,
    selective_logic=st.sampled_from(["any", "all", "not any", "not all"]),
    constant=st.booleans(),
    use_regex=st.booleans(),
    order=st.integers(-3, 3),
    priority=st.integers(-2, 2),
    position=st.sampled_from(["before", "after", "depth"]),
    depth=st.integers(0, 4),
    probability=st.sampled_from([0, 50, 100]),
    groups=st.lists(st.sampled_from("gh"), max_size=2).map(tuple),
    group_weight=st.integers(0, 3),
    group_override=st.booleans(),
    sticky=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    delay=st.integers(0, 3),
    activate_only_every=st.integers(0, 2),
    delay_until_recursion=st.integers(0, 2),
    exclude_recursion=st.booleans(),
    prevent_recursion=st.booleans(),
)
BOOKS = st.builds(
    Book,
    entries=st.lists(ENTRIES, max_size=10).map(tuple),
    scan_depth=st.none() | st.integers(0, 5),
    token_budget=st.none() | st.integers(1, 40),
    recursive=st.booleans(),
)
TURNS = st.lists(st.text("abc ", max_size=6), max_size=6)


@given(BOOKS, TURNS, TURNS, st.integers(0, 60), st.integers(0, 5))
def test_the_budget_holds_the_order_is_right_and_results_repeat(
    book: Book, turns: list[str], more: list[str], budget: int, seed: int
) -> None:
    _, state = run(book, turns, budget=budget, seed=seed)
    active, after = run(book, turns + more, state, budget, seed)
    assert (active, after) == run(book, turns + more, state, budget, seed)
    assert sum(words(one.text) for one in active) <= min(budget, book.token_budget or budget)
    assert all(one.text and one.entry.enabled for one in active)
    places = [(["before", "after", "depth", "outlet"].index(one.entry.position), one.entry.order) for one in active]
    assert [place for place in places if place[0] < 2] == sorted(place for place in places if place[0] < 2)
    assert [place[0] for place in places] == sorted(place[0] for place in places)
    for group in "gh":
        assert sum(group in one.entry.groups for one in active) <= 1


@given(BOOKS, TURNS)
def test_the_index_finds_what_looking_for_every_key_finds(book: Book, turns: list[str]) -> None:
    found = run(book, turns)
    index = index_of(book)
    index.unfiled = list(range(len(book.entries)))
    assert run(book, turns) == found
