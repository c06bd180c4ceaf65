"""Stop texts across pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.base import until_stop


@pytest.mark.parametrize(
    ("pieces", "stops", "out"),
    [
        (["Hello <", "|us", "er|>no"], ["<|user|>"], "Hello "),
        (["Hello <", "|us", "ual|>yes"], ["<|user|>"], "Hello <|usual|>yes"),
        (["a\nYo", "u", ": b"], ["\nYou:", "\nBob:"], "a"),
        (["ends with <|"], ["<|user|>"], "ends with <|"),
        (["xSTOP1STOP2"], ["STOP2", "STOP1"], "x"),
        (["a<", "b"], ["<", "a<b"], "a"),
        (["a<b"], ["<", "a<b"], "a"),
        (["anything"], [""], "anything"),
    ],
)
def test_stops_are_found_across_pieces(pieces: list[str], stops: list[str], out: str) -> None:
    assert "".join(until_stop(pieces, stops)) == out


@given(st.lists(st.text("ab<", max_size=3), max_size=20), st.lists(st.text("ab<", min_size=1, max_size=3), max_size=3))
def test_the_text_is_cut_at_the_stop_that_is_whole_first_however_it_is_split(
    pieces: list[str], stops: list[str]
) -> None:
    text = "".join(pieces)
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    _, start = min(found, default=(0, len(text)))
    assert "".join(until_stop(pieces, stops)) == text[:start]


def test_text_is_passed_on_as_early_as_it_is_safe() -> None:
    assert list(until_stop(["one ", "two <", "three"], ["<|user|>"])) == ["one ", "two ", "<three"]
