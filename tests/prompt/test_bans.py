"""Phrases that must not come: read from players' lists, found in any case and spacing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.prompt import bans
from advrepl.prompt.bans import BanScan

PHRASES = ("shivers down", "a testament to", "Barely above a whisper", "eyes, wide")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("It sent shivers down his spine.", 8),
        ("It sent SHIVERS\n  Down his spine.", 8),
        ("It sent *shivers* down", 9),
        ("It was a  testament\u00a0to him", 7),
        ("barely above a whisper", 0),
        ("her eyes , wide open", 4),
        ("her eyes,wide open", 4),
        ("shivers ran down", None),
        ("shiversdown", None),
        ("a testament", None),
    ],
)
def test_a_phrase_is_found_in_any_case_and_spacing(text: str, at: int | None) -> None:
    assert bans.first_in(text, PHRASES) == at


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("don't you dare", "Don’t you dare!"),
        ("Élan vital", "e\u0301lan  vital"),
        ("мурашки по", "Мурашки по спине"),
        ("息を呑む", "彼女は息を呑む。"),
        ("straße", "die STRASSE"),
        ("orbs", "He absorbs it"),
    ],
)
def test_a_phrase_is_found_in_any_script_and_inside_words(phrase: str, text: str) -> None:
    assert bans.contains(text, (phrase,))


def test_what_may_become_a_phrase_is_not_safe() -> None:
    scan = BanScan(PHRASES)
    safe = []
    for end in range(1, 26):
        assert scan.read("It sent shivers up and so on"[:end]) is None
        safe.append(scan.safe("It sent shivers up and so on"[:end]))
    assert safe[8:17] == [*[8] * 8, 17] and safe[-1] == 25  # from "s" on; "shivers u" is none


def test_what_was_there_before_is_left() -> None:
    text = "It sent shivers down."
    assert BanScan(PHRASES).read(text, floor=21) is None and BanScan(PHRASES).read(text, floor=19) == 8


@given(st.text("abc ,*", max_size=30), st.lists(st.text("abc ,", min_size=1, max_size=5)), st.integers(1, 5))
def test_the_same_is_found_however_the_text_arrives(text: str, phrases: list[str], step: int) -> None:
    known, scan, found = tuple(phrases), BanScan(tuple(phrases)), None
    for end in range(step, len(text) + step, step):
        found = scan.read(text[:end])
        if found is not None:
            break
        assert bans.first_in(text, known) is None or scan.safe(text[:end]) <= (bans.first_in(text, known) or 0)
    assert found == bans.first_in(text, known)


@given(st.text(max_size=40), st.text("abcdefgh", min_size=2, max_size=3))
def test_a_plain_phrase_is_found_wherever_it_stands(text: str, phrase: str) -> None:
    assert bans.contains(f"{text} {phrase} {text}", (phrase,))
    assert phrase not in text or bans.contains(text, (phrase,))


def test_lists_come_as_lines_or_json(tmp_path: Path) -> None:
    lines = tmp_path / "worn.txt"
    lines.write_text('\ufeff# worn\nshivers down\n\n"a testament to",\nShivers  down\n', encoding="utf-8")
    assert bans.load(lines) == (("shivers down", "a testament to"), [])
    listed = tmp_path / "worn.json"
    listed.write_text('["shivers down", "orbs"]')
    assert bans.load(listed) == (("shivers down", "orbs"), [])


def test_a_line_of_a_list_that_cannot_be_banned_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    listed = tmp_path / "worn.txt"
    listed.write_text("shivers down\n—\nx\norbs\n", encoding="utf-8")
    phrases, notes = bans.load(listed)
    assert phrases == ("shivers down", "orbs")
    assert notes == [
        "worn.txt: '—' cannot be banned: a phrase has 2 letters at least, 200 at most, nor 1 more of its lines"
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\n# nothing\n", "there are no phrases in"),
        (b"\xff\xfe\x00", "is no list of phrases: save it as UTF-8"),
        (b"[1, 2]", "is no list of phrases: write one a line"),
        (b"a\n", "'a' cannot be banned: a phrase has 2 letters at least"),
        (b"x" * 201, "200 at most"),
    ],
)
def test_a_list_that_is_none_is_refused_by_name(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "worn.txt").write_bytes(data)
    with pytest.raises(AdvreplError, match=said):
        bans.load(tmp_path / "worn.txt")


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdvreplError, match=r"nowhere\.txt cannot be read: No such file"):
        bans.load(tmp_path / "nowhere.txt")


def test_phrases_are_added_and_taken_away_however_they_are_written() -> None:
    assert bans.added(("Orbs",), ("orbs", "a  b")) == ("Orbs", "a  b")
    assert bans.without(("Orbs", "a b"), "ORBS") == ("a b",)


def test_a_word_is_kept_out_in_whatever_tokens() -> None:
    assert list(bans.kept_out("It sent shiver", 8)) == [" s", " sh", " shi", " shiv", " shive", " shiver"]
    assert list(bans.kept_out("Orb", 0)) == [" O", " Or", " Orb", "O", "Or", "Orb"]
    assert list(bans.kept_out("absorbs", 2))[-1] == "absorbs"
