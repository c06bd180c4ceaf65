import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from advrepl.terminal.view import Status, Wrap, cells, clipped, clusters, one_line, toolbar, visible, wrapped

TEXTS = st.text(
    st.one_of(
        st.sampled_from(" \n\tab,.!“”’-é界。、「」한글テ👩‍👩‍👧❤️🏽🇩🇪́̈\u200d\ufe0f"),
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    ),
    max_size=200,
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
    assert wrapped("You enter the house and see a man.", 12) == "You enter \nthe house \nand see a \nman."


def test_options_hang() -> None:
    assert wrapped("Go inside the house.", 14, indent=3, column=3) == "Go inside \n   the house."


def test_word_longer_than_the_line_is_cut() -> None:
    assert wrapped("ab " + "x" * 21, 10) == "ab \nxxxxxxxxx\nxxxxxxxxx\nxxx"


def test_wide_characters_part_anywhere_but_before_a_full_stop() -> None:
    assert wrapped("你好世界再见。", 10) == "你好世界\n再见。"
    assert wrapped("你好世界。再见", 10) == "你好世\n界。再见"


def test_joined_emoji_and_accents_stay_together() -> None:
    family, accent = "👩‍👩‍👧", "é"
    assert list(clusters(f"a{family}{accent}🇩🇪🇫🇷👍🏽")) == ["a", family, accent, "🇩🇪", "🇫🇷", "👍🏽"]


def test_only_the_word_in_progress_waits() -> None:
    wrap = Wrap(40)
    assert [wrap.feed(piece) for piece in ("You en", "ter the", " house", ".")] == ["You ", "enter ", "the ", ""]
    assert wrap.end() == "house."


def test_word_without_end_is_not_waited_for() -> None:
    wrap = Wrap(10)
    assert len(wrap.feed("x" * 100)) > 80


def test_narrower_terminal_wraps_what_comes_next() -> None:
    wrap = Wrap(40)
    assert wrap.feed("You enter the ") == "You enter the "
    wrap.width = 12
    assert wrap.feed("house and go ") == "\nhouse and \ngo "


@given(TEXTS, st.integers(10, 60), st.integers(0, 5), st.lists(st.integers(0, 200), max_size=6))
def test_wrap_keeps_the_text_and_the_width(text: str, width: int, indent: int, cuts: list[int]) -> None:
    wrap, out, at = Wrap(width, indent), "", 0
    for cut in sorted(cuts):
        out += wrap.feed(text[at:cut])
        at = max(at, cut)
    out += wrap.feed(text[at:]) + wrap.end()
    assert out == wrapped(text, width, indent), "the same however it was cut"
    assert without_breaks(out, text, indent) == text
    for line in out.split("\n"):
        assert wcswidth(line.expandtabs(1)) <= width


def without_breaks(out: str, text: str, indent: int) -> str:
    """Take out the breaks that are not in the text, reading both side by side."""
    kept, at = "", 0
    while at < len(out):
        if out[at] == "\n" and text[len(kept) : len(kept) + 1] != "\n":
            at += 1
            assert out[at : at + indent] == " " * indent
            at += indent
            continue
        kept += out[at]
        at += 1
    return kept


@given(st.text(st.sampled_from("ab cdef ghijk"), max_size=200), st.integers(15, 60))
def test_no_word_that_fits_is_broken(text: str, width: int) -> None:
    words = [word for word in text.split() if len(word) < width]
    assert [word for word in wrapped(text, width).split() if len(word) < width and word in words] or not words
    if len(words) == len(text.split()):
        assert wrapped(text, width).split() == words


@given(TEXTS, st.integers(0, 40))
def test_clipped_text_fits(text: str, width: int) -> None:
    line = one_line(text)
    assert cells(clipped(line, width)) <= max(width, 0)
    if cells(line) <= width:
        assert clipped(line, width) == line


STATUS = Status("Metharme 7B Q4_K_M", 1234, 1900, 6, 45.23)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, " Metharme 7B Q4_K… · 1234 of 1900 tokens · 6 turns no longer seen · 45 tokens/s "),
        (60, " Metharme 7B Q4_… · 1234/1900 tokens · 6 turns out · 45 t/s "),
        (40, " Metharme… · 1234/1900 · 6 out · 45 t/s "),
        (20, " 1234/1900 · 6 out"),
    ],
)
def test_toolbar_fits(width: int, line: str) -> None:
    shown = toolbar(STATUS, width)
    assert cells(shown) <= width
    assert shown == line


@given(st.integers(1, 100), st.text(st.characters(), max_size=30), st.integers(0, 9999))
def test_toolbar_is_never_wider_than_the_terminal(width: int, model: str, gone: int) -> None:
    assert cells(toolbar(Status(model, 5000, 8000, gone, 3.5), width)) <= width


def test_toolbar_leaves_out_what_there_is_not() -> None:
    assert toolbar(Status("m", 10, 100, 0, 0.0), 80) == " m · 10 of 100 tokens "
    assert re.search(r"1 turn no longer", toolbar(Status("m", 10, 100, 1, 0.0), 80))


@pytest.mark.parametrize("width", [20, 40, 80])
def test_the_toolbar_tells_in_one_column_how_far_replies_are_written_ahead(width: int) -> None:
    status = Status("model", 100, 2000, 0, 12.0, "writing")
    line = toolbar(status, width)
    assert line.startswith(" ◔ ") and cells(line) <= width
    assert line[2:] == toolbar(replace(status, ahead=""), width - 2)
