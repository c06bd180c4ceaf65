import re
from collections.abc import Callable, Iterator

import pytest

from advrepl import AdvreplError
from advrepl.play.events import Note, Reply
from advrepl.play.game import Game
from advrepl.story import saves
from advrepl.terminal import commands
from advrepl.terminal.commands import COMMANDS, Quit
from tests.conftest import ScriptedEngine

OPENING = ("A house.", " Go in.\n", " Leave.\n", " Knock.\n")
HALL = ("You stand in a hall.", " Climb the stairs.\n", " Open the door.\n", " Shout.\n")
CELLAR = ("You fall into a cellar.", " Look around.\n", " Feel your way.\n", " Sleep.\n")


@pytest.fixture
def game(new_game: Callable[..., Game]) -> Iterator[Game]:
    """A story with an opening and one turn, and one more reply to come."""
    game = new_game(ScriptedEngine(*OPENING, *HALL, *CELLAR, grammars=True))
    list(game.open())
    list(game.act("1"))
    yield game
    game.file.close()


def told(game: Game, line: str) -> str:
    """All that a command says."""
    return "\n".join(event.text for event in commands.run(game, line) if isinstance(event, Note))


def refused(game: Game, line: str) -> str:
    with pytest.raises(AdvreplError) as error:
        list(commands.run(game, line))
    assert "\n" not in str(error.value)
    return str(error.value)


# --- the table


def test_every_command_has_help_of_one_line() -> None:
    for entry in COMMANDS.values():
        assert entry.help.endswith("."), entry.name
        assert len(f"{entry.name} {entry.help}") < 110


def test_no_two_commands_share_a_name() -> None:
    names = [name for entry in COMMANDS.values() for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))


def test_help_lists_every_command_and_the_keys(game: Game) -> None:
    text = told(game, "/help")
    for entry in COMMANDS.values():
        assert re.search(rf"^/{entry.name}\b.* {re.escape(entry.help)}", text, re.MULTILINE)
    assert "Alt-Enter" in text and "Ctrl-C" in text


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/rety", "did you mean /retry?"),
        ("/con", "did you mean /continue or /context?"),
        ("/UNDO", "did you mean /undo?"),
        ("/", "/help lists those there are"),
        ("/xyzzy 1", "/help lists those there are"),
        ("/" + "x" * 1000, "/help lists those there are"),
    ],
)
def test_unknown_command_names_the_nearest(game: Game, line: str, hint: str) -> None:
    sentence = refused(game, line)
    assert sentence.startswith("there is no command /") and hint in sentence and len(sentence) < 150


def test_command_without_arguments_refuses_them(game: Game) -> None:
    assert refused(game, "/undo 3") == "/undo takes nothing after its name"
    assert len(game.story.path) == 4


def test_two_slashes_say_one(game: Game) -> None:
    assert commands.is_command("//wave at him")
    list(commands.run(game, "//wave at him"))
    assert [turn.text for turn in game.story.told()][-2] == "/wave at him"


def test_nothing_happens_before_the_first_event(game: Game) -> None:
    commands.run(game, "/undo")
    assert len(game.story.path) == 4
    with pytest.raises(Quit):
        list(commands.run(game, "/q"))


# --- the story


def test_undo_says_what_was_taken_back_and_what_is_on_offer(game: Game) -> None:
    assert told(game, "/undo") == "taken back: Go in.\n1. Go in.\n2. Leave.\n3. Knock."
    assert refused(game, "/undo") == "this is where the story begins; there is nothing to take back"


def test_retry_writes_another_take(game: Game) -> None:
    reply = list(commands.run(game, "/retry"))[-1]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.options) == ("You fall into a cellar.", ("Look around.", "Feel your way.", "Sleep."))
    assert len(game.story.path) == 4 and len(game.story.turns) == 5


def test_continue_adds_to_the_reply(game: Game) -> None:
    reply = list(commands.run(game, "/c"))[-1]
    assert isinstance(reply, Reply)
    assert reply.text.startswith("You stand in a hall.") and reply.text.endswith("You fall into a cellar.")


def test_save_says_where(game: Game) -> None:
    game.file.path.unlink()
    assert told(game, "/save") == f"saved in {game.file.path}"
    assert [turn.text for turn in saves.load(game.file.path).turns][2] == "Go in."


def test_raw_is_the_exact_prompt(game: Game) -> None:
    assert told(game, "/raw") == (
        "<|system|>This is a text adventure game. "
        "Describe the scenario to the user and give him three options to pick from on each turn.<|user|>Start!<|model|>"
        "A house.\n- Go in.\n- Leave.\n- Knock.<|user|>Go in.<|model|>"
        "You stand in a hall.\n- Climb the stairs.\n- Open the door.\n- Shout."
    )


def test_context_adds_up(game: Game) -> None:
    rows = dict(re.split(r"  +", row, maxsplit=1) for row in told(game, "/context").split("\n"))
    window = game.window()
    assert rows["tokens used"] == f"{window.used} of {window.budget}"
    assert rows["turns seen"] == "4" and rows["no longer seen"] == "0"
    assert rows["system text"] == "24 tokens, always seen"
    assert rows["context"] == f"2000 tokens, {2000 - window.budget} of them kept free for the reply"


def test_context_counts_the_turns_that_are_gone(new_game: Callable[..., Game]) -> None:
    replies = [" ".join(f"word{number}-{reply}" for number in range(30)) for reply in range(4)]
    game = new_game(ScriptedEngine(*replies, n_ctx=200), max_tokens=40)
    game.option_count = 0
    list(game.open())
    for line in ("one", "two", "three"):
        list(game.act(line))
    gone = game.window().evicted
    assert gone > 0
    assert re.search(rf"^no longer seen +{gone}$", told(game, "/context"), re.MULTILINE)


# --- settings


def test_options_can_be_shown_and_changed(game: Game) -> None:
    assert told(game, "/options") == ("3 options after each reply\n1. Climb the stairs.\n2. Open the door.\n3. Shout.")
    assert told(game, "/options 0") == "no options after a reply"
    assert game.options() == () and saves.load(game.file.path).scenario.options == 0


@pytest.mark.parametrize("wrong", ["9", "-1", "two", "2.5", "²"])
def test_wrong_number_of_options_is_refused(game: Game, wrong: str) -> None:
    assert refused(game, f"/options {wrong}") == f"/options takes a whole number from 0 to 8, not {wrong!r}"
    assert game.option_count == 3


def test_setting_that_leaves_no_room_is_taken_back(new_game: Callable[..., Game]) -> None:
    game = new_game(ScriptedEngine(*OPENING, *HALL, n_ctx=280, grammars=True), max_tokens=20)
    list(game.open())
    assert "the context has room for" in refused(game, "/options 8")
    assert game.option_count == 3
    list(game.act("on"))  # and the story goes on
