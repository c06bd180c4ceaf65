"""The list of choices: found in any style, tidied into whole sentences, never the same twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt import options as menu

CARD = "You enter the house.\n- Ask him what he wants.\n- Attack him.\n- Run away."


@pytest.mark.parametrize(
    ("text", "prose", "options"),
    [
        (CARD, "You enter the house.", ("Ask him what he wants.", "Attack him.", "Run away.")),
        ("A hall.\n\n1. Go in.\n2. Go out.\n", "A hall.", ("Go in.", "Go out.")),
        ("A hall.\na) Go in.\n\nb) Go out.", "A hall.", ("Go in.", "Go out.")),
        ("- Go in.\n* Go out.", "", ("Go in.", "Go out.")),
        ("He says:\n- Come in.", "He says:\n- Come in.", ()),
        ("A hall.\n- Go in.\nYou wait.", "A hall.\n- Go in.\nYou wait.", ()),
        ("", "", ()),
    ],
)
def test_a_reply_is_parted_into_prose_and_options(text: str, prose: str, options: tuple[str, ...]) -> None:
    assert menu.split(text) == (prose, options)


@pytest.mark.parametrize(("marker", "second"), [("-", "- b"), ("1.", "2. b"), ("a)", "b) b"), ("•", "• b")])
def test_join_is_the_inverse_of_split(marker: str, second: str) -> None:
    text = menu.join("Prose.", ["a", "b"], marker)
    assert text.split("\n")[2] == second and menu.split(text) == ("Prose.", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "safe"),
    [("The end.", 8), ("The end.\n", 8), ("The end.\n-", 8), ("The end.\n1", 8), ("The end.\n12 men", 15), ("1", 0)],
)
def test_what_could_become_a_list_waits(text: str, safe: int) -> None:
    assert menu.may_be_list(text) == safe


def test_a_list_is_seen_when_its_first_word_begins() -> None:
    assert menu.list_start("The end.\n- ") is None
    found = menu.list_start("The end.\n 2) G")
    assert found is not None and found.start() == 8 and found[1] == "2)"


@pytest.mark.parametrize(
    ("line", "tidy"),
    [
        (" Go inside the house.\n", "Go inside the house."),
        ("Go inside", "Go inside."),
        ("- Go  inside!", "Go inside!"),
        ('Say "no"', 'Say "no".'),
        ('Say "no."', 'Say "no."'),
        ("Go, ", "Go."),
        ("", ""),
        (
            "Walk slowly down the long dark corridor and open the door at the end of.",
            "Walk slowly down the long dark corridor.",
        ),
        (
            "Take one more careful look at each of the old grey stones in the",
            "Take one more careful look at each of the old grey stones.",
        ),
    ],
)
def test_an_option_is_one_whole_sentence(line: str, tidy: str) -> None:
    assert menu.tidy(line) == tidy


@given(st.text(max_size=200))
def test_a_tidy_option_survives_the_way_into_a_story_and_back(line: str) -> None:
    option = menu.tidy(line)
    if option:
        assert "\n" not in option
        assert menu.split(menu.join("Prose here.", [option, "Go."]))[1] == (option, "Go.")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Go inside.", "go inside!", True),
        ("You go inside.", "Go inside.", True),
        ("Go inside.", "Go back.", False),
        ("Ask him what he wants.", "Ask the man what he wants.", True),
        ("Speak to her.", "Talk to her again!", True),
        ("Open the door.", "Open the door slowly.", True),
        ("Open the door.", "Look at the door.", False),
        ("Go up.", "Go down.", False),
        ("Sing to the cat.", "Dance with the cat.", False),
    ],
)
def test_options_are_compared_by_their_words(one: str, other: str, same: bool) -> None:
    assert menu.alike(one, other) is same


def test_without_a_grammar_a_list_is_read_leniently() -> None:
    text = "Sure! Here you go:\n1) Go in\n2) Go in.\n- Run away!\nb. Wait"
    assert menu.parse(text, 3) == ("Go in.", "Run away!", "Wait.")
    assert menu.parse(text, 4) == ()


def test_a_line_ends_before_a_word_that_comes_twice() -> None:
    assert menu.before_repeat("Hide from the man down down down down.") == "Hide from the man "
    assert menu.before_repeat("Walk on. On and on.") == "Walk on. On and on."
    assert menu.before_repeat("down down") == ""
