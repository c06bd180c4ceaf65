"""Keys in text: whole words, and patterns of strangers, none of which may hold up the program."""

from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.lore.key_match import MAX_WRITTEN_OUT, PatternSearch, compile_pattern, has_word, is_pattern


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("elf", True),
        ("an elf!", True),
        ("himself", False),
        ("elfin", False),
        ("elf_1", False),
        ("himself, the elf", True),
    ],
)
def test_a_word_stands_by_itself(text: str, found: bool) -> None:
    assert has_word(text, "elf") == found


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("राम आया", "राम", True),
        ("रामायण", "राम", False),
        ("می\u200cروم", "می", False),
        ("東京に行く", "東京", True),
        ("เขาไปเชียงใหม่", "เชียงใหม่", True),
        ("ก่า", "ก", False),
        ("Драконы", "дракон", False),
    ],
)
def test_words_end_as_their_script_shows(text: str, word: str, found: bool) -> None:
    """A vowel sign belongs to the word; between words of Chinese, Japanese and Thai there is nothing to be seen."""
    assert has_word(text, word) == found


@pytest.mark.parametrize(
    ("key", "is_one"),
    [("/a/", True), ("/a/gi", True), ("/a/b/", True), ("/a/q", False), ("//", False), ("a/b/", False)],
)
def test_a_pattern_is_written_between_slashes(key: str, is_one: bool) -> None:
    assert is_pattern(key) == is_one


@pytest.mark.parametrize("key", ["(", "/(/", "[z-a]", r"\p{nonsense}", "(?L)(?u)a", "a{2,1}", "(" * 400 + ")" * 400])
def test_what_is_no_pattern_is_found_nowhere(key: str) -> None:
    assert compile_pattern(key, ignore_case=True) is None
    assert not PatternSearch(set()).found(key, key, ignore_case=True)


@pytest.mark.parametrize("key", ["/(?:a{200}){200}b/", "(?:(?:a{50}){50}){50}", r"(?x) \d{4}", r"/(?ix:\d{4})/"])
def test_patterns_that_would_take_long_to_compile_are_refused(key: str) -> None:
    assert compile_pattern(key, ignore_case=True) is None


@pytest.mark.parametrize(
    "key", [r"/\d{4}-\d{2}-\d{2}/", r"/dragon(?:\W+\w+){0,90}?\W+egg/", "(?P<x>a){99}", "a{1,9999}"]
)
def test_counted_repeats_of_ordinary_patterns_are_taken(key: str) -> None:
    assert compile_pattern(key, ignore_case=True) is not None


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
    start = monotonic()
    PatternSearch(set()).found("".join(pieces), text, ignore_case=True)
    assert monotonic() - start < 5


def test_the_limit_is_the_length_with_all_repeats_written_out() -> None:
    fits = MAX_WRITTEN_OUT // len("a{10000}")
    assert compile_pattern(f"a{{{fits}}}", ignore_case=False)
    assert compile_pattern(f"a{{{fits + 1}}}", ignore_case=False) is None
