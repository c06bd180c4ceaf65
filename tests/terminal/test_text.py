import unicodedata
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes, wcswidth

from advrepl.terminal.text import ITALIC, StreamWrapper, clip, max_cells, one_line, visible, wrap

LETTERS = {
    "devanagari": "कखगतनमषरहिीुेो्ंँ़\u200d\u200c",
    "thai": "กขคงนมรสาำิีึุูเแโ่้๊์",
    "arabic": "ابتثجحسلمنوهىَُِّْٰـ\u0600",
    "hebrew": "אבגדהושלםְִֵַּׁ",
    "tamil": "கசடதநபமாிீுூெேைொ்",
    "jamo": "ᄀᄂ다ᅢᅣᆨᆩ가각한글",
    "emoji": "👩👨👧👦❤🔥🏳🌈👍🏽🏿🇩🇪🇫🇷#1*\u20e3\ufe0f\ufe0e\u200d",
    "wide": "你好世界。、「」テキスト",
    "latin": "abcdefé-’“”…!?\u0301\u0308\u00ad\u200b\u2060",
}
# Text of one script at a time, with blanks and line breaks, and of all that Unicode has.
TEXTS = st.one_of(
    *(st.text(st.sampled_from(letters + " \n\t"), max_size=120) for letters in LETTERS.values()),
    st.text(st.sampled_from("".join(LETTERS.values()) + " \n\t"), max_size=200),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200),
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, é, 界\n\tand tabs", "plain text, é, 界\n\tand tabs"),
        ("\x1b[2J\x1b]0;owned\x07", "␛[2J␛]0;owned␇"),
        ("a\x00b\x08c\x7fd", "a␀b␈c␡d"),
        ("\x9b31mred\x85", "�31mred�"),
        ("one\r\ntwo\rthree", "one\ntwo␍three"),
        ("abc\u202edef\u202c\u2066x\u2069", "abc�def��x�"),
        ("\ud800 \udcff", "� �"),
        ("new\u2028line\u2029s", "new\nline\ns"),
        ("in\u200bvis\u2060i\ufeffble\u00ad \U000e0041\U000e0042tags\u3164", "invisible tags"),
        ("می\u200cخواهم क्\u200dष \u200fא 葛\U000e0100 ☺\ufe0f", "می\u200cخواهم क्\u200dष \u200fא 葛\U000e0100 ☺\ufe0f"),
    ],
)
def test_foreign_text_is_made_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(st.text(st.characters()))
def test_nothing_but_newline_and_tab_controls_a_terminal(text: str) -> None:
    shown = visible(text)
    assert {char for char in shown if unicodedata.category(char) in ("Cc", "Cs")} <= {"\n", "\t"}
    shown.encode()
    assert visible(shown) == shown
    assert not set(one_line(text)) & set("\n\t\r")


def test_words_are_wrapped_whole() -> None:
    assert wrap("You enter the house and see a man.", 12) == "You enter \nthe house \nand see a \nman."


def test_options_hang() -> None:
    assert wrap("1. Go inside the house.", 14, indent=3) == "1. Go inside \n   the house."


def test_word_longer_than_the_line_is_cut() -> None:
    assert wrap("ab " + "x" * 21, 10) == "ab \nxxxxxxxxx\nxxxxxxxxx\nxxx"


def test_wide_characters_part_anywhere_but_before_a_full_stop() -> None:
    assert wrap("你好世界再见。", 10) == "你好世界\n再见。"
    assert wrap("你好世界。再见", 10) == "你好世\n界。再见"


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("plain", 5),
        ("é界", 3),
        ("नि", 2),
        ("क्षि", 3),  # where conjuncts are not known: two letters and a vowel sign
        ("กำ", 2),
        ("각", 2),
        ("👩‍👩‍👧", 6),  # where joined emoji are not known: three of them
        ("👍🏽", 4),
        ("🇩🇪", 4),
        ("1️⃣", 2),
        ("❤️", 2),
        ("a\u200bb", 2),
        ("", 0),
    ],
)
def test_width_is_the_most_that_a_terminal_may_need(text: str, cells: int) -> None:
    assert max_cells(text) == cells


@given(TEXTS)
def test_no_text_is_taken_for_narrower_than_wcwidth_takes_it(text: str) -> None:
    line = one_line(text)
    assert max_cells(line) >= max(behind(line), sum(map(behind, iter_graphemes(line))))


def behind(text: str) -> int:
    """The columns that wcwidth gives a text, behind another one: a mark without a letter has something to stand on."""
    return wcswidth("#" + text) - 1


@pytest.mark.parametrize("grapheme", ["👩‍👩‍👧", "é", "🇩🇪", "👍🏽", "क्षि", "กำ", "각", "لَّ"])
def test_what_is_drawn_as_one_is_never_cut(grapheme: str) -> None:
    assert set(wrap(grapheme * 9, 10).replace("\n", " ").split()) <= {grapheme * n for n in range(10)}
    assert clip(grapheme * 9, 8).removesuffix("…") in {grapheme * n for n in range(9)}


def test_only_the_word_in_progress_waits() -> None:
    wrapper = StreamWrapper(40)
    pieces = ("You en", "ter the", " house", ".", "\n")
    assert [wrapper.feed(piece) for piece in pieces] == ["You ", "enter ", "the ", "", "house.\n"]
    assert wrapper.end() == ""


def test_a_blank_waits_for_what_may_belong_to_it() -> None:
    wrapper = StreamWrapper(40)
    assert [wrapper.feed(piece) for piece in ("You ", "\u0301", " en")] == ["You", "", " \u0301 "]
    assert wrapper.end() == "en"


def test_word_without_end_is_not_waited_for() -> None:
    wrapper = StreamWrapper(10)
    assert len(wrapper.feed("x" * 100)) > 80


def test_narrower_terminal_wraps_what_comes_next() -> None:
    wrapper = StreamWrapper(40)
    assert wrapper.feed("You enter the h") == "You enter the "
    wrapper.width = 12
    assert wrapper.feed("ouse and go o") == "\nhouse and \ngo "


@given(TEXTS, st.integers(10, 60), st.integers(0, 5), st.lists(st.integers(0, 200), max_size=6))
def test_wrapping_adds_nothing_but_breaks_and_keeps_the_width(
    text: str, width: int, indent: int, cuts: list[int]
) -> None:
    out = in_pieces(StreamWrapper(width, indent), text, cuts)
    assert out == wrap(text, width, indent), "the same however it was cut"
    whole = [0]
    for grapheme in iter_graphemes(text):
        whole.append(whole[-1] + len(grapheme))
    assert set(breaks(out, text, indent)) <= set(whole), "no grapheme is cut"
    for line in out.split("\n"):
        assert columns(line, width) <= width or len(list(iter_graphemes(line.strip()))) == 1


@given(TEXTS, st.integers(10, 60), st.lists(st.integers(0, 200), max_size=6))
def test_marks_of_italics_take_no_room(text: str, width: int, places: list[int]) -> None:
    plain = "".join(iter_graphemes(text))
    marked, graphemes = "", list(iter_graphemes(plain))
    for place, grapheme in enumerate(graphemes):
        marked += ITALIC * (place in places and grapheme not in " \t\n") + grapheme
    assert wrap(marked, width).replace(ITALIC, "") == wrap(text, width)


@given(TEXTS, st.integers(10, 60))
def test_a_character_at_a_time_is_wrapped_as_the_whole(text: str, width: int) -> None:
    assert in_pieces(StreamWrapper(width), text, range(len(text))) == wrap(text, width)


def in_pieces(wrapper: StreamWrapper, text: str, cuts: Iterable[int]) -> str:
    """Wrap a text that comes in pieces, cut at these places."""
    out, at = "", 0
    for cut in (*sorted(cuts), len(text)):
        out += wrapper.feed(text[at:cut])
        at = max(at, cut)
    return out + wrapper.end()


def columns(line: str, width: int) -> int:
    """Where the cursor stands after the line, as wcwidth measures; a tab ends at the screen's edge."""
    column = 0
    for grapheme in iter_graphemes(line):
        column = min(column - column % 8 + 8, max(width, column)) if grapheme == "\t" else column + behind(grapheme)
    return column


def breaks(out: str, text: str, indent: int) -> Iterator[int]:
    """Find where in the text a line break was put in, reading both side by side; nothing else may have changed."""
    at = place = 0
    while at < len(out):
        if place < len(text) and out[at] == text[place]:
            at, place = at + 1, place + 1
            continue
        assert out[at : at + 1 + indent] == "\n" + " " * indent
        yield place
        at += 1 + indent
    assert place == len(text)


@given(st.text(st.sampled_from("ab cdef ghijk"), max_size=200), st.integers(15, 60))
def test_no_word_that_fits_is_broken(text: str, width: int) -> None:
    words = [word for word in text.split() if len(word) < width]
    assert [word for word in wrap(text, width).split() if len(word) < width and word in words] or not words
    if len(words) == len(text.split()):
        assert wrap(text, width).split() == words


@given(TEXTS, st.integers(0, 40))
def test_clipped_text_fits(text: str, width: int) -> None:
    line = one_line(text)
    assert max_cells(clip(line, width)) <= max(width, 0)
    if max_cells(line) <= width:
        assert clip(line, width) == line
