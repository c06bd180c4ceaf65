import io
import time

import pytest

from advrepl.play.events import Draft, Note, Reply, Slid, Verbatim
from advrepl.play.reply import Option, Piece
from advrepl.play.thoughts import Thought
from advrepl.terminal.clipboard import Copied
from advrepl.terminal.columns import Table
from advrepl.terminal.screen import Screen
from advrepl.terminal.theme import Capabilities
from tests.pty_play import PATIENCE

PLAIN = Capabilities(style=False, cursor=False)
FULL = Capabilities(style=True, cursor=True)


class Paper(io.StringIO):
    """A terminal of a fixed width, on paper."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def screen(self, capabilities: Capabilities = PLAIN) -> Screen:
        width = self.width

        class Fixed(Screen):
            @property
            def width(self) -> int:
                return width

        return Fixed(self, capabilities)

    def written(self) -> None:
        """Wait until something stands there."""
        end = time.monotonic() + PATIENCE
        while not self.getvalue():
            assert time.monotonic() < end
            time.sleep(0.01)


def shown(*events: object, width: int = 40, capabilities: Capabilities = PLAIN) -> str:
    paper = Paper(width)
    screen = paper.screen(capabilities)
    for event in events:
        screen.show(event)  # type: ignore[arg-type]
    screen.end()
    return paper.getvalue()


def test_thinking_is_counted_in_a_line_that_the_reply_takes() -> None:
    events = (Thought("hm", 1), Thought("hm, so", 2), Piece("Hello."))
    counted = "".join(f"\r\x1b[K\x1b[2mthinking… {n}\x1b[0m" for n in (1, 2))
    assert shown(*events, capabilities=FULL) == counted + "\r\x1b[K\nHello.\n"
    assert shown(*events) == "thinking…\n\nHello.\n"


def test_reply_is_a_paragraph_and_a_list() -> None:
    events = (
        *(Piece(" You enter the hall. "), Piece("A man looks at y"), Piece("ou.")),
        *(Option(1, "Go up."), Option(2, "Ask the man what he wants from you."), Option(3, "Run.")),
        Reply("You enter the hall. A man looks at you.", ("Go up.", "Ask the man what he wants from you.", "Run."), {}),
    )
    assert shown(*events) == (
        "\nYou enter the hall. A man looks at you.\n\n1. Go up.\n2. Ask the man what he wants from you.\n3. Run.\n"
    )
    assert shown(*events, width=20) == (
        "\nYou enter the hall. \nA man looks at you.\n"
        "\n1. Go up.\n2. Ask the man what \n   he wants from \n   you.\n3. Run.\n"
    )


def test_options_that_come_with_the_reply_only_are_shown_too() -> None:
    assert shown(Piece("A house."), Reply("A house.", ("In.", "Out."), {})) == "\nA house.\n\n1. In.\n2. Out.\n"


def test_lines_are_no_longer_than_can_be_read_well() -> None:
    words = "word " * 60
    for event in (Piece(words), Option(1, words), Note(words), Slid(2, words)):
        assert 80 < max(map(len, shown(event, width=200).split("\n"))) <= 90


def test_each_reply_counts_its_own_options() -> None:
    one = (Piece("A."), Option(1, "In."), Reply("A.", ("In.",), {}))
    assert shown(*one, *one) == "\nA.\n\n1. In.\n\nA.\n\n1. In.\n"


def test_words_are_shown_as_they_come() -> None:
    paper = Paper(40)
    screen = paper.screen()
    for piece, seen in (("You en", "You "), ("ter ", "You enter"), ("the", "You enter ")):
        screen.show(Piece(piece))
        assert paper.getvalue() == "\n" + seen


def test_interrupted_reply_shows_all_that_was_written() -> None:
    paper = Paper(40)
    screen = paper.screen()
    screen.show(Piece("You enter the ha"))
    screen.end()
    assert paper.getvalue() == "\nYou enter the ha\n"


def test_error_in_the_middle_of_a_reply_begins_a_line() -> None:
    paper = Paper(60)
    screen = paper.screen(FULL)
    screen.show(Piece("You enter"))
    screen.error("the disk is\x1b full\nnow")
    assert paper.getvalue() == "\nYou enter\n\x1b[91mthe disk is␛ full now\x1b[0m\n"


def test_end_of_memory_fits_one_line() -> None:
    line = shown(Slid(6, "You wake up in a house that\nis on fire and remember nothing of it."), width=80)
    assert line == "\n── memory now begins at “You wake up in a house that…” · 6 turns no longer seen\n"
    assert "1 turn no longer seen" in shown(Slid(1, "Go."), width=80)


def test_note_keeps_its_lines() -> None:
    assert shown(Note("name   value\n\n  two")) == "\nname   value\n\n  two\n"
    assert shown(Note("temperature  how bold the choice is"), width=24) == (
        "\ntemperature  how bold \n    the choice is\n"
    )


def test_actions_are_in_italics_and_options_have_bold_numbers() -> None:
    events = (Piece("*She no"), Piece("ds.* Yes, 2 *"), Piece(" 3."), Option(1, "*Go* up."))
    assert shown(*events, capabilities=FULL) == (
        "\n\x1b[3mShe nods.\x1b[23m Yes, 2 * 3.\n\n\x1b[1m1.\x1b[0m \x1b[3mGo\x1b[23m up.\n"
    )
    assert shown(*events) == "\n*She nods.* Yes, 2 * 3.\n\n1. *Go* up.\n"


def test_italics_end_with_the_reply() -> None:
    assert shown(Piece("She *nods"), Reply("", (), {}), capabilities=FULL) == "\nShe \x1b[3mnods\x1b[23m\n"


def test_verbatim_text_is_neither_wrapped_nor_indented() -> None:
    text = "<|user|>" + "a long line, " * 20 + "\n  - one  \n"
    assert shown(Verbatim(text)) == f"\n{text}\n"


@pytest.mark.parametrize(
    "event",
    [
        *(Piece("\x1b[2J"), Option(1, "\x1b[2J\n\x9b2J"), Reply("", ("\x1b[2J",), {})),
        *(Slid(2, "\x1b[2J"), Note("\x1b[2J"), Verbatim("\x1b[2J")),
        *(Table.of([("\x1b[2J", "\x9b")]), Copied("", "", "\x1b[2J"), Draft("\x1b[2J", "")),
    ],
)
def test_foreign_text_is_inert(event: object) -> None:
    text = shown(event)
    assert "␛[2J" in text and "\x1b" not in text and "\x9b" not in text


@pytest.mark.parametrize(
    ("environment", "capabilities"),
    [
        ({"TERM": "xterm-256color"}, FULL),
        ({"TERM": "xterm", "NO_COLOR": "1"}, Capabilities(style=False, cursor=True)),
        ({"TERM": "xterm", "NO_COLOR": ""}, FULL),
        ({"TERM": "dumb"}, PLAIN),
        ({"TERM": "dumb", "NO_COLOR": "1"}, PLAIN),
    ],
)
def test_what_a_terminal_can_do(environment: dict[str, str], capabilities: Capabilities) -> None:
    assert Capabilities.of(environment) == capabilities


def test_long_feeding_is_shown_and_wiped_before_the_first_word() -> None:
    paper = Paper(60)
    screen = paper.screen(FULL)
    screen.show_prefill(0, 200)
    assert paper.getvalue() == "", "nothing yet: most feeding is over by then"
    paper.written()
    screen.show_prefill(128, 200)
    screen.show_prefill(200, 200)
    screen.show(Piece("You enter "))
    assert paper.getvalue() == "\r\x1b[Kreading 200 tokens: 0%\r\x1b[Kreading 200 tokens: 64%\r\x1b[K\nYou enter"


def test_short_feeding_is_not_shown() -> None:
    paper = Paper(60)
    screen = paper.screen(FULL)
    screen.show_prefill(0, 200)
    screen.show_prefill(200, 200)
    time.sleep(1.2)
    assert paper.getvalue() == ""


def test_terminal_without_a_cursor_is_told_once() -> None:
    paper = Paper(60)
    screen = paper.screen(PLAIN)
    screen.show_prefill(0, 200)
    paper.written()
    screen.show_prefill(128, 200)
    screen.show_prefill(200, 200)
    assert paper.getvalue() == "reading 200 tokens: 0%\n"


def test_speech_has_a_colour_and_keeps_its_marks() -> None:
    said = shown(Piece('He says: "Come *in'), Piece('*!" You "do"'), Reply("", ("Say “no”.",), {}), capabilities=FULL)
    assert said == (
        '\nHe says: \x1b[32m"Come \x1b[3min\x1b[23m!"\x1b[39m You \x1b[32m"do"\x1b[39m\n'
        "\n\x1b[1m1.\x1b[0m Say \x1b[32m“no”\x1b[39m.\n"
    )


def test_without_a_style_the_programs_own_words_are_told_apart_by_marks() -> None:
    paper = Paper(80)
    screen = paper.screen(PLAIN)
    screen.notice("kept in x.json")
    screen.error("the disk is full")
    screen.show(Slid(1, "You enter"))
    assert paper.getvalue() == (
        "[kept in x.json]\nerror: the disk is full\n\n── memory now begins at “You enter” · 1 turn no longer seen\n"
    )


def test_for_a_screen_reader_options_are_announced_and_nothing_is_drawn() -> None:
    said = shown(Piece("A."), Reply("A.", ("In.",), {}), Slid(1, "A."), capabilities=Capabilities.of({}, plain=True))
    assert said == "\nA.\n\nYou can:\n1. In.\n\nmemory now begins at “A.” · 1 turn no \nlonger seen\n"
