"""/set and /preset: the sampling parameters of a story that is being played."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from advrepl import AdvreplError, paths
from advrepl.play.game import Game
from advrepl.sampling import presets
from advrepl.sampling.params import PARAMETERS, Sampling
from advrepl.story import saves
from advrepl.terminal import commands
from advrepl.terminal.choosing import Pick
from advrepl.terminal.completing import Completions
from tests.conftest import ScriptedEngine
from tests.terminal.commands.conftest import refused, told


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the player's own presets."""
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    paths.presets_folder().mkdir(parents=True)
    return paths.presets_folder()


@pytest.fixture
def game(new_game: Callable[..., Game], own: Path) -> Iterator[Game]:
    """A story that has begun, and replies to come."""
    game = new_game(ScriptedEngine(*["A house."] * 5, n_ctx=600))
    game.story.say("user", "Start!")
    yield game
    game.file.close()


def test_they_stand_in_their_place_in_the_help() -> None:
    names = list(commands.COMMANDS)
    place = names.index("set")
    assert names[place - 1 : place + 4] == ["delete", "set", "ban", "preset", "length"]


# --- /set


def test_every_parameter_can_be_set_and_is_explained(game: Game) -> None:
    table = told(game, "/set")
    for name, each in PARAMETERS.items():
        shown = re.escape(each.show(getattr(game.sampling, name)))
        assert re.search(rf"^{name} +{shown} +{re.escape(each.meaning)}", table, re.MULTILINE)
    for name, each in PARAMETERS.items():
        assert told(game, f"/set {name} default") == f"{name} is {each.show(each.default)}"
        if each.off is not None:
            assert told(game, f"/set {name} off") == f"{name} is {each.show(each.off)}"
            assert getattr(game.sampling, name) == each.off


def test_phrases_are_banned_and_allowed_again(game: Game) -> None:
    assert told(game, "/ban") == "no phrase is banned"
    assert told(game, "/ban shivers  down") == "banned: shivers down"
    assert told(game, "/ban orbs") == "banned: shivers down, orbs"
    assert told(game, "/ban SHIVERS DOWN") == "banned: shivers down, orbs"
    assert saves.load(game.file.path).bans == ("shivers down", "orbs")
    assert told(game, "/ban off Orbs") == "banned: shivers down"
    for line, said in (("/ban off orbs", "'orbs' is not banned"), ("/ban !", "'!' cannot be banned")):
        with pytest.raises(AdvreplError, match=said):
            told(game, line)
    assert told(game, "/ban off") == "no phrase is banned"


@pytest.mark.parametrize(
    ("line", "said", "name", "value"),
    [
        ("/set loop_guard off", "loop_guard is 0", "loop_guard", 0),
        ("/set loop_guard on", "loop_guard is 9", "loop_guard", 9),
        ("/set stop-at-name on", "stop_at_name is 1", "stop_at_name", 1),
        ("/set temperature 1.25", "temperature is 1.25", "temperature", 1.25),
        ("/set top-k 20", "top_k is 20", "top_k", 20),
        ("/set TOP_P off", "top_p is 1", "top_p", 1.0),
        ("/set rep_pen 1.2", "repeat_penalty is 1.2", "repeat_penalty", 1.2),
        ("/set repeat_last 64", "repeat_last_n is 64", "repeat_last_n", 64),
        ("/set seed 7", "seed is 7", "seed", 7),
        ("/set seed random", "seed is random", "seed", None),
        ("/set min_p default", "min_p is 0.05", "min_p", 0.05),
        ('/set logit_bias {"dragon": -5}', 'logit_bias is {"dragon":-5.0}', "logit_bias", {"dragon": -5.0}),
        ("/set logit_bias off", "logit_bias is {}", "logit_bias", {}),
    ],
)
def test_values_are_set_and_saved(game: Game, line: str, said: str, name: str, value: object) -> None:
    assert told(game, line) == said
    assert getattr(game.sampling, name) == value
    saved = saves.load(game.file.path).sampling
    assert saved.get(name, getattr(Sampling(), name)) == value


def test_value_reaches_the_engine(game: Game) -> None:
    told(game, "/set temperature 0.25")
    list(game.act("on"))
    engine = game.engine
    assert isinstance(engine, ScriptedEngine)
    assert engine.samplings[-1].temperature == 0.25


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("temperature 50", "temperature is a number from 0 to 5, not '50'"),
        ("temperature hot", "temperature is a number from 0 to 5, not 'hot'"),
        ("temperature -1", "temperature is a number from 0 to 5, not '-1'"),
        ("temperature nan", "temperature is a number from 0 to 5, not 'nan'"),
        ("temperature inf", "temperature is a number from 0 to 5, not 'inf'"),
        ("temperature off", "temperature is a number from 0 to 5, not 'off'"),
        ("top_k 1.5", "top_k is a whole number, 0 or more, not '1.5'"),
        ("top_k 99999999999", "top_k is a whole number, 0 or more, not '99999999999'"),
        ("max_tokens 0", "max_tokens is a whole number, 1 or more, not '0'"),
        ("mirostat 3", "mirostat is a whole number from 0 to 2, not '3'"),
        ("warmth 1", "there is nothing called 'warmth' to set: /set lists what there is"),
        ("temprature 1", "there is nothing called 'temprature' to set: did you mean temperature?"),
        ("logit_bias 5", "logit_bias is words with numbers from -100 to 100, as in {\"dragon\": -5}, not '5'"),
        ("logit_bias " + "[" * 100_000, "logit_bias is words with numbers from -100 to 100"),
        ("top_k " + "9" * 10_000, "top_k is a whole number, 0 or more, not '999"),
        ("x" * 10_000, "there is nothing called 'xxx"),
    ],
)
def test_wrong_values_get_one_sentence(game: Game, setting: str, sentence: str) -> None:
    before = game.sampling
    said = refused(game, f"/set {setting}")
    assert said.startswith(sentence) and len(said) < 150
    assert game.sampling == before


def test_setting_survives_in_a_folder_that_is_gone(game: Game, tmp_path: Path) -> None:
    """What cannot be saved is said; it is valid all the same."""
    (tmp_path / "nowhere").write_text("no folder")
    game.file.path = tmp_path / "nowhere" / "story.json"
    assert "could not be written" in refused(game, "/set temperature 1")
    assert game.sampling.temperature == 1


# --- /preset


def test_presets_can_be_chosen_from_a_list(game: Game) -> None:
    told_, *more = commands.run(game, "/preset")
    assert isinstance(told_, Pick) and not more and told_.command == "/preset"
    names = [each.name for each in told_.choices]
    assert {"default", "godlike", "good-winds"} <= set(names) and names == presets.names(paths.presets_folder())
    list(commands.run(game, "/preset godlike"))
    (told_,) = commands.run(game, "/preset")
    assert isinstance(told_, Pick)
    assert [each.name for each in told_.choices if each.about.startswith("* ")] == ["godlike"]


def test_preset_changes_the_settings_at_once_and_says_what(game: Game) -> None:
    assert told(game, "/preset godlike") == (
        "godlike: temperature 0.8 → 0.7, top_k 40 → 0, top_p 0.95 → 0.5, typical_p 1 → 0.19, repeat_last_n 256 → 512"
    )
    assert game.sampling.typical_p == 0.19 and saves.load(game.file.path).sampling["typical_p"] == 0.19
    assert told(game, "/preset godlike") == "godlike: nothing changes"
    assert re.search(r"^top_p +0.5 ", told(game, "/set"), re.MULTILINE)
    list(game.open())
    assert isinstance(game.engine, ScriptedEngine) and game.engine.samplings[-1].typical_p == 0.19


def test_list_shows_values_and_marks_what_is_set(game: Game, own: Path) -> None:
    (own / "broken.json").write_text('{"top_p": 2}')
    (own / "dry.json").write_text('{"dry": 0.8, "dry_base": 2, "mirostat_tau": 3}')
    lines = told(game, "/preset").split("\n")
    assert next(line for line in lines if line.startswith("* ")).split()[:4] == ["*", "default", "temperature", "0.8,"]
    cells = dict(re.split("  +", line.strip(), maxsplit=1) for line in lines if not line.startswith(("*", "   ")))
    assert cells["universal-light"] == "temperature 1.25, min_p 0.1", "what is off is left out"
    assert cells["broken"].endswith("top_p is a number from 0 to 1, not 2")
    assert cells["dry"] == "dry_multiplier 0.8, dry_base 2"
    told(game, "/preset clover")
    marked = [line[:8] for line in told(game, "/preset").split("\n") if line.startswith("* ")]
    assert marked[:-1] == ["* clover"]


def test_present_settings_are_kept_and_come_back(game: Game, own: Path) -> None:
    told(game, "/preset storywriter")
    told(game, "/set top_k 33")
    told(game, "/set seed 5")
    assert told(game, "/preset save Mine.2") == f"the present settings are kept in {own / 'Mine.2.json'}"
    told(game, "/preset default")
    told(game, "/preset Mine.2")
    assert (game.sampling.top_k, game.sampling.top_p, game.sampling.seed) == (33, 0.73, 5)
    assert "seed" not in json.loads((own / "Mine.2.json").read_text())
    told(game, "/preset save Mine.2")
    assert {path.name for path in own.iterdir()} == {"Mine.2.json", "Mine.2.json.bak"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/preset save", "/preset save takes a name for the present settings"),
        ("/preset save ../mine", "'../mine' cannot be the name of a preset: use letters, digits and - _ ."),
        ("/preset save save", "'save' cannot be the name of a preset: use letters, digits and - _ ."),
        ("/preset good winds", "there is no preset 'good winds': did you mean good-winds?"),
    ],
)
def test_wrong_commands_are_one_sentence(game: Game, line: str, sentence: str) -> None:
    with pytest.raises(AdvreplError, match=re.escape(sentence)):
        told(game, line)


def test_settings_that_cannot_be_kept_are_told(game: Game, own: Path) -> None:
    own.rmdir()
    own.write_text("a file where the folder should be")
    with pytest.raises(AdvreplError, match=r"mine\.json cannot be written: "):
        told(game, "/preset save mine")
    assert "godlike" in told(game, "/preset")


def test_preset_that_leaves_no_room_is_taken_back(new_game: Callable[..., Game], own: Path) -> None:
    (own / "long.json").write_text('{"max_tokens": 1000}')
    game = new_game(ScriptedEngine(n_ctx=110), max_tokens=4)
    with pytest.raises(AdvreplError, match="the context has room for"):
        told(game, "/preset long")
    assert game.sampling.max_tokens == 4


def test_tab_knows_the_presets(own: Path) -> None:
    (own / "mine.json").write_text("{")
    completions = Completions(lambda: ())

    def after(text: str) -> list[str]:
        return [c.text for c in completions.get_completions(Document(text), CompleteEvent())]

    assert after("/preset go") == ["godlike", "good-winds"]
    assert after("/preset mi") == ["mine"]
    assert after("/preset s") == ["simple-proxy", "storywriter", "save"]
    assert after("/set temp") == ["temperature"]
    assert after("/pre") == ["/preset"]
