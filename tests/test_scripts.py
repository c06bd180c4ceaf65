"""Words, sentences and names in many scripts."""

import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from advrepl import scripts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't know, l’eau!", ["I", "don't", "know", "l’eau"]),
        ("Войти в дом.", ["Войти", "в", "дом"]),
        ("राम की मीना", ["राम", "की", "मीना"]),
        ("می\u200cروم", ["می\u200cروم"]),
        ("ルームへ入る", ["ル", "ー", "ム", "へ", "入", "る"]),
        ("ที่นี่", ["ที่", "นี่"]),
    ],
)
def test_words_are_found_in_any_script(text: str, words: list[str]) -> None:
    assert scripts.words(text) == words


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("She left.", True),
        ("Она ушла…", True),
        ("「行こう。」", True),
        ("वह गया।", True),
        ("هل رأيتها؟", True),
        ("*She smiles.*", True),
        ("« Entrez ! »", True),
        ("She left", False),
        ("「行こう」と", False),
    ],
)
def test_a_sentence_ends_in_any_script(text: str, whole: bool) -> None:
    assert scripts.ends_sentence(text) is whole


STOPS = ("She left.", "Она ушла…", "行こう。", "行こう！", "वह गया।", "رأيتها؟", "Qui va là ?", "Ποιος είναι;", "སྒོ་ཕྱེས།")
CLOSINGS = ("", "*", '"', "”", "“", "«", " »", "\u202f»", "」", '*"', "`", "\u200f", " 😊", "♥️", "👍🏽")


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_what_stands_behind_a_stop_belongs_to_its_sentence(stop: str, closing: str) -> None:
    """German closes with the quotation mark that opens in English."""
    text = stop + closing
    assert scripts.ends_sentence(text)
    for behind in (" Next one", *(["次"] if "。" in stop else [])):
        assert scripts.first_sentence_end(text + behind, 0) == len(text)
        assert scripts.last_sentence_end(text + behind, len(text) + 1) == len(text)


def test_long_rows_of_stops_are_passed_in_little_time() -> None:
    began = time.process_time()
    for row in ("!" * 50_000 + "x", '."' * 25_000 + "x", ".*" * 25_000 + "x"):
        assert not scripts.ends_sentence(row) and not scripts.last_sentence_end(row, len(row))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('He says: "Come', '"'),
        ("„Komm herein", "“"),
        ("„Komm herein.“ Er geht.", ""),
        ("»Komm", "«"),
        ("« Entrez", "»"),
        ("« Oui » dit-il", ""),
        ("彼は「行こう", "」"),
        ("and left.” He waits", ""),
        ("“A „b", "“”"),
    ],
)
def test_what_quotes_lack(text: str, missing: str) -> None:
    assert scripts.open_quotes(text) == missing


@pytest.mark.parametrize(
    ("text", "stop"), [("Go", "."), ("扉を開ける", "。"), ("द्वार खोलो", "।"), ("ไป", ""), ("Иди", "."), ("", ".")]
)
def test_a_sentence_gets_the_full_stop_of_its_script(text: str, stop: str) -> None:
    assert scripts.full_stop(text) == stop


def test_borders_of_sentences_clauses_and_words() -> None:
    text = "He nods. “Come in,” he says, and waits."
    assert [scripts.last_sentence_end(text, end) for end in (5, 9, len(text))] == [0, 8, len(text)]
    assert text[: scripts.last_clause_end(text, 30)] == "He nods. “Come in,” he says,"
    assert text[: scripts.word_start(text, 12)] == "He nods. “" and scripts.word_start(text, 5) == 2
    assert scripts.last_sentence_end("彼は頷く。そして", 8) == 5


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("Дом", "яЁґ", "aאあ"), ("Café", "zß", "яあ"), ("दिन", "क़्०", "aक".replace("क", "ক")), ("家", "漢ひカー", "a한")],
)
def test_a_script_is_known_by_its_letters(text: str, inside: str, outside: str) -> None:
    ranges = [each for name in scripts.script_names(text) for each in scripts.script_ranges(name)]
    held = [any(low <= ord(char) <= high for low, high in ranges) for char in inside + outside]
    assert held == [True] * len(inside) + [False] * len(outside)
    assert scripts.script_ranges("MICRO") == ()


@pytest.mark.parametrize("name", ["Nūr\u200cjahān", "می\u200cنا", "👩\u200d🚀", "नेहा", "李小龙", "O'Brien", "Dr. 7"])
def test_names_may_need_joiners_and_marks(name: str) -> None:
    assert scripts.is_name(name)


@pytest.mark.parametrize("name", ["", "\u200d", "a\x1b[31m", "\u202ebob", "a\u2028b", "\ud800", " ", "..."])
def test_what_cannot_be_seen_or_controls_a_terminal_is_no_name(name: str) -> None:
    assert not scripts.is_name(name)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        *(("हिन्दी", True), ("ภาษาไทย", True), ("Zoë (2)", True), ("می\u200cنا", True), ("a" * 100, True)),
        *(("", False), ("../x", False), ("a/b", False), (".a", False), ("a.", False), ("a" * 101, False)),
        *(("ह" * 67, False), ("a\n", False), ("\u200da", False)),
    ],
)
def test_names_of_files(name: str, fits: bool) -> None:
    assert scripts.is_file_name(name) is fits


@given(st.text(max_size=200))
def test_a_slug_is_a_name_of_a_file_or_empty(text: str) -> None:
    slug = scripts.slug(text)
    assert not slug or scripts.is_file_name(slug)


@given(st.text(max_size=60))
def test_words_are_parts_of_the_text_in_their_order(text: str) -> None:
    left = iter(text)
    assert all(char in left for word in scripts.words(text) for char in word)
    assert all(regex.search(r"[\p{L}\p{N}ー〆ｰ]|" + scripts.UNSPACED, word) for word in scripts.words(text))


def _paired(pieces: list[str]) -> str:
    text = held = ""
    for piece in pieces:
        added, held = scripts.paired(text, held + piece)
        text += added
    return text


@pytest.mark.parametrize(
    ("text", "paired"),
    [
        ('"Come in," she says. "Now."', '"Come in," she says. "Now."'),
        ('He talks.""That is it." So." Yes."', 'He talks. "That is it." So. Yes.'),
        ('*"I am,"* he says (*"aside"*).', '*"I am,"* he says (*"aside"*).'),
        ("“Come,” she says.", "“Come,” she says."),
    ],
)
def test_quotation_marks_that_close_nothing_are_left_out(text: str, paired: str) -> None:
    assert _paired([text]) == paired


@given(st.lists(st.text('ab ."(', max_size=4), max_size=8))
def test_quotation_marks_are_paired_however_a_text_comes(pieces: list[str]) -> None:
    text = "".join(pieces)
    told = _paired(pieces)
    assert told == _paired([text]) == _paired(list(text))
    assert _paired([told]) == told
    assert [c for c in told if c not in ' "'] == [c for c in text if c not in ' "']
