"""How a character begins an answer: the literal beginnings, and what holds for any line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt import answers


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("Who are you?", "I am Brindle,"),
        ("What's your name?", "My name is Brindle,"),
        ("What is this place?", "This place is"),
        ("How long have you been here?", "I have been here"),
        ("What do you do all day?", "All day, I"),
        ("Are you ever lonely?", "I am"),
        ("What should I be afraid of here?", "You should be afraid of"),
        ("Tell me about the people you know.", "The people I know"),
        ("Tell me about yourself.", "I am Brindle,"),
        ("What would you do in my place?", "In your place, I would"),
        ("Where do you come from?", "I come from"),
        ("Why do you take no coin?", "I take no coin because"),
        ("Where am I?", "You are"),
        ("Were you a soldier?", "I was"),
        ('*I sit down.* "Is it far from here?"', "It is"),
        ("I sit down. Where is the captain?", "The captain is"),
    ],
)
def test_a_question_is_answered_with_its_own_words(line: str, begins: str) -> None:
    assert answers.beginning(line, "Brindle") == begins


@pytest.mark.parametrize(
    "line",
    [
        *("I thank you.", "", "?", "Why?", "What happened?", "Where does this train go?", "What is on deck seven?"),
        *("What did she say to you?", "Tell me a story.", "Was ist das?", "Wer sind Sie?", "you " * 20 + "?"),
    ],
)
def test_what_cannot_be_turned_round_is_left_to_the_model(line: str) -> None:
    assert answers.beginning(line, "Brindle") == ""


@given(
    st.lists(
        st.sampled_from(
            [
                "who",
                "what",
                "why",
                "how",
                "is",
                "are",
                "do",
                "have",
                "you",
                "i",
                "me",
                "my",
                "this",
                "place",
                "tell",
                "about",
                ",",
                "?",
                ".",
            ]
        )
    )
)
def test_a_beginning_is_one_line_with_a_capital_and_no_end(words: list[str]) -> None:
    begun = answers.beginning(" ".join(words), "Brindle")
    assert not begun or (begun[0].isupper() and begun == " ".join(begun.split()) and begun[-1] not in ".?!")
