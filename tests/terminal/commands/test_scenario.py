"""The commands that change who plays and what the model is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.cards.character import Character
from advrepl.play.game import Game
from advrepl.story import saves
from advrepl.story.roleplay import scenario_of
from advrepl.story.scenario import LIGHTHOUSE
from advrepl.terminal import commands
from tests.conftest import ScriptedEngine
from tests.terminal.commands.conftest import told

MIRA = Character(
    name="Mira",
    description="{{char}} ferries {{user}}.",
    first_mes="Coin first, {{user}}.",
    alternate_greetings=("*She looks up.* " + "A long story. " * 10,),
    book={"entries": [{"keys": ["bridge"], "content": "The bridge is gone."}]},
)


@pytest.fixture
def game(new_game: Callable[..., Game]) -> Iterator[Game]:
    game = new_game(ScriptedEngine("She nods.", "She waits."), scenario=scenario_of(MIRA), character=MIRA)
    list(game.open())
    yield game
    game.close()


def kept(game: Game) -> saves.Save:
    return saves.load(game.file.path)


def test_you_gives_the_player_a_name_and_a_persona(game: Game) -> None:
    assert told(game, "/you") == "you are You"
    assert told(game, "/you Ann: a thief: small") == "you are Ann: a thief: small"
    assert game.scenario.system == "Mira ferries Ann." and kept(game).scenario.persona == "a thief: small"
    assert told(game, "/you Bea") == "you are Bea"
    with pytest.raises(AdvreplError, match="mira is who the model speaks as"):
        told(game, "/you mira")
    assert game.scenario.you == "Bea"


def test_greeting_lists_and_chooses(game: Game) -> None:
    first, second = told(game, "/greeting").split("\n")
    assert first == "1. Coin first, You." and second.startswith("2. *She looks up.*") and second.endswith("…")
    list(commands.run(game, "/greeting 2"))
    assert game.story.path_turns()[0].text.startswith("*She looks up.*")
    with pytest.raises(AdvreplError, match="takes the number of a greeting, not 'two'"):
        told(game, "/greeting two")


def test_an_adventure_has_no_greetings(new_game: Callable[..., Game]) -> None:
    game = new_game(ScriptedEngine(), scenario=LIGHTHOUSE, format="pygmalion")
    list(game.open())
    with pytest.raises(AdvreplError, match="nobody greets"):
        told(game, "/greeting")


def test_length_is_one_of_three_and_may_be_shortened(game: Game) -> None:
    assert told(game, "/length") == "replies are long" and told(game, "/length s") == "replies are short"
    assert kept(game).scenario.length == "short" and "generate short responses" in str(game.window().prompt)
    with pytest.raises(AdvreplError, match="/length is short, medium, long, not 'huge'"):
        told(game, "/length huge")


def test_a_note_is_told_from_the_next_turn_on(game: Game) -> None:
    assert told(game, "/note") == "there is no note"
    assert told(game, "/note 2 {{char}} is cross.") == "the note, every 2 turns: Mira is cross."
    list(game.act("Hello."))
    assert str(game.window().prompt).count("<|system|>Mira is cross.<|user|>Hello.") == 1
    told(game, "/note off")
    assert "cross" not in str(game.window().prompt) and not kept(game).scenario.injections
    for wrong, error in (("/note 0 x", "depth of a note is 1 to 999"), ("/note 3", "has no text")):
        with pytest.raises(AdvreplError, match=error):
            told(game, wrong)


def test_memory_stands_in_the_head(game: Game) -> None:
    assert told(game, "/memory") == "there is no memory"
    assert told(game, "/memory Ann owes a coin.") == "never forgotten: Ann owes a coin."
    assert "Ann owes a coin." in str(game.window().prompt.head[0])
    assert told(game, "/memory off") == "there is no memory"


def test_lore_shows_what_was_told_and_takes_more(game: Game, tmp_path: Path) -> None:
    assert told(game, "/lore") == "entries of lore: 1"
    list(game.act("Where is the bridge?"))
    assert told(game, "/lore") == "entries of lore: 1\nThe bridge is gone."
    path = tmp_path / "my world.json"
    path.write_text('{"entries": [{"keys": ["inn"], "content": "The inn is shut."}]}')
    assert told(game, f"/lore {path}").startswith("entries of lore: 2")
    list(game.act("To the inn!"))
    assert "The inn is shut." in told(game, "/lore") and kept(game).books[0].entries[0].keys == ("inn",)
    with pytest.raises(AdvreplError, match="there is no file"):
        told(game, "/lore nowhere.json")
