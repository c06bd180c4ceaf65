import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from advrepl.play.game import Game
from advrepl.story.tree import Turn
from advrepl.terminal.completing import Completions
from advrepl.terminal.editor import LineEditor
from advrepl.terminal.history import MOST_OFFERED, History
from advrepl.terminal.theme import THEMES
from tests.conftest import ScriptedEngine

UP, DOWN, ALT_ENTER, ENTER = "\x1b[A", "\x1b[B", "\x1b\r", "\r"
CTRL_C, CTRL_D, CTRL_P, CTRL_N, CTRL_R, CTRL_G = "\x03", "\x04", "\x10", "\x0e", "\x12", "\x07"
IN, AWAY, RUN = "Go inside the house.", "Ignore the call and move away.", "Run as fast as you can."


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
        yield keyboard


@pytest.fixture
def house(new_game: Callable[..., Game]) -> Game:
    """The old house, with its three options on offer."""
    game = new_game(ScriptedEngine(), format="pygmalion")
    list(game.open())
    return game


@pytest.fixture
def type_keys(keyboard: PipeInput, house: Game, tmp_path: Path) -> Callable[..., str]:
    editor = LineEditor(house, tmp_path / "home" / "history", theme=THEMES["dark"])

    def type_keys(*keys: str) -> str:
        keyboard.send_text("".join(keys))
        line = editor.read()
        assert not line.is_number, "the screen shows the words"
        assert line.is_command == (line.text == "/retry" or line.text.startswith("/set "))
        return line.text

    return type_keys


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["look around"], "look around"),
        (["1"], IN),
        (["2."], AWAY),
        (['"4"'], '"4"'),
        ([DOWN], IN),
        ([DOWN, DOWN, DOWN], RUN),
        ([DOWN, DOWN, DOWN, DOWN], ""),
        ([UP], RUN),
        ([UP, UP, DOWN], RUN),
        ([DOWN, "\x7f", "!"], IN[:-1] + "!"),
        (["one", ALT_ENTER, "two"], "one\ntwo"),
        (["\x1b[200~one\r\ntwo\nthree\x1b[201~"], "one\ntwo\nthree"),
        (["half a line", CTRL_C, "whole"], "whole"),
        ([CTRL_C, CTRL_C, "whole"], "whole"),
        (["slow\t"], "slow"),
        (["fast\t"], RUN),
        (["\x1b/ret\t"], "/retry"),  # a needless Esc takes no letter away
        (["\x1b2"], AWAY),
        (["/ret\t"], "/retry"),
        (["/set top_\t"], "/set top_"),
        (["/set rep\teat_la\t"], "/set repeat_last_n"),
        (["é界", "\x1b[D", "x"], "éx界"),
        (["a\x1b[I", "b\x1b[O", "c"], "abc"),  # the window has the focus, and no longer
        (["abc", "\x1b[98;5u", "d", "\x1b[13;2u", "e"], "abd\nec"),  # Ctrl-B, Shift-Enter as kitty spells them
    ],
)
def test_keys_make_a_line(type_keys: Callable[..., str], keys: list[str], line: str) -> None:
    assert type_keys(*keys, ENTER) == line


def test_left_and_right_go_through_the_takes(house: Game, keyboard: PipeInput, tmp_path: Path) -> None:
    editor = LineEditor(house, tmp_path / "history", theme=None)
    keyboard.send_text("\x1b[C" + "\x1b[D" + "no other take" + ENTER)
    assert editor.read().text == "no other take"
    house.state.add(Turn(house.story.path[-2], "model", "A barn."))
    keyboard.send_text("\x1b[C" + "\x1b[D")
    line = editor.read()
    assert (line.text, line.is_command) == ("/takes 3 1", True)


def test_a_draft_stands_in_the_line(keyboard: PipeInput, house: Game, tmp_path: Path) -> None:
    keyboard.send_text("!" + ENTER)
    assert LineEditor(house, tmp_path / "history", theme=None).read(draft="/edit 2 A barn").text == "/edit 2 A barn!"


def test_history_is_reached_beside_the_options(type_keys: Callable[..., str]) -> None:
    type_keys("first", ENTER)
    type_keys("second", ENTER)
    assert type_keys(CTRL_P, CTRL_P, ENTER) == "first"
    assert type_keys(CTRL_P, CTRL_P, CTRL_P, CTRL_N, ENTER) == "second"
    assert type_keys("typed", UP, ENTER) == "second", "once something else is written the arrows are for the history"


def test_arrows_are_for_the_history_without_options(
    house: Game, keyboard: PipeInput, type_keys: Callable[..., str]
) -> None:
    house.set_option_count(0)
    type_keys("first", ENTER)
    assert type_keys(UP, ENTER) == "first"
    assert type_keys("1", ENTER) == "1"


def test_picked_option_is_in_the_history_with_its_words(type_keys: Callable[..., str]) -> None:
    type_keys("3", ENTER)
    assert type_keys(CTRL_P, ENTER) == RUN


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ([CTRL_R, "fir", ENTER], "first"),
        ([CTRL_R, "fir", ENTER, "!"], "!first"),
        ([CTRL_R, "s", CTRL_R, ENTER], "first"),
        (["typed", CTRL_R, "fir", CTRL_C, "!"], "typed!"),
        (["typed", CTRL_R, "s", CTRL_R, CTRL_R, CTRL_G, "!"], "typed!"),
        ([CTRL_P, "\x01", CTRL_R, "s", CTRL_R, CTRL_C, "!"], "!second"),
        ([CTRL_R, "nowhere", ENTER, "!"], "!"),
    ],
)
def test_search_takes_what_it_has_found_or_leaves_the_line(
    type_keys: Callable[..., str], keys: list[str], line: str
) -> None:
    type_keys("first", ENTER)
    type_keys("second", ENTER)
    assert type_keys(*keys, ENTER) == line


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ([CTRL_R, "fir", ENTER, "!"], "!first"),
        (["typed", CTRL_R, "fir", CTRL_C, "!"], "typed!"),
        ([CTRL_R, CTRL_G, "whole"], "whole"),
        (["typed", "\x1b", CTRL_C, "whole"], "whole"),
    ],
)
def test_with_vi_keys_a_line_is_written_on_after_a_search(
    keyboard: PipeInput, house: Game, tmp_path: Path, keys: list[str], line: str
) -> None:
    editor = LineEditor(house, tmp_path / "history", theme=THEMES["dark"], vi=True)
    for typed in (["first"], keys):
        keyboard.send_text("".join([*typed, ENTER]))
        read = editor.read().text
    assert read == line


def test_control_d_leaves_on_an_empty_line_only(type_keys: Callable[..., str]) -> None:
    assert type_keys("ab", "\x01", CTRL_D, ENTER) == "b"
    with pytest.raises(EOFError):
        type_keys(CTRL_D)


def test_long_line_without_paste_brackets(keyboard: PipeInput, type_keys: Callable[..., str]) -> None:
    text = "word " * 20_000
    typist = threading.Thread(target=keyboard.send_text, args=[text + ENTER])  # the pipe holds less than that
    typist.start()
    assert type_keys() == text.strip()
    typist.join()


def test_option_with_escape_characters_is_shown_inert(house: Game, type_keys: Callable[..., str]) -> None:
    house.state.add(Turn(house.story.head, "user", "on"))
    house.state.add(Turn(house.story.head, "model", "Red.\n- \x1b[31mBleed.\n- Heal."))
    assert type_keys(DOWN, ENTER) == type_keys("1", ENTER) == "\x1b[31mBleed.", "what is said is the option itself"
    assert type_keys(CTRL_P, " ", ENTER) == "␛[31mBleed."


def test_an_option_that_looks_like_a_number_or_a_command_is_said(house: Game, type_keys: Callable[..., str]) -> None:
    house.state.add(Turn(house.story.head, "user", "on"))
    house.state.add(Turn(house.story.head, "model", "Choose.\n- 2\n- /quit\n- //x"))
    assert [type_keys(number, ENTER) for number in "123"] == ["2", "/quit", "//x"]
    assert [type_keys(*[DOWN] * times, ENTER) for times in (1, 2)] == ["2", "/quit"]


# --- history file


def test_of_a_history_of_many_years_the_newest_lines_are_offered(tmp_path: Path) -> None:
    path, count = tmp_path / "history", MOST_OFFERED + 500
    path.write_text("".join(f"\n# now\n+line {number}\n" for number in range(count)))
    lines = list(History(path).load_history_strings())
    assert (len(lines), lines[0], lines[-1]) == (MOST_OFFERED, f"line {count - 1}", "line 500")


def test_history_survives(tmp_path: Path) -> None:
    path = tmp_path / "home" / "history"
    History(path).store_string("two\nlines \udcff é")
    assert list(History(path).load_history_strings()) == ["two\nlines ? é"]


def test_pasted_book_stays_out_of_the_history_file(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    history.store_string("x" * 100_000)
    assert list(history.load_history_strings()) == []


def test_history_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    history = History(tmp_path / "home" / "history")
    history.store_string("look")
    assert list(history.load_history_strings()) == []


# --- completion


@pytest.mark.parametrize(
    ("text", "tab", "offered"),
    [
        ("/re", False, ["/retry", "/redo", "/recap"]),
        ("/co", False, ["/continue", "/context", "/copy"]),
        ("/retry", False, []),
        ("/set mirostat", False, ["mirostat_tau", "mirostat_eta"]),
        ("go", False, []),
        ("go", True, [IN]),
        ("AS", True, [RUN]),
        ("go inside the", True, [IN]),
        ("", True, [IN, AWAY, RUN]),
        ("inside go", True, []),
    ],
)
def test_completion(text: str, tab: bool, offered: list[str]) -> None:
    event: Any = CompleteEvent(completion_requested=tab, text_inserted=not tab)
    completions = Completions(lambda: (IN, AWAY, RUN)).get_completions(Document(text), event)
    assert [completion.text for completion in completions] == offered
