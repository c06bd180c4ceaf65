"""What a grammar allows, as llama.cpp reads it and as answers are checked here."""

import pytest

from advrepl.engines.llama.gbnf import parses
from advrepl.engines.remote.grammar import fits
from advrepl.prompt import actions
from advrepl.prompt import options as menu

ESCAPES = r"""root ::= "a\"b" [\x41-\x43]{2,3} c?
c ::= ([^\n] | "\n")"""
TOLD = "You see an old door and a lamp on the table. The garden is near."


@pytest.mark.parametrize(
    ("grammar", "fitting", "others"),
    [
        (
            menu.grammar(("Go in.",), (), "The old house stands."),
            (" Walk to the house.\n", " Wal", ""),
            ("- Walk to the house.", "\n", " Go in.", " walk\n"),
        ),
        (menu.grammar((), actions.VERBS, TOLD), (" Look aro", " Open the door.\n"), (" Banana", "I am")),
        (menu.grammar((), (), "Она вошла в дом"), (" Идти в дом.\n",), (" 家に入る。\n", "- Идти")),
        (menu.grammar((), (), "彼は家に入った。"), (" 家に入る。\n",), (" <|user|>",)),
        (menu.prose_grammar(True), (" The door opens.",), ("The door",)),
        (ESCAPES, ('a"bAB', 'a"bABCx', 'a"'), ('a"bAD', "b")),
    ],
)  # fmt: skip
def test_an_answer_is_checked_as_llama_cpp_would_hold_it(
    grammar: str, fitting: tuple[str, ...], others: tuple[str, ...]
) -> None:
    assert parses(grammar)
    assert all(fits(text, grammar) for text in fitting)
    assert not any(fits(text, grammar) for text in others)


@pytest.mark.parametrize("grammar", ['root ::= "a" (', "root ::= nobody", "", 'other ::= "a"'])
def test_what_is_no_grammar(grammar: str) -> None:
    assert not parses(grammar)
