"""Words without a slash that may be meant for the program."""

import pytest

from advrepl.terminal.bare_words import COMMAND_OF, BareWords
from advrepl.terminal.commands.table import COMMANDS


@pytest.mark.parametrize("said", ["quit", "Help", "exit.", " QUIT! ", "?", ":q"])
def test_a_bare_word_is_asked_about_once(said: str) -> None:
    words = BareWords()
    assert words.question(said).startswith("did you mean /")
    assert words.question(said) == "", "sent again, it is for the story"
    assert words.question("I open the door.") == ""
    assert words.question(said), "a line of the story lies between"


@pytest.mark.parametrize("said", ["I quit my job.", "help me", "", "   ", "//quit", "..."])
def test_what_is_said_in_a_story_is_not_asked_about(said: str) -> None:
    assert BareWords().question(said) == ""


@pytest.mark.parametrize("said", ["y", "Yes", "yes."])
def test_an_answer_to_what_delete_asks_is_no_line_of_the_story(said: str) -> None:
    words = BareWords()
    assert words.question("/delete 5") == ""
    assert words.question(said).startswith("did you mean /delete 5 yes?")
    assert words.question(said) == "", "sent again, it is for the story"
    assert words.question(said) == "", "nothing was asked"


def test_what_is_asked_about_is_a_command() -> None:
    assert {name.removeprefix("/") for name in COMMAND_OF.values()} <= set(COMMANDS)
