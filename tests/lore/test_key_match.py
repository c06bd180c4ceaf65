"""Keys in text: whole words, and patterns of strangers, none of which may hold up the program."""

import random
import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.lore.activation import activate
from advrepl.lore.entries import Book, Entry
from advrepl.lore.js_regex import MAX_COST
from advrepl.lore.key_index import needles
from advrepl.lore.key_match import Haystack, PatternSearch, bordered, compile_pattern, is_pattern
from advrepl.lore.timing import LoreState


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("elf", "elf", True),
        ("an elf!", "elf", True),
        ("himself", "elf", False),
        ("elfin", "elf", False),
        ("elf_1", "elf", False),
        ("himself, the elf", "elf", True),
        ("started in the dark", "art", False),
        ("bold elfin", "old elf", True),  # keys of several words are looked for as they are
        ("an x-ray", "x-ray", True),
        ("an x-rays", "x-ray", False),
        ("(b)", "(b)", True),
        ("a(b)c", "(b)", False),
        ("no. (b) of", "(b)", True),
    ],
)
def test_a_word_stands_by_itself(text: str, key: str, found: bool) -> None:
    assert Haystack((text,)).holds(key, case_sensitive=False, whole_words=True) == found


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("一只黑猫跑了", "猫", True),
        ("古い城へ", "城", True),
        ("котик", "кот", True),
        ("रामायण", "राम", True),
        ("เขาไปเชียงใหม่", "เชียงใหม่", True),
        ("a猫", "猫", False),
    ],
)
def test_a_word_of_another_script_is_found_inside_others(text: str, key: str, found: bool) -> None:
    """Where it ends there, nobody can see but by knowing the language."""
    assert Haystack((text,)).holds(key, case_sensitive=False, whole_words=True) == found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("e\u0301lan vital", "élan"),
        ("élan", "e\u0301lan"),
        ("Ann’s", "ann's"),
        ("a\xa0b", "a b"),
        ("STRASSE", "straße"),
    ],
)
@pytest.mark.parametrize("whole_words", [False, True])
def test_what_reads_the_same_is_the_same(text: str, key: str, whole_words: bool) -> None:
    assert Haystack((text,)).holds(key, case_sensitive=False, whole_words=whole_words)


@given(st.text("ab_é猫-' ", max_size=8), st.text("ab_é猫-'", min_size=1, max_size=3))
def test_a_whole_word_is_one_between_what_javascript_counts_as_no_word(text: str, key: str) -> None:
    expected = re.search(rf"(?:^|[^A-Za-z0-9_]){re.escape(key)}(?:$|[^A-Za-z0-9_])", text) is not None
    assert Haystack((text,)).holds(key, case_sensitive=True, whole_words=True) == expected


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("/a/", True),
        ("/a/gi", True),
        ("/a/b/", False),
        (r"/a\/b/", True),
        ("/a/q", False),
        ("//", False),
        ("a/b/", False),
    ],
)
def test_a_pattern_is_written_between_slashes(key: str, is_one: bool) -> None:
    assert is_pattern(key) == is_one


@pytest.mark.parametrize("key", ["(", "/(/", "[z-a]", r"/\p{nonsense}/u", "(?L)(?u)a", "a{2,1}", "(" * 400 + ")" * 400])
def test_what_is_no_pattern_is_found_nowhere(key: str) -> None:
    assert compile_pattern(key, ignore_case=True) is None
    assert not PatternSearch(set()).found(key, key, ignore_case=True)


@pytest.mark.parametrize("key", ["/(?:a{200}){200}b/", "(?:(?:a{50}){50}){50}", r"(?x) \d{4}", r"/(?ix:\d{4})/"])
def test_patterns_that_would_take_long_to_compile_are_refused(key: str) -> None:
    assert compile_pattern(key, ignore_case=True) is None


@pytest.mark.parametrize(
    "key", [r"/\d{4}-\d{2}-\d{2}/", r"/dragon(?:\W+\w+){0,90}?\W+egg/", "(?<x>a){99}", "a{1,9999}"]
)
def test_counted_repeats_of_ordinary_patterns_are_taken(key: str) -> None:
    assert compile_pattern(key, ignore_case=True) is not None


@pytest.mark.parametrize(
    ("key", "text", "found"),
    [
        # What SillyTavern's own engine says; each differed here once.
        ("/(?i:OWL)/", "owl", True),
        ("/(?-i:OWL)/i", "owl", False),
        ("/(?m:^o)wl/", "an\nowl", True),
        ("/(?:(?<n>a)|(?<n>b))\\k<n>/", "bb", True),
        ("/(?<n>a)(?<n>b)/", "ab", False),
        ("/(?<\\u0061>a)\\k<a>/", "aa", True),
        ("/(?<>a)/", "a", False),
        ("/(?<y>a)|[\\k]/", "a", False),
        ("/[\\c0]/", "\x10", True),
        ("/[\\c0]/", "c", False),
        ("/(?<=\\1(a))b/", "aab", True),
        ("/(?<=\\1(a))b/", "cab", False),
        ("/(?<=(?<n>c*?)?)\\w/", "ab", True),
    ],
)
def test_patterns_are_those_of_javascript(key: str, text: str, found: bool) -> None:
    book = Book((Entry("1", "c", keys=(key,)),))
    active, _ = activate(book, [text], LoreState(), count=len, budget=9, rng=random.Random(0), expand=str)
    assert bool(active) == found


def test_the_time_of_other_threads_does_not_count() -> None:
    """While a model computes in threads of its own, the library gives up after a part of the time."""
    seconds = iter([0.0, 0.01, 0.02, 0.02, 1.0, 1.06, 1.06])
    given: list[float] = []

    class Slow:
        def search(self, text: str, timeout: float) -> object:
            given.append(timeout)
            if len(given) in (1, 2, 4):
                raise TimeoutError
            return text

    search = PatternSearch(set(), clock=lambda: next(seconds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("advrepl.lore.key_match.compile_pattern", lambda key, ignore_case: Slow())
        assert search.found("a", "a", ignore_case=False) and given == [0.05, 0.1, 0.2]
        assert not search.found("b", "b", ignore_case=False) and search.switched_off == {"b"}


def test_a_slow_pattern_is_switched_off_and_all_together_have_an_end() -> None:
    seconds = iter([0.0, 0.1, 0.1, 0.5, 0.5, 0.6])
    search = PatternSearch(set(), clock=lambda: next(seconds))
    assert search.found("a", "cat", ignore_case=False) and search.found("b", "bat", ignore_case=False)
    assert not search.found("c", "cat", ignore_case=False)
    assert search.switched_off == set()
    slow = PatternSearch(set())
    assert not slow.found("(a+)+b$", "a" * 5000 + "!", ignore_case=False)
    assert slow.switched_off == {"(a+)+b$"}


PIECES = [*list("ab.*+?()[]{}|\\^$,:=!<>123RPi"), "(?:", "(?<=", "{2,9}", "{99}", "{999}", "{999,}", "\\1", "(?x)"]


@given(
    st.lists(st.sampled_from(PIECES), max_size=40),
    st.sampled_from(["a" * 300 + "!", "ab" * 200, "", "a\nb"]),
)
def test_any_pattern_answers_in_time(pieces: list[str], text: str) -> None:
    start = process_time()
    PatternSearch(set()).found("".join(pieces), text, ignore_case=True)
    assert process_time() - start < 5


def test_the_limit_is_the_length_with_all_repeats_written_out() -> None:
    assert compile_pattern(f"a{{{MAX_COST}}}", ignore_case=False)
    assert compile_pattern(f"a{{{MAX_COST + 1}}}", ignore_case=False) is None


def test_many_long_keys_that_are_nearly_in_the_text_take_no_time() -> None:
    keys = tuple("b'a" * 100 + str(number) for number in range(5_000))
    entries = tuple(
        Entry(str(at), "c", keys=keys[at : at + 500], match_whole_words=True) for at in range(0, 5_000, 500)
    )
    start = process_time()
    state = activate(Book(entries), ["b'a" * 5_000], LoreState(), count=len, budget=9, rng=random.Random(0), expand=str)
    assert state == ((), LoreState()) and process_time() - start < 5


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"mill(er)?", ("mill",)),
        (r"\bdrag[oe]ns?\b", ("\x02drag",)),
        (r"(?:dragon|wyrm)s?", ("dragon", "wyrm")),
        (r"\b(?:owl|hawk)\b", ("owl", "hawk")),
        (r"(?!abc)de", ("de",)),
        (r"(foo){0}ba", ("ba",)),
        (r"foo\.bar", ("foo\x03.\x02bar",)),
        (r"x{0,3}yy", ("yy",)),
        (r"ab+?c", ("ab",)),
        (r"colou?r", ("colo",)),
        (r"[^\x01]*owl", ("owl",)),
        (r"a|", ()),
        (r"[a-z]+", ()),
    ],
)
def test_what_a_match_must_hold(pattern: str, found: tuple[str, ...]) -> None:
    assert needles(pattern) == found


@given(st.text("ab\\(|)[]?*+{1,2}.^$:!\x01", max_size=12), st.lists(st.text("ab|1,\x01", max_size=8), max_size=3))
def test_what_a_match_must_hold_is_in_every_match(pattern: str, texts: list[str]) -> None:
    held, compiled = needles(pattern), compile_pattern(pattern, ignore_case=True) if pattern else None
    for text in texts if held else ():
        found = compiled is not None and compiled.search(text)
        assert not found or any(needle in bordered(text.casefold()) for needle in held)
