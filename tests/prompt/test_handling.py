"""What may have come into the player's hands or left them, and where he may be, by how it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt import actions, handling, things
from advrepl.prompt import options as menu


@pytest.mark.parametrize(
    ("line", "reply", "taken"),
    [
        ("take the lantern", "You take the lantern from the step. A key hangs there.", ["lantern"]),
        ("look", "A key hangs on the wall and a man holds a lamp. He takes the sword.", []),
        ("open it", "You take the letter and put it into your coat.", ["letter"]),
        ("ask", "The old woman hands you a map and a candle.", ["map", "candle"]),
        ("ask", "'I have no key,' he says.", []),
        ("put on the coat", "It is warm, and in its pocket is a ticket.", ["coat"]),
        ("I pick up the amber idol.", "It glows.", ["amber idol"]),
        ("take it", "You take it.", []),
        ("take cover", "Arrows fly past.", []),
        ("", "", []),
    ],
)
def test_what_may_have_been_taken(line: str, reply: str, taken: list[str]) -> None:
    assert handling.taken(line, reply) == taken


@pytest.mark.parametrize(
    ("line", "reply", "lost"),
    [
        ("give him the brass key", "He nods.", ["brass key"]),
        ("sleep", "When you wake your coat is gone.", ["coat"]),
        ("put on the coat", "You put on the coat.", []),
        ("look", "Your coat keeps you warm, and the brass key is heavy.", []),
        ("drop it", "You drop a sword.", []),
    ],
)
def test_what_may_have_been_lost(line: str, reply: str, lost: list[str]) -> None:
    assert handling.lost(("brass key", "coat"), line, reply) == lost


@pytest.mark.parametrize(
    ("line", "reply", "places"),
    [
        ("follow her", "You follow her through the garden to the chapel.", ["chapel"]),
        (
            "run away",
            "You run out of the house and into the forest. Behind you a light goes on in the tower.",
            ["forest"],
        ),
        ("go into the kitchen", "The door to the cellar is open.", ["kitchen"]),
        ("walk to the bridge", "From there you come to the old castle.", ["castle", "bridge"]),
        ("wait", "In the inn people are eating.", []),
    ],
)
def test_where_he_may_be(line: str, reply: str, places: list[str]) -> None:
    assert handling.places(line, reply) == places


TEXTS = st.lists(
    st.sampled_from(
        [*sorted(things.CARRIED)[:9], "you", "take", "give", "put", "on", "of", "the", "in", "hall", ".", "I"]
    )
)


@given(TEXTS.map(" ".join), TEXTS.map(" ".join))
def test_nothing_comes_that_is_not_named(line: str, reply: str) -> None:
    named = things.words(f"{line} {reply}")
    for found in (
        handling.taken(line, reply),
        handling.places(line, reply),
        handling.lost(("key", "bag"), line, reply),
    ):
        assert all({*each.split()} <= named for each in found)
        assert len({*found}) == len(found)


@pytest.mark.parametrize(
    ("option", "lacks"),
    [
        ("Put down the lantern.", True), ("Put down the key.", False), ("Give the man the lantern.", True),
        ("Give the man the key.", False), ("You offer the lantern to him.", True), ("Talk to the man.", False),
        ("Use the rope to climb down.", True), ("Use the lantern.", False), ("Open the door with the rope.", True),
        ("Open the door with the key.", False), ("Take the rope.", False), ("Wait for the man with patience.", False),
    ],
)  # fmt: skip
def test_an_option_needs_what_is_there(option: str, lacks: bool) -> None:
    assert actions.lacks(option, ("brass key",), "A lantern hangs on the wall.") is lacks


def test_what_is_put_down_is_held() -> None:
    told = "A lantern hangs on the wall, and a man waits."
    assert 'held ::= "the brass key"' in menu.grammar((), ("Put",), told, ("brass key",))
    assert 'held ::= "the lantern"' in menu.grammar((), ("Put",), told)
    assert '"Put " ("down ") held' not in menu.grammar((), ("Put",), told, ())
    assert things.unnamed(("lantern", "key"), told) == ("key",)
