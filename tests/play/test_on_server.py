"""A story on a server: it fails, and nothing is lost; and it goes on with another model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.engines.remote import completion
from advrepl.play import session
from advrepl.play.events import Note, Reply
from advrepl.play.game import Game
from advrepl.play.reply import Piece
from advrepl.play.session import Settings
from advrepl.story import saves
from advrepl.terminal import commands
from tests.engines.remote import scripted_server as scripted
from tests.engines.remote.scripted_server import LCP, LLAMA, VLLM, Scripted, says, serving

OPTIONS = (says(" Go in.\n"), says(" Walk away.\n"), says(" Run home.\n"))
REPLY = (says(" The", " door", " opens.", finish="stop"), *OPTIONS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "DELAYS", (0.0, 0.01, 0.01, 0.01, 0.01))


def opened(server: Scripted, folder: Path, **how: object) -> Game:
    settings = Settings(model=server.url, saves=folder, format="pygmalion", plain_model=True, **how)  # type: ignore[arg-type]
    return session.new_game("start", settings)


def played(game: Game, line: str) -> tuple[str, str]:
    """What was shown of the reply to a line, and the error that ended it."""
    shown = ""
    try:
        for event in game.act(line):
            shown += event.text if isinstance(event, Piece) else ""
    except AdvreplError as error:
        return shown, str(error)
    return shown, ""


def notes(events: Iterator[object]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


@pytest.mark.parametrize("kind", [LLAMA, LCP, VLLM])
def test_a_turn_with_its_three_options(kind: str, tmp_path: Path) -> None:
    with serving(kind, *REPLY) as server:
        game = opened(server, tmp_path)
        list(game.open())
        assert played(game, "I open the door.") == ("The door opens.", "")
        assert game.options() == ("Go in.", "Walk away.", "Run home.")
        assert [bool(asked.get("grammar") or asked.get("structured_outputs")) for asked in server.asked] == [
            *(False, True, True, True)
        ]
        game.close()
        save = saves.load(game.file.path)
        assert save.model.spec == server.url


def test_a_server_that_dies_in_a_reply_loses_no_word_and_the_story_goes_on_there(tmp_path: Path) -> None:
    with serving(LLAMA, scripted.breaks_off(" The", " door", " opens"), *REPLY) as server:
        game = opened(server, tmp_path)
        list(game.open())
        shown, error = played(game, "I open the door.")
        assert shown == "The door opens"
        assert "/continue goes on" in error
        assert saves.load(game.file.path).turns[-1].text == "The door opens"
        list(game.go_on())
        assert game.story.last
        assert game.story.last.text.startswith("The door opens The door opens.")
        game.close()


def test_a_story_goes_on_with_a_local_model(tmp_path: Path, smollm2: Path) -> None:
    with serving(LLAMA, scripted.breaks_off(" The", " door")) as server:
        brief = {"options": 0, "sampling": {"max_tokens": 8}}
        game = opened(server, tmp_path, ctx=512, threads=1, kv_file=False, prefetch=False, **brief)
        list(game.open())
        played(game, "I open the door.")
    said = notes(commands.run(game, f"/model {smollm2}"))
    assert "this story was played on smol-135M before, now it goes on with SmolLM2-135M-Instruct.Q4_1" in said
    assert game.format.name == "chat"
    events = list(game.act("I go in."))
    assert isinstance(events[-1], Reply)
    game.close()
    save = saves.load(game.file.path)
    assert (save.model.name, save.model.spec, save.format) == ("SmolLM2-135M-Instruct.Q4_1", str(smollm2), "chat")


def test_a_model_that_cannot_be_had_changes_nothing(tmp_path: Path) -> None:
    with serving(LLAMA, *REPLY) as server:
        game = opened(server, tmp_path)
        list(game.open())
        for spec in (str(tmp_path / "no.gguf"), "http://127.0.0.1:9", "http://192.0.2.1:80"):
            with pytest.raises(AdvreplError):
                list(commands.run(game, f"/model {spec}"))
        assert played(game, "I open the door.")[0] == "The door opens."
        assert "this story is played on smol-135M" in notes(commands.run(game, "/model"))
        game.close()


def test_context_says_which_server_it_is(tmp_path: Path) -> None:
    with serving(VLLM, *REPLY) as server:
        game = opened(server, tmp_path)
        list(game.open())
        assert f"vLLM 0.32.0 at {server.url}" in notes(commands.run(game, "/context"))
        game.close()


def test_a_story_resumes_on_its_server_and_no_key_is_in_its_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVREPL_API_KEY", "sk-secret")
    with serving(LLAMA, *REPLY, *REPLY) as server:
        game = opened(server, tmp_path)
        list(game.open())
        played(game, "I open the door.")
        game.close()
        assert "secret" not in game.file.path.read_text()
        assert json.loads(game.file.path.read_text())["model"]["spec"] == server.url
        again = session.resumed_game(None, Settings(saves=tmp_path), lambda _: None)
        assert again.engine.name == "smol-135M"
        assert played(again, "I go in.")[0] == "The door opens."
        again.close()
    with pytest.raises(AdvreplError, match="nothing answers there"):
        session.resumed_game(None, Settings(saves=tmp_path), lambda _: None)


def test_what_a_server_makes_one_wait_for_is_told_while_one_waits(tmp_path: Path) -> None:
    loading = scripted.refuses(503, {"error": {"message": "Loading model"}})
    with serving(LLAMA, loading, *REPLY) as server:
        game, told = opened(server, tmp_path), list[str]()
        list(game.open())
        game.tell = told.append
        assert played(game, "I open the door.")[0] == "The door opens."
        assert told == [f"{server.url}: it is loading its model: trying again"]
        game.close()


@pytest.mark.parametrize(
    ("before_leaving", "moves"),
    [("", True), ("/edit You" + " wait" * 90, False), ("/you Sam", False), ("/memory The lamp is out.", False)],
)
def test_a_resumed_story_whose_window_slides_is_moved_on_the_server_unless_something_was_changed(
    before_leaving: str, moves: bool, tmp_path: Path
) -> None:
    """What the server holds was asked for by a program that has ended: the story alone says what that was."""
    line, long = "I go on.", says(*(f" word{number}" for number in range(80)))
    with serving(LLAMA, long) as server:
        game = opened(server, tmp_path, ctx=600, options=0, sampling={"max_tokens": 100})
        list(game.open())
        while game.planner.player_turn(line).window.evicted == 0:
            played(game, line)
        list(commands.run(game, before_leaving)) if before_leaving else ()
        game.close()
        server.asked.clear()
        again = session.resumed_game(None, Settings(saves=tmp_path, ctx=600), lambda _: None)
        assert played(again, line)[1] == "" and again.state.evicted() > 0
        assert bool(server.asked[0]["n_cache_reuse"]) is moves
        again.close()


def test_a_resumed_reply_is_sent_as_the_tokens_it_was_sampled_as(tmp_path: Path) -> None:
    """Its text alone would be others: a server would read all behind them again, and could move nothing."""
    with serving(LLAMA, says(" The", " do", "or", " opens.")) as server:
        game = opened(server, tmp_path, options=0)
        list(game.open())
        played(game, "I knock.")
        game.close()
        again = session.resumed_game(None, Settings(saves=tmp_path), pytest.fail)
        played(again, "I go in.")
        again.close()
        sampled = [token for text in (" The", " do", "or", " opens.") for token in server.ids(text, False)]
        first, second = (asked["prompt"] for asked in (server.asked[0], server.asked[-1]))
        assert len(sampled) == 4 and second[: len(first) + 4] == [*first, *sampled]
