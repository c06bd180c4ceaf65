"""/stats and /copy."""

import base64
import io

import pytest

from advrepl.play.game import Game
from advrepl.terminal import clipboard, commands
from advrepl.terminal.clipboard import Copied
from advrepl.terminal.screen import Screen
from advrepl.terminal.theme import Capabilities
from tests.terminal.commands.conftest import refused, told


def test_stats_begin_with_the_first_reply_of_the_session(game: Game) -> None:
    assert told(game, "/stats") == "no reply was written since the story was opened"
    list(commands.run(game, "/retry"))
    text = told(game, "/stats")
    assert "1, 0 of them begun before you asked" in text and "first word" in text
    assert not set(text) & set("▁▂▃▄▅▆▇█"), "words alone, for those who do not draw"


def test_copy_takes_the_last_reply_or_all(game: Game) -> None:
    (last,) = commands.run(game, "/copy")
    (whole,) = commands.run(game, "/copy all")
    assert isinstance(last, Copied) and last.content == "You stand in a hall."
    assert isinstance(whole, Copied) and whole.content == "> Start!\n\nA house.\n\n> Go in.\n\nYou stand in a hall."
    assert refused(game, "/copy x") == "/copy takes nothing, or all, not 'x'"


def test_a_terminal_is_asked_where_the_desktop_has_no_clipboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "command_for", lambda _: None)
    paper = io.StringIO()
    Screen(paper, Capabilities(style=False, cursor=True)).show(Copied.of("Grüße", "it"))
    code = base64.b64encode("Grüße".encode()).decode()
    assert paper.getvalue() == f"\x1b]52;c;{code}\x07[it is copied, if your terminal allows it]\n"
    assert clipboard.ask_terminal("x" * 100_000) == ""


def test_only_a_desktop_that_is_there_is_talked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name != "pbcopy" else None)
    assert clipboard.command_for({}) is None
    assert clipboard.command_for({"DISPLAY": ":0"}) == ("/bin/xclip", "-selection", "clipboard")
    assert clipboard.command_for({"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}) == ("/bin/wl-copy",)
