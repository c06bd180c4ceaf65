"""What the player writes is wrapped at words, and the cursor stays where it is in the text."""

import itertools
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.layout import BufferControl
from prompt_toolkit.layout.processors import TransformationInput
from prompt_toolkit.utils import get_cwidth

from advrepl.terminal.word_wrap import WordWrap, filled
from tests.pty_play import Terminal
from tests.terminal.conftest import SMALL

TEXT = st.text(st.sampled_from("ab  c,世界é́\u0301🙂"), max_size=80)


def rows(text: str, width: int) -> list[str]:
    """The rows of a terminal that wraps anywhere, with the blanks that are only shown as dots."""
    shown, last = "", 0
    for place, count in filled(text, width):
        shown, last = shown + text[last:place] + "·" * count, place
    found, column = [""], 0
    for char in shown + text[last:]:
        if column + get_cwidth(char) > width:
            found, column = [*found, ""], 0
        found[-1] += char
        column += get_cwidth(char)
    return found


def test_rows_end_with_words() -> None:
    assert rows("I open the door very carefully", 10) == ["I open ···", "the door ·", "very ·····", "carefully"]
    assert rows("abcdefghijklmno pq", 10) == ["abcdefghij", "klmno pq"], "a word that fits no row is broken"
    assert rows("你好世界你好 世界 abc", 9) == ["你好世界·", "你好 世··", "界 abc"], "as its scripts are"
    assert rows("one", 10) == ["one"] and rows("", 10) == [""]


@given(TEXT, st.integers(4, 20))
def test_nothing_is_lost_and_no_word_that_fits_is_broken(text: str, width: int) -> None:
    found = rows(text, width)
    assert "".join(found).replace("·", "") == text
    for row, following in itertools.pairwise(found):
        left, right = row[-1:], following[:1]
        if left not in "· " and right != " " and not any(get_cwidth(char) == 2 for char in left + right if char):
            word = (row.split(" ")[-1] + following.split(" ")[0]).strip("·")
            assert sum(map(get_cwidth, word)) >= width or any(get_cwidth(char) != 1 for char in word)


@given(TEXT, st.integers(6, 20))
def test_each_place_in_the_text_has_its_place_on_the_screen(text: str, width: int) -> None:
    given_ = TransformationInput(BufferControl(Buffer()), Document(text), 0, lambda at: at, [("", text)], width, 9)
    made = WordWrap(2).apply_transformation(given_)
    shown = fragment_list_to_text(made.fragments) + " "
    for at, char in enumerate(text + " "):
        assert shown[made.source_to_display(at)] == char
        assert made.display_to_source(made.source_to_display(at)) == at
    places = [made.display_to_source(at) for at in range(len(shown))]
    assert places == sorted(places), "no way back"


def test_a_long_line_is_wrapped_at_its_words_while_it_is_written(
    open_terminal: Callable[..., Terminal],
) -> None:
    with open_terminal("play", *SMALL, columns=40) as terminal:
        terminal.ready()
        terminal.type("I open the door and look carefully whether anybody stands there.")
        terminal.until(lambda: "  whether anybody stands there." in terminal.lines)
        assert "> I open the door and look carefully" in terminal.lines
        assert terminal.screen.cursor.x == len("  whether anybody stands there.")
        terminal.resize(60, 24)
        terminal.until(lambda: "> I open the door and look carefully whether anybody stands" in terminal.lines)
