"""The judge of the game's benchmark, on turns whose worth is plain."""

import pytest

from tests.bench.judge import can_be_done, content, in_second_person, judge, same, speaks_for_player

OPENING = "You stand before an old house. A voice calls from the window."


def test_a_good_turn() -> None:
    turn = (
        "open the door",
        "You open the door of the house. The voice is louder.",
        ("Climb the stairs.", "Call back."),
    )
    judged = judge([turn], 0, OPENING)
    assert judged.second_person and judged.answers and judged.place and judged.stays and judged.whole and judged.fresh
    assert (judged.options, judged.doable, judged.seen, judged.twins) == (2, 2, 0, 0)


def test_a_bad_turn() -> None:
    first = ("look", "My name is Max, and I love you all very much.", ("Climb the stairs.", "Pink rose."))
    second = (
        "take the lantern",
        'My name is Max, and I love you all very much. "Hi',
        ("Climb up stairs.", "Pink roses!"),
    )
    judged = judge([first, second], 1, OPENING)
    assert not (judged.second_person or judged.answers or judged.place or judged.whole or judged.fresh)
    assert (judged.doable, judged.seen) == (1, 2)


def test_an_action_without_a_thing_asks_for_no_answer() -> None:
    assert judge([("What is it?", "A cat.", ())], 0, OPENING).answers is None


@pytest.mark.parametrize(
    ("prose", "told"),
    [
        ("You see it.", True),
        ('"I know you," he says. Your lamp goes out.', True),
        ("I see you.", False),
        ("Rain.", False),
    ],
)
def test_second_person_is_told_outside_of_speech(prose: str, told: bool) -> None:
    assert in_second_person(prose) is told


@pytest.mark.parametrize(
    ("option", "can"),
    [
        ("Open the door.", True),
        ("Pink rose.", False),
        ("Continue the story.", False),
        ('Say "hello', False),
        ("Run.", False),
        ("Readers can't help but feel inspired.", False),
    ],
)
def test_what_can_be_done_begins_with_a_verb_and_is_in_the_story(option: str, can: bool) -> None:
    assert can_be_done(option) is can


def test_words_are_compared_without_their_endings() -> None:
    assert content("She opened the doors") & content("an opening door") == {"door"}
    assert same("Climb the stairs.", "Climb those stairs again!") and not same("Climb the stairs.", "Climb the wall.")


@pytest.mark.parametrize(
    ("prose", "speaks"),
    [('Hm.\n*You: "Hi"', True), ("Hm.\nYou nod.", True), ('"You" is a word.', False), ("Hm. You nod.", False)],
)
def test_speaking_for_the_player(prose: str, speaks: bool) -> None:
    assert speaks_for_player(prose) is speaks
