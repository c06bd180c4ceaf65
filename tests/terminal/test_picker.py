"""The list that is chosen from: what it shows, what fits what was typed, and the numbered one."""

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from advrepl import AdvreplError
from advrepl.terminal.picker import Choice, Picker, by_answer, matching, pick
from advrepl.terminal.theme import THEMES, Capabilities

STORIES = [Choice("start", "The old house"), Choice("start-2", "The old house"), Choice("brindle", "An inn at start")]


def texts(picker: Picker, width: int = 40, height: int = 10) -> list[str]:
    return "".join(text for _, text, *_ in picker.rows(width, height)).split("\n")


def test_words_may_stand_anywhere_and_names_that_begin_with_them_go_first() -> None:
    assert [each.name for each in matching(STORIES, "START")] == ["start", "start-2", "brindle"]
    assert [each.name for each in matching(STORIES, "inn start")] == ["brindle"]
    assert matching(STORIES, "xyz") == []


def test_the_arrows_go_round_and_a_letter_begins_at_the_top_again() -> None:
    picker = Picker(STORIES)
    picker.move(-1)
    assert picker.chosen == STORIES[2]
    picker.filter("house")
    assert picker.chosen == STORIES[0] and len(picker.shown) == 2
    picker.filter("zzz")
    picker.move(1)
    assert picker.chosen is None and "nothing fits" in texts(picker)[0]


def test_the_chosen_line_is_marked_without_colour_too() -> None:
    picker = Picker(STORIES)
    picker.move(1)
    assert texts(picker)[:3] == ["  start    The old house", "❯ start-2  The old house", "  brindle  An inn at start"]


def test_a_narrow_list_still_tells_how_to_leave_it() -> None:
    picker = Picker(STORIES)
    assert texts(picker, width=40)[-1] == "  arrows, letters, Enter; Esc leaves"
    assert texts(picker, width=80)[-1] == "  arrows choose, letters filter, Enter takes it, Esc leaves"


def test_a_long_list_shows_the_part_around_the_chosen_one_and_no_line_is_too_wide() -> None:
    picker = Picker([Choice(f"story-{n}", "竜" * 40) for n in range(30)])
    picker.move(-1)
    lines = texts(picker, width=20, height=4)
    assert [line[:10].strip() for line in lines[:4]] == ["story-26", "story-27", "story-28", "❯ story-29"]
    assert len(lines) == 5


def test_an_answer_is_a_number_or_a_part_of_a_name() -> None:
    assert by_answer("3", STORIES) is STORIES[2]
    assert by_answer("Start", STORIES) is STORIES[0]
    with pytest.raises(AdvreplError, match="house: 2 of them fit"):
        by_answer("house", STORIES)
    with pytest.raises(AdvreplError, match="4: there are 1 to 3"):
        by_answer("4", STORIES)


def test_a_report_of_the_terminal_leaves_the_list_as_it_is() -> None:
    """That the window has the focus, which a program before ours had asked for."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("\x1b[I\x1b[Obrin\r")
        assert pick("Which?", STORIES, Capabilities(style=True, cursor=True), THEMES["dark"]) is STORIES[2]
