"""A character's picture when a story opens, and /portrait: at real pseudo-terminals, in pipes, and without Pillow."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from advrepl.cards import card_files
from advrepl.play.events import Picture
from advrepl.play.game import Game
from advrepl.program import install
from advrepl.story import save_file, saves
from advrepl.terminal import commands
from advrepl.terminal.commands import portrait
from tests.card_files import END, HEAD
from tests.conftest import ScriptedEngine
from tests.pty_play import Terminal
from tests.terminal.commands.conftest import refused, told
from tests.terminal.test_pictures import bomb, flag, saved
from tests.terminal.test_pipe import Program, events

CARD = {"name": "Ada", "description": "An engineer.", "first_mes": "Good morning. Mind the gears."}
QUICK = ("--threads", "1", "--ctx", "512", "--max-tokens", "8")
GRAPHICS = re.compile(rb"\x1b_G|\x1bP|\x1b\]1337|\xe2\x96[\x80\x84]")


def with_card(picture: bytes) -> bytes:
    return card_files.embed(picture, {"chara": json.dumps(CARD).encode()})


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "Ada.png"
    path.write_bytes(with_card(saved(flag(300, 450))))
    return path


@pytest.fixture
def play(tmp_path: Path, smollm2: Path, card: Path) -> Callable[..., Terminal]:
    def start(*arguments: str, columns: int = 80, **environment: str) -> Terminal:
        own = {"ADVREPL_HOME": str(tmp_path / "home"), "ADVREPL_SAVES": str(tmp_path), "ADVREPL_MODEL": str(smollm2)}
        arguments = arguments or ("play", str(card), *QUICK)
        return Terminal(*arguments, columns=columns, rows=30, **own | {"COLORTERM": "truecolor"} | environment)

    return start


def painted(terminal: Terminal) -> dict[tuple[int, int], tuple[str, str]]:
    """Colours of the half blocks on the screen, by column and row."""
    screen = terminal.screen
    cells = {(x, y): screen.buffer[y][x] for y in range(screen.lines) for x in range(screen.columns)}
    return {place: (cell.fg, cell.bg) for place, cell in cells.items() if cell.data in "▀▄" and cell.data}


# --- at a terminal


@pytest.mark.parametrize(("columns", "width", "height"), [(80, 26, 20), (40, 13, 10)])
def test_the_picture_opens_the_story(play: Callable[..., Terminal], columns: int, width: int, height: int) -> None:
    with play(columns=columns) as terminal:
        terminal.until("Mind the gears.")
        terminal.ready()
        cells = painted(terminal)
        left, right = min(x for x, _ in cells), max(x for x, _ in cells)
        top, bottom = min(y for _, y in cells), max(y for _, y in cells)
        assert (right + 1, bottom - top + 1) == (width, height)
        assert left == pytest.approx(width / 3, abs=1), "a third of it is transparent"
        assert cells[right, top] == ("ff0000", "ff0000") and cells[right, bottom] == ("0000ff", "0000ff")
        said = next(y for y, line in enumerate(terminal.lines) if "Good morning" in line)
        assert said == bottom + 2, "one empty line"
        terminal.press("ctrl-d")
        assert terminal.left() == 0
        assert "[?" not in terminal.text and "�" not in terminal.text


def test_a_resumed_story_shows_it_too_and_keys_are_not_lost(play: Callable[..., Terminal], card: Path) -> None:
    with play() as terminal:
        terminal.ready()
        terminal.line("/save")
        terminal.until("saved in")
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    with play("resume", *QUICK) as terminal:
        terminal.wait(0.2)
        terminal.type("typed ahead")
        terminal.until("> typed ahead")
        assert painted(terminal)
        terminal.press("ctrl-c")
        before = len(terminal.raw)
        terminal.line("/portrait")
        terminal.until(lambda: terminal.raw[before:].count("▀".encode()) > 100)
        terminal.ready()
        card.unlink()
        terminal.line("/portrait")
        terminal.until("the card of this story cannot be read any more: there is no file")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    with play("resume", *QUICK) as terminal:
        terminal.until("Mind the gears.")
        terminal.ready()
        assert not painted(terminal) and "Ada.png" not in terminal.text


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        ({"KITTY_WINDOW_ID": "1"}, b"\x1b_Ga=T,f=100,c=26,r=20,C=1,q=2,m="),
        ({"TERM_PROGRAM": "WezTerm"}, b"\x1b]1337;File=inline=1;"),
        ({"TERM": "foot"}, b'\x1bP0;1;0q"1;1;260;400'),
    ],
)
def test_graphics_where_the_terminal_has_them(
    play: Callable[..., Terminal], environment: dict[str, str], mark: bytes
) -> None:
    with play(**environment) as terminal:
        terminal.until(lambda: b"Mind the" in terminal.raw)
        assert terminal.raw.count(mark) == 1 and "▀".encode() not in terminal.raw


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"NO_COLOR": "1"}, "this terminal shows no colors, and so no pictures"),
        ({"TERM": "dumb"}, "this terminal shows no colors, and so no pictures"),
        ({"ADVREPL_PICTURES": "off"}, "pictures are off: ADVREPL_PICTURES says so"),
    ],
)
def test_no_picture_where_it_is_not_wanted(
    play: Callable[..., Terminal], environment: dict[str, str], reason: str
) -> None:
    with play(**environment) as terminal:
        terminal.ready()
        assert "pictures" not in terminal.text
        terminal.line("/portrait")
        terminal.until(reason)
        assert not GRAPHICS.search(terminal.raw)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (HEAD + END, "the picture cannot be shown: "),
        (bomb(60_000, 60_000), "the picture is far too large: 40,000,000 pixels are the most"),
    ],
)
def test_a_bad_picture_is_skipped_at_first_and_told_when_asked(
    play: Callable[..., Terminal], card: Path, picture: bytes, reason: str
) -> None:
    card.write_bytes(with_card(picture))
    with play() as terminal:
        terminal.until("Mind the gears.")
        terminal.ready()
        assert "the picture" not in terminal.text and not GRAPHICS.search(terminal.raw)
        terminal.line("/portrait")
        terminal.until(reason)
        terminal.ready()
        assert "Traceback" not in terminal.text


# --- elsewhere


def test_pipes_get_a_word_and_no_picture(tmp_path: Path, card: Path) -> None:
    program = Program(tmp_path)
    how = ("play", str(card), *QUICK)
    code, out, err = program.run(*how, lines=b"/save\n/portrait\n")
    assert code == 0 and "Mind the gears." in out
    assert err.endswith("the picture can only be seen at a terminal\n") and "\x1b" not in out + err
    code, out, _ = program.run(*how, "--json", lines=b"/save\n/portrait\n")
    assert events(out)[-1] == {"event": "note", "text": "the picture can only be seen at a terminal"}


def test_the_card_is_found_from_anywhere(tmp_path: Path, card: Path) -> None:
    program = Program(tmp_path)
    program.run("play", str(Path("tests") / ".." / "tests"), lines=b"")  # a folder is no card
    program.run("play", str(card), *QUICK, lines=b"/save\n")
    program.run("play", "brindle", *QUICK, lines=b"/save\n")
    assert saves.load(program.saves / "ada.json").card_path == str(card)
    assert saves.load(program.saves / "brindle.json").card_path == ""


def test_without_pillow_only_portrait_says_so(tmp_path: Path, card: Path, smollm2: Path) -> None:
    code = "import sys; sys.modules['PIL'] = None; from advrepl.cli import main; main()"
    own = {"ADVREPL_HOME": str(tmp_path), "ADVREPL_SAVES": str(tmp_path), "ADVREPL_MODEL": str(smollm2)}
    command = [sys.executable, "-c", code, "play", str(card), *QUICK]
    result = subprocess.run(command, input="/save\n/portrait\n", text=True, capture_output=True, timeout=120, env=own)
    assert result.returncode == 0
    assert result.stderr.splitlines()[-1:] == [f"pictures need one more package: {install('advrepl[pictures]')}"]


# --- which picture


@pytest.fixture
def game_of(new_game: Callable[..., Game]) -> Callable[[Path], Game]:
    """Makes games that began with this card."""

    def make(card: Path) -> Game:
        game = new_game(ScriptedEngine())
        game.save()
        game.file.close()
        save = replace(saves.load(game.file.path), card_path=str(card))
        return Game(game.engine, game.format, save, save_file.SaveFile(game.file.path))

    return make


def test_stories_without_a_card_have_no_picture(new_game: Callable[..., Game]) -> None:
    assert told(new_game(ScriptedEngine()), "/portrait") == "The old house has no picture"


def test_a_card_may_have_no_picture(game_of: Callable[[Path], Game], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "Ada"}')
    game = game_of(tmp_path / "a.json")
    assert told(game, "/portrait") == "The old house has no picture" and portrait.opening_picture(game) is None


def test_a_card_that_is_gone_is_told_when_asked(game_of: Callable[[Path], Game], tmp_path: Path) -> None:
    game = game_of(tmp_path / "gone.png")
    assert portrait.opening_picture(game) is None
    sentence = refused(game, "/portrait")
    assert sentence.startswith("the card of this story cannot be read any more: there is no file ")
    assert "gone.png" in sentence


def test_a_picture_comes_without_the_card(game_of: Callable[[Path], Game], card: Path) -> None:
    game = game_of(card)
    event = next(iter(commands.run(game, "/portrait")))
    assert isinstance(event, Picture) and event.data == saved(flag(300, 450)) == portrait.opening_picture(game)
