"""What the player changes: kept and saved whole, or refused and then nothing has changed."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.cards import character as cards
from advrepl.play.game import Game
from advrepl.story import saves
from advrepl.story.roleplay import scenario_of
from advrepl.terminal import commands
from advrepl.terminal.lines import understood
from tests.deterministic_engine import DeterministicEngine

NewGame = Callable[..., Game]
LONG = "word " * 400

MIRA = cards.Character(
    name="Mira",
    description="{{char}} ferries {{user}}. {{random:red,blue,green}} boat.",
    first_mes="Coin first, {{user}}.",
    alternate_greetings=("Go away, {{user}}.", "Hm."),
    post_history_instructions="Never leave the boat.",
    book={
        "entries": [
            {"keys": ["bridge"], "content": "The bridge is gone. {{incvar::gold}}", "extensions": {"sticky": 2}},
            {"keys": [], "constant": True, "content": "It is foggy. {{setvar::fog::1}}"},
        ]
    },
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world.json"
    entries = [
        {"keys": ["inn"], "content": "The inn is shut. {{setvar::inn::1}}"},
        {"keys": [], "constant": True, "content": "There is a war. {{setvar::war::1}} " + "war " * 40},
    ]
    path.write_text(json.dumps({"entries": entries}))
    return path


def begun(new_game: NewGame, n_ctx: int = 400) -> Game:
    game = new_game(DeterministicEngine(n_ctx), scenario=scenario_of(MIRA), character=MIRA, seed=3, max_tokens=20)
    list(game.open())
    return game


def do(game: Game, line: str) -> bool:
    """Do what the line says; False: it was refused."""
    taken = understood(line, game.options())
    try:
        list(commands.run(game, taken.text) if taken.is_command else game.act(taken.text))
    except AdvreplError:
        return False
    return True


def whole(game: Game) -> tuple[bytes, bytes, str, str]:
    """All that a refused change must not touch."""
    save = game.state.save
    turns = (len(game.story.turns), game.story.path)
    return msgspec.json.encode(save), game.file.path.read_bytes(), f"{game.window()}", f"{turns}"


def test_a_refused_memory_sets_no_variable(new_game: NewGame) -> None:
    game = begun(new_game)
    assert do(game, "/memory {{setvar::gold::7}}A debt.")
    before = whole(game)
    assert not do(game, "/memory {{setvar::gold::99}}" + LONG)
    assert whole(game) == before
    assert do(game, "/note {{getvar::gold}} coins") and game.scenario.injections["note"].text == "7 coins"


REFUSED = (
    "/memory {{setvar::gold::99}}{{roll:d1000}}" + LONG,
    "/you Ann: {{setvar::gold::99}}{{roll:d1000}}" + LONG,
    "/you mira",
    "/options 8",
    "/set max_tokens 0",
    "/set warmth 1",
    "/lore nowhere.json",
    "/note 0 {{setvar::gold::99}}",
    "/greeting 9",
    "{{setvar::gold::99}} The bridge? " + LONG,
)


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: line[:12])
@pytest.mark.parametrize("said", [False, True], ids=["at the greeting", "later"])
def test_a_refused_change_leaves_everything_as_it_was(new_game: NewGame, line: str, said: bool) -> None:
    game = begun(new_game, 260)
    if said:
        assert do(game, "Is there a bridge?")
    before = whole(game)
    assert not do(game, line)
    assert whole(game) == before
    assert do(game, "I go on.")


def test_a_refused_name_adds_no_greeting(new_game: NewGame) -> None:
    """The greeting that calls the player by it is a turn, and is taken back too."""
    game = begun(new_game)
    assert not do(game, "/you Ann: " + LONG)
    assert [turn.text for turn in game.story.turns] == ["Coin first, You."]
    assert do(game, "/you Ann") and [turn.text for turn in game.story.turns][1:] == ["Coin first, Ann."]


def test_books_without_end_leave_room_to_play(new_game: NewGame, world: Path) -> None:
    """What always applies takes what the rest of the head leaves, and no more."""
    game = begun(new_game, 200)
    for _ in range(9):
        assert do(game, f"/lore {world}")
    count = len(game.context.lore(game.state.save).entries)
    assert do(game, "I go on.")
    before = whole(game)
    assert not do(game, f"/memory {LONG}") and whole(game) == before
    assert len(game.context.lore(game.state.save).entries) == count


MACROS = ["{{setvar::gold::4}}", "{{incvar::gold}}", "{{roll:d6}}"]
WORDS = st.sampled_from(["bridge", "inn", "fog", *MACROS, "word " * 150])
TEXT = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
COMMANDS = st.one_of(
    TEXT.map("/memory {}".format),
    st.tuples(st.integers(1, 6), TEXT).map(lambda note: f"/note {note[0]} {note[1]}"),
    st.tuples(st.sampled_from(["Ann", "Bea", "mira"]), TEXT).map(lambda you: f"/you {you[0]}: {you[1]}"),
    st.integers(0, 9).map("/options {}".format),
    st.sampled_from(["/length short", "/length long", "/note off", "/memory off", "/lore WORLD", "/undo", "/retry"]),
    st.sampled_from(["/set temperature 1.2", "/set max_tokens 60", "/set max_tokens 400", "/set top_p 7"]),
    st.integers(1, 4).map("/greeting {}".format),
    TEXT,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(COMMANDS, max_size=12), n_ctx=st.sampled_from([200, 300, 600]))
def test_a_change_is_saved_whole_or_not_made(new_game: NewGame, world: Path, lines: list[str], n_ctx: int) -> None:
    game = begun(new_game, n_ctx)
    for line in lines:
        before, save = whole(game), game.state.save
        if do(game, line.replace("WORLD", str(world))):
            kept = saves.load(game.file.path)
            assert kept == msgspec.structs.replace(game.state.save, updated=kept.updated)
            assert game.state.save.head == game.story.head and game.state.save.turns is game.story.turns
        else:
            assert game.state.save == save and whole(game) == before
    game.file.close()


def test_what_the_lore_remembers_is_the_line_s_of_the_story(new_game: NewGame) -> None:
    """What began on a turn that is undone has never begun, and what was over then is not yet."""
    entry = {"keys": ["bridge"], "content": "It is gone.", "extensions": {"sticky": 5}}
    mira = msgspec.structs.replace(MIRA, book={"scan_depth": 1, "entries": [entry]})
    game = new_game(DeterministicEngine(400), scenario=scenario_of(mira), character=mira, seed=3, max_tokens=20)
    list(game.open())

    def remembered() -> list[dict[str, int]]:
        turns = saves.parse(game.file.path.read_bytes(), "it").turns
        found = [turns[at].lore_state for at in game.story.path if turns[at].role == "user"]
        return [state.started if state else {} for state in found]

    for line in ("To the bridge.", "On.", "On.", "On.", "The bridge!"):
        assert do(game, line)
    first = {"0.0": 2}  # at the second turn, and kept in the fourth and sixth
    assert remembered() == [first, first, {}, {}, {"0.0": 10}]
    end = game.story.head
    for _ in range(4):
        game.undo()
    assert do(game, "Back.") and remembered() == [first, first]
    game.state.goto(end)
    assert do(game, "On.") and remembered()[-2:] == [{"0.0": 10}] * 2
