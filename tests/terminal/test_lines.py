"""What a line means: each is understood once, and an option is said whatever it looks like."""

import pytest

from advrepl.terminal.lines import PlayerLine, understood

OFFERED = ("Enter.", "2", "/quit")


@pytest.mark.parametrize(
    ("line", "text"),
    [("1", "Enter."), (" 1. ", "Enter."), ("1)", "Enter."), ("１", "Enter."), ("2", "2"), ("3", "/quit")],
)
def test_a_number_picks_an_option(line: str, text: str) -> None:
    assert understood(line, OFFERED) == PlayerLine(text, is_number=True)


@pytest.mark.parametrize("line", ["4", "0", "99.", "４"])
def test_a_number_that_no_option_has_is_refused(line: str) -> None:
    number = line.rstrip(".")
    assert understood(line, OFFERED) == PlayerLine(
        line, refusal=f'there are 3 options: to say {number} instead, write "{number}"'
    )


def test_a_number_is_refused_where_options_are_missing() -> None:
    refusal = "there are no options to choose from: say it in your own words"
    assert understood("1", ()) == PlayerLine("1", refusal=refusal)


@pytest.mark.parametrize("line", ["1984", "9" * 5000, '"4"', "²", "go in", "1 2", "", "Enter."])
def test_everything_else_is_said_as_it_is(line: str) -> None:
    assert understood(f"  {line}\n", OFFERED) == PlayerLine(line)


def test_where_options_are_never_offered_a_number_is_a_word() -> None:
    assert understood("1", None) == PlayerLine("1")


def test_a_slash_makes_a_command_and_two_say_one() -> None:
    assert understood(" /undo ", OFFERED) == PlayerLine("/undo", is_command=True)
    assert understood("//wave at him", OFFERED) == PlayerLine("/wave at him")
    assert understood("//1", OFFERED) == PlayerLine("/1")


def test_keys_that_no_editor_has_read_are_no_words() -> None:
    assert understood("\x1b[D/tree", ()) == PlayerLine("/tree", is_command=True)
    assert understood("go\x1b[1;5C in\x1bOA", ()) == PlayerLine("go in")
