"""Labels of speakers: in any case and emphasis, and never a word that only looks like a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt.speakers import Speakers

BOB = Speakers(("Bob",), "Mira")


@pytest.mark.parametrize(
    "line",
    [
        *("Bob: no", "bob: no", "BOB: no", "**Bob:** no", "*Bob:* no", "Bob : no", "**Bob**: no", '"Bob": no'),
        *("[Bob]: no", "Bob：no", "  Bob: no", "Bob\nno", "**Bob**\nno", "__Bob:__ no", "> Bob: no"),
        *(
            "<b>Bob:</b> no",
            "<strong>Bob</strong>: no",
            '<font color="red">Bob</font>: no',
            "\\*Bob\\*: no",
            "@Bob: no",
        ),
        *(
            "Bob\u00a0: non",
            "Bob\u202f: non",
            "Bob\u200b: no",
            "Bob\u200f: no",
            "\u3000Bob：no",
            "Bob\r\nno",
            "Bob։ no",
        ),
        *("Bob [angry]: no", "Bob *whispers*: no", "Bob {sad}: no", "**Bob** *(softly)*: no", "Bob [softly] (sad): no"),
        *("Bob 🙂: no", "Bob 🗡️: no", "{{Bob}}: no", "|Bob|: no", "Ｂｏｂ：no", "Bob（小声）「いや」"),
        *("<Bob> no", "`Bob:` no", "Bob (whispers): no", "**Bob** (in haste): no", "【Bob】：no", "Bob「いや」"),
    ],
)
def test_a_line_in_another_ones_name_is_found_in_any_spelling(line: str) -> None:
    assert BOB.other_line(f"First line.\n{line}") == 11
    assert BOB.other_line(line) == 0


@pytest.mark.parametrize(
    "line",
    [
        "MiniBob: no",
        "Alice: no",
        "Bob is late.",
        "Bobby: no",
        "Is Bob: no",
        "Bob, no: stop",
        "Bob's: no",
        "[Bob] 10 HP",
        "Bob (he) runs.",
        "Bob *runs*.",
        "- Bob: the baker",
        "🧍 Bob: tired",
        "1. Bob: the baker",
    ],
)
def test_others_may_speak_and_be_spoken_of(line: str) -> None:
    assert BOB.other_line(f"First line.\n{line}") is None


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Will", "Will you stay?"),
        ("Hope", "Hope is all we have."),
        ("May", "*May I come?*"),
        ("You", "You know it."),
    ],
)
def test_a_name_that_is_a_word_ends_nothing_unless_it_is_asked_for(name: str, line: str) -> None:
    text = f"A bell.\n\n{line}"
    assert Speakers((name,)).other_line(text) is None
    assert Speakers((name,)).may_be_other(text) == len(text)
    assert Speakers((name,), bare=True).other_line(text) == 8


def test_what_stands_before_the_start_is_left() -> None:
    text = "Bob: one\nBob: two"
    assert BOB.other_line(text, 3) == 8 and BOB.other_line(text, 9) is None
    assert BOB.may_be_other("Once Bo", 3) == 7


@pytest.mark.parametrize(("text", "safe"), [("A.\nBo", 2), ("A.\n**Bob", 2), ("A.\nBob ", 2), ("A.\nBod", 6)])
def test_the_beginning_of_a_label_waits(text: str, safe: int) -> None:
    assert BOB.may_be_other(text) == safe


@pytest.mark.parametrize("name", ["李小龙", "Нина", "Mary Ann", "O'Brien", "a.b*c", "नेहा", "می\u200cنا"])
def test_names_of_any_script_and_with_any_sign(name: str) -> None:
    assert Speakers((name,)).other_line(f"A.\n**{name.upper()}** : no") == 2


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *(("Νίκος", "ΝΙΚΟΣ"), ("Inci", "İNCİ"), ("José", "JOSE"), ("Jose", "José"), ("Ёлка", "Елка"), ("Zoë", "Zoe")),
        *(
            ("أحمد", "احمد"),
            ("محمّد", "محمد"),
            ("Dr. Bob", "DR BOB"),
            ("Jean-Luc", "Jean‑Luc"),
            ("Jean-Luc", "Jean Luc"),
        ),
        *(("Bob🗡", "Bob"), ("_Bob_", "Bob"), ("Bob.", "Bob"), ("Strauß", "STRAUSS"), ("*", "*")),
    ],
)
def test_a_name_is_known_without_its_accents_hyphens_and_signs(name: str, label: str) -> None:
    assert Speakers((name,)).other_line(f"A.\n{label}: no") == 2


@pytest.mark.parametrize(("name", "label"), [("がく", "かく"), ("नेहा", "नहा"), ("มี", "มา"), ("Bob", "Rob")])
def test_what_is_another_letter_is_another_name(name: str, label: str) -> None:
    assert Speakers((name,)).other_line(f"A.\n{label}: no") is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        *(("Mira: Hello.", "Hello."), ("mira : Hello.", "Hello."), ("**Mira:** Hello.", "Hello.")),
        *(("**Mira**: Hello.", "Hello."), ("*Mira: waves.*", "*waves.*"), ("Mira: Mira: Hello.", "Hello.")),
        *(('Mira: "Hello."', '"Hello."'), ("Mira:\nHello.", "Hello."), ("[Mira]: Hello.", "Hello.")),
        *(("Mira (smiling): Hello.", "Hello."), ("**Mira**\nHello.", "Hello."), ("Mira「今晩は」", "「今晩は」")),
        *(("*Mira:* Hello.", "Hello."), ("### Mira\nHello.", "Hello.")),
        *(("<b>Mira:</b> Hello.", "Hello."), ("<i>Mira</i>: Hello.", "Hello.")),
        *(("Mira\u00a0: Bonjour.", "Bonjour."), ("Mira [smiles]: Hello.", "Hello."), ("Ｍｉｒａ：你好。", "你好。")),
        *(("Mira waves.", "Mira waves."), ("Miranda: Hello.", "Miranda: Hello."), ("A: Mira: no", "A: Mira: no")),
    ],
)
def test_the_speakers_own_label_is_taken_off_the_front(text: str, left: str) -> None:
    assert BOB.without_own(text) == left
    said = ""
    for char in text:  # as it is written
        said = said + char if said else char.lstrip()
        said = said if BOB.may_be_own(said) else BOB.without_own(said)
    assert BOB.without_own(said) == left


@pytest.mark.parametrize(
    ("name", "label"),
    [("D'Arcy", "D’ARCY:"), ("Zoë", "Zoe\u0308:"), ("Mira Stone", "Mira:"), ("Mira Stone", "mira  stone:")],
)
def test_a_name_is_known_in_other_letters_and_by_its_first_part(name: str, label: str) -> None:
    assert Speakers((), name).without_own(f"{label} Hello.") == "Hello."
    assert (Speakers((name,)).other_line(f"A.\n{label} no") == 2) == (label != "Mira:")


@given(st.sampled_from(["Mira: Hello.", "**Mira:** Hello.", "*Mira: waves.*", "Mira waves.", "Mirabel: no"]))
def test_a_label_is_never_shown_in_part(text: str) -> None:
    """What is released of a growing text is always the beginning of what is left in the end."""
    for end in range(1, len(text) + 1):
        if not BOB.may_be_own(text[:end]):
            assert BOB.without_own(text).startswith(BOB.without_own(text[:end]))
