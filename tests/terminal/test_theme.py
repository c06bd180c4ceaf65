"""Themes, and the marks of speech."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.terminal.speech import Speech, spoken
from advrepl.terminal.text import SPEECH, SPOKEN
from advrepl.terminal.theme import THEMES, choose

TEXTS = st.text(alphabet='ab "“”„«»「」\n*', max_size=30)


def test_a_theme_is_chosen_by_name_else_by_the_background() -> None:
    assert choose(None, {}) is THEMES["dark"] is choose(None, {"COLORFGBG": "15;0"})
    assert choose(None, {"COLORFGBG": "0;default;15"}) is THEMES["light"]
    assert choose("dark", {"COLORFGBG": "0;15"}) is THEMES["dark"]
    with pytest.raises(AdvreplError, match="there is no theme 'pink': it is dark or light"):
        choose("pink", {})


def test_in_each_theme_all_kinds_look_different() -> None:
    for theme in THEMES.values():
        assert len({theme.speech, theme.player, theme.error}) == 3


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ('He: "Go!" She: “No.”', 'He: <"Go!"> She: <“No.”>'),
        ("„Wer da?“ – »Ich.« 「竜」", "<„Wer da?“> – <»Ich.«> <「竜」>"),
        ("it is 5'10\" tall", "it is 5'10\" tall"),
        ('"I am\nhere." Then', '<"I am>\nhere." Then'),
        ('("Hm")', '(<"Hm">)'),
    ],
)
def test_speech_is_what_stands_in_quotation_marks(text: str, marked: str) -> None:
    assert spoken(text).replace(SPEECH, "<").replace(SPOKEN, ">") == marked


@given(TEXTS, st.integers(0, 30))
def test_it_does_not_matter_where_a_text_is_cut(text: str, at: int) -> None:
    speech = Speech()
    pieces = speech.feed(text[:at]) + speech.feed(text[at:]) + speech.end()
    assert pieces == spoken(text)
    assert pieces.replace(SPEECH, "").replace(SPOKEN, "") == text
    assert pieces.count(SPEECH) == pieces.count(SPOKEN)
