"""*Actions* in italics, whatever pieces they come in; <> stands for the marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.terminal.emphasis import Emphasis, emphasized
from advrepl.terminal.text import ITALIC, UPRIGHT


def marked(text: str) -> str:
    return text.replace(ITALIC, "<").replace(UPRIGHT, ">")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*She smiles.* Hello.", "<She smiles.> Hello."),
        ('"Oh," *she says*, "no."', '"Oh," <she says>, "no."'),
        ("(*sighs*)", "(<sighs>)"),
        ("*sloppy * asterisks", "<sloppy > asterisks"),
        ("5 * 3 and 5*3", "5 * 3 and 5*3"),
        ("* a list\n* of two", "* a list\n* of two"),
        ("***", "***"),
        ("**bold** and *not*", "**bold** and <not>"),
        ("*never closed\nanother *line*", "<never closed>\nanother <line>"),
        ("closed by the *end", "closed by the <end>"),
        ("an asterisk at the end *", "an asterisk at the end *"),
        ("*over\ntwo lines*", "<over>\ntwo lines*"),
    ],
)
def test_a_pair_of_asterisks_is_a_pair_of_marks(text: str, shown: str) -> None:
    assert marked(emphasized(text)) == shown


def test_only_an_asterisk_at_the_end_is_held_back() -> None:
    emphasis = Emphasis()
    pieces = ("He *", "sm", "iles*", ".", "*")
    assert [marked(emphasis.feed(piece)) for piece in pieces] == ["He ", "<sm", "iles", ">.", ""]
    assert marked(emphasis.end()) == "*"
    assert marked(emphasis.feed("*She") + emphasis.end() + emphasis.feed("*He")) == "<She><He", "the next text"


@given(st.text("ab *.\n", max_size=40), st.integers(0, 40))
def test_italics_are_the_same_in_pieces_and_never_cross_a_line(text: str, cut: int) -> None:
    emphasis = Emphasis()
    shown = emphasized(text)
    assert emphasis.feed(text[:cut]) + emphasis.feed(text[cut:]) + emphasis.end() == shown
    for line in shown.split("\n"):
        marks = "".join(char for char in line if char in (ITALIC, UPRIGHT))
        assert marks == (ITALIC + UPRIGHT) * (len(marks) // 2)
    assert shown.replace(ITALIC, "").replace(UPRIGHT, "").replace("*", "") == text.replace("*", "")
