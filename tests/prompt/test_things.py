"""Things that a text names, by what can be done with them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt import actions, things

TOLD = "You open the door. Bella, an old man with a lamp, waits in the kitchen. Read the sign, she says."


def test_an_option_is_about_what_was_told_of() -> None:
    rules = things.rules(TOLD)
    assert rules["person"] == 'person ::= "the man" | "him" | "her" | "them"'
    assert rules["opening"] == 'opening ::= "the door"'
    assert rules["text"] == 'text ::= "the sign"'
    assert rules["light"] == 'light ::= "the lamp"'
    assert rules["place"] == 'place ::= "the kitchen"'
    assert "garment" not in rules and "height" not in rules


def test_names_are_persons_unless_they_begin_a_sentence() -> None:
    assert (
        things.rules("You see Captain Bella. Nobody else.")["person"]
        == 'person ::= "the captain" | "Bella" | "him" | "her" | "them"'
    )


def test_nobody_is_spoken_to_where_nobody_is() -> None:
    assert "person" not in things.rules("The kitchen is empty.")
    assert "them" not in things.rules("The kitchen is empty.")["any"]


@pytest.mark.parametrize("told", ["", "Nothing.", TOLD])
def test_there_is_always_something_to_do(told: str) -> None:
    assert actions.grammar((), told).startswith('action ::= "Look around" | ')
    assert '"Wait here"' in actions.grammar(["Wait"], told)


@given(st.lists(st.sampled_from([*sorted(things.KINDS["any"]), "Bella", "and", "is", "dark."])).map(" ".join))
def test_a_grammar_has_every_rule_that_it_uses_and_names_nothing_new(told: str) -> None:
    grammar = actions.grammar(actions.VERBS, told)
    first, *rules = grammar.split("\n")
    used = set(re.findall(r"[a-z]+", re.sub(r'"[^"]*"', "", first))) - {"action"}
    assert used <= {rule.split(" ")[0] for rule in rules}
    named = set(re.findall(r'"(?:the )?(\w+)"', "\n".join(rules))) - set(things.PRONOUNS)
    assert named <= set(re.findall(r"\w+", told))


def test_each_verb_goes_with_a_kind_that_there_is() -> None:
    assert set(re.findall(r"{(\w*)}", " ".join(actions.PHRASES))) <= things.KINDS.keys()


def test_an_option_is_a_whole_sentence_that_names_what_was_told_of() -> None:
    """What a small model adds by itself is "… to your right will yourself"."""
    action = actions.grammar(["Give", "Ask"], TOLD).split("\n")[0]
    assert action == (
        'action ::= "Ask " speaker " about " any | "Ask " speaker " for help" | "Ask " speaker " what happened" | '
        '"Give " held " to " person'
    )
    assert "Give" not in actions.grammar(["Give"], TOLD, held=())


@pytest.mark.parametrize(
    ("option", "left"),
    [
        ("Ask the man about the man.", "Ask the man."),
        ("Talk to her about her", "Talk to her"),
        ("Carry the box to the box!", "Carry the box!"),
        ("Tell the people the truth.", "Tell the people the truth."),
        ("Tell the man about the man.", ""),
        ("Ask the man about the map.", "Ask the man about the map."),
        ("Look around.", "Look around."),
    ],
)
def test_a_thing_is_named_once(option: str, left: str) -> None:
    assert actions.without_echo(option) == left


def test_a_voice_is_heard_and_not_seen() -> None:
    """A small model looks at it, watches it and gives it the candle."""
    rules = things.rules("A voice calls out of the house.")
    assert rules["speaker"] == 'speaker ::= "the voice"'
    assert "person" not in rules and "voice" not in rules["any"]
    assert things.named("A voice calls.") == {"voice"}


def test_what_a_text_speaks_of_as_things_is_the_last_word_of_a_name() -> None:
    told = "Brindle wears a flour-dusted apron, keeps the Last Lantern and writes into a fat green ledger."
    assert things.owned(told) == {"apron", "Lantern", "ledger"}
    assert things.owned("") == set()
