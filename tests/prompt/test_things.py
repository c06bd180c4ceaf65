"""Things that a text names, by what can be done with them."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt import actions, things

TOLD = "You open the door. Bella, an old man with a lamp, waits in the kitchen. Read the sign, she says."


def test_an_option_is_about_what_was_told_of() -> None:
    found = things.told_of(TOLD)
    assert found["person"] == ["the man", "him", "her", "them"]
    assert found["opening"] == ["the door"]
    assert found["text"] == ["the sign"]
    assert found["light"] == ["the lamp"]
    assert found["place"] == ["the kitchen"]
    assert "garment" not in found and "height" not in found


def test_names_are_persons_unless_they_begin_a_sentence() -> None:
    found = things.told_of("You see Captain Bella. Nobody else.")
    assert found["person"] == ["the captain", "Bella", "him", "her", "them"]


def test_nobody_is_spoken_to_where_nobody_is() -> None:
    assert "person" not in things.told_of("The kitchen is empty.")
    assert "them" not in things.told_of("The kitchen is empty.")["any"]


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


def written(grammar: str) -> set[str]:
    """All options that a grammar of actions allows."""
    rules = dict(rule.split(" ::= ") for rule in grammar.split("\n"))

    def spelled(alternatives: str) -> list[str]:
        return re.findall(r'"([^"]*)"', alternatives)

    def parts(phrase: str) -> list[list[str]]:
        found = re.findall(r'"([^"]*)"|\(([^)]*)\)|([a-z]+)', phrase)
        return [[text] if text else spelled(inline or rules[kind]) for text, inline, kind in found]

    phrases = re.split(r" \| (?![^(]*\))", rules["action"])
    return {"".join(chosen) for phrase in phrases for chosen in product(*parts(phrase))}


@given(st.data())
def test_what_was_seen_is_not_written_again_and_all_else_is_left(data: st.DataObject) -> None:
    every = written(actions.grammar(actions.VERBS, TOLD))
    assert len(every) > 300
    seen = data.draw(st.lists(st.sampled_from(sorted(every)), max_size=18))
    new = written(actions.grammar(actions.VERBS, TOLD, seen=seen))
    assert new <= every
    again = {option for option in every if any(actions.same(option, one) for one in seen)}
    one_thing = {o for o in every if sum(o.count(each) for each in things.told_of(TOLD)["any"]) <= 1}
    assert every - new <= again and again & new & one_thing == set()


def test_there_is_something_to_do_where_all_was_seen() -> None:
    every = sorted(written(actions.grammar(["Wait"], TOLD)))
    assert actions.grammar(["Wait"], TOLD, seen=every).startswith('action ::= "Look around" | ')


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
    found = things.told_of("A voice calls out of the house.")
    assert found["speaker"] == ["the voice"]
    assert "person" not in found and "the voice" not in found["any"]
    assert things.named("A voice calls.") == {"voice"}


def test_what_a_text_speaks_of_as_things_is_the_last_word_of_a_name() -> None:
    told = "Brindle wears a flour-dusted apron, keeps the Last Lantern and writes into a fat green ledger."
    assert things.owned(told) == {"apron", "Lantern", "ledger"}
    assert things.owned("") == set()
