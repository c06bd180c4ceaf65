"""The text of cards and lorebooks: JSON as programs write it, and YAML, become plain objects."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.cards.text import decode, parse_card_text, without_surrogates
from tests.card_files import survives


@pytest.mark.parametrize(
    ("data", "card", "note"),
    [
        ('{"name": "Ada"}'.encode("utf-16"), {"name": "Ada"}, "the text is UTF-16"),
        (b'{"name": "Ren\xe9 \x93hi\x94"}', {"name": "René “hi”"}, "the text is not UTF-8 (byte 13): read as Latin-1"),
        (b'{"name": "\xe9\x81"}', {"name": "é\x81"}, "the text is not UTF-8 (byte 10): read as Latin-1"),
        (b'[{"name": "Ada"}]', {"name": "Ada"}, "the card lies in a list: its one entry was taken"),
        (b'{"name": "a\nb"}', {"name": "a\nb"}, "the JSON is not quite valid"),
        (b'{"name": "\\ud83d"}', {"name": "?"}, "the JSON is not quite valid"),
        (b'{"name": "a", "x": NaN, "y": 1e999}', {"name": "a", "x": None, "y": None}, "the JSON is not quite valid"),
    ],
)
def test_odd_text_is_read_with_a_note(data: bytes, card: object, note: str) -> None:
    found, notes = parse_card_text(data)
    assert found == card
    assert len(notes) == 1 and notes[0].startswith(note)


def test_yaml_is_read_as_text() -> None:
    data = b"name: Ada\ngreeting: |-\n  Hello.\n  Tea?\ncontext: 1843-01-01\n"
    assert parse_card_text(data) == ({"name": "Ada", "greeting": "Hello.\nTea?", "context": "1843-01-01"}, [])


@pytest.mark.parametrize("unit", ["[", "{", "- ", "? ", "{a: "])
def test_yaml_that_nests_deeply_is_refused_at_once(unit: str) -> None:
    began = time.process_time()
    with pytest.raises(AdvreplError, match="the YAML nests deeper than 100 levels"):
        decode(b"name: " * unit.startswith(("[", "{")) + unit.encode() * (30_000 // len(unit)))
    assert time.process_time() - began < 3


@pytest.mark.parametrize("escape", ["\\U00110000", "\\Uffffffff"])
def test_an_escape_beyond_all_characters_is_refused(escape: str) -> None:
    with pytest.raises(AdvreplError, match="neither PNG, CHARX, JSON nor YAML"):
        parse_card_text(f'name: "{escape}"'.encode())


def test_half_a_surrogate_pair_is_no_character() -> None:
    assert decode(b'name: "a\\ud83d"') == ({"name": "a?"}, [])
    assert without_surrogates("é\udc80") == "é?"


@pytest.mark.parametrize(("data", "found"), [(b"[1, 2]", [1, 2]), (b"- a\n- b", ["a", "b"]), (b"", None)])
def test_a_book_may_be_a_list(data: bytes, found: object) -> None:
    assert decode(data) == (found, [])


PIECES = ['"', "'", "{", "}", "[", "]", ":", ",", "- ", "? ", "| ", "\n", "  ", "&a ", "*a ", "!!int ", "name", "1e999"]
ESCAPES = ["\\ud83d", "\\U00110000", "\\x00", "\\N{", "\x00", "\ufeff", "%YAML 1.1", "NaN", "<<"]


@given(st.lists(st.sampled_from([*PIECES, *ESCAPES]) | st.text(max_size=4), max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text_is_decoded_or_refused_in_a_sentence(text: str) -> None:
    data = text.encode("utf-8", "replace")
    survives(lambda: decode(data))
    survives(lambda: decode(b"{" + data))
