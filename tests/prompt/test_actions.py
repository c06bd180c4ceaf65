"""Actions told in the second person, verbs, and what counts as English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt import actions


@pytest.mark.parametrize(
    ("action", "beginning"),
    [
        ("take the lantern", "You take the lantern"),
        ("I knock on the door.", "You knock on the door"),
        ("Search your pockets!", "You search your pockets"),
        ("I put my hat on and follow her…", "You put your hat on and follow her"),
        ("You open it.", "You open it"),
        ("Tell me a tale", "You"),
        ("wait", "You wait"),
        ("Who is there?", 'You ask, "Who is there?"'),
        ("“Is it far?”", 'You ask, "Is it far?"'),
        ('"Open up!"', 'You say, "Open up!"'),
        ("What " + "now " * 20 + "?", "You"),
        ('"Open up!" I shout', "You"),
        ("I'm tired", "You"),
        ("I am tired", "You"),
        ("I want to go home", "You"),
        ("The door", "You"),
        ("look around. then run", "You"),
        ("go " + "on and " * 20, "You"),
        ("", "You"),
    ],
)
def test_an_action_is_told_in_the_second_person(action: str, beginning: str) -> None:
    assert actions.beginning(action) == beginning


@given(st.text(max_size=60))
def test_any_action_gives_one_line_that_can_be_gone_on_with(action: str) -> None:
    begun = actions.beginning(action)
    assert begun.split(" ")[0] == "You" and "\n" not in begun and begun == begun.strip()
    assert len(begun.split()) <= actions.MOST_WORDS + 2


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("You open the door. Behind it you hear the sea.", True),
        ("The boat that brought you is already gone.", True),
        ("Du öffnest die Tür. Dahinter hörst du das Meer.", False),
        ("Tu ouvres la porte et tu entends la mer.", False),
        ("Abres la puerta y oyes el mar detrás de ella.", False),
        ("扉を開けると、海の音が聞こえる。", False),
        ("", False),
    ],
)
def test_english_is_known_by_its_small_words(text: str, english: bool) -> None:
    assert actions.is_english(text) is english


@pytest.mark.parametrize(
    ("line", "foreign"),
    [
        ("Ich nehme die Laterne", True),
        ("Je prends la lanterne", True),
        ("take lantern now", False),
        ("I go home", False),
        ("What is behind it?", False),
        ("Hodor", False),
    ],
)
def test_a_line_is_foreign_if_no_word_of_it_is_known(line: str, foreign: bool) -> None:
    assert actions.is_foreign(line) is foreign


def test_each_verb_is_there_once() -> None:
    assert len(set(actions.VERBS)) == len(actions.VERBS) == len(actions.KIND)
