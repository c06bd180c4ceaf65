"""Where the context is short, optional text gives way to the player's words; what can never fit is refused."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from advrepl import AdvreplError
from advrepl.play.events import Note
from advrepl.play.game import Game
from advrepl.story.injections import DEPTH_PROMPT, GUIDANCE, LORE, NOTE, POST_HISTORY, without_least
from advrepl.story.saves import with_scenario
from advrepl.story.scenario import Injection, Scenario
from advrepl.story.tree import Turn
from tests.conftest import ScriptedEngine


def words(count: int, word: str = "w") -> str:
    return " ".join([word] * count)


def scene(system: int, **injections: int) -> Scenario:
    texts = {source: Injection(words(size, source), 4) for source, size in injections.items()}
    return Scenario(name="x", title="", system=words(system), start="", options=0, opening="Hello.", injections=texts)


def notes(events: Any) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


NewGame = Callable[..., Game]


@pytest.mark.parametrize(
    ("source", "name"), [(POST_HISTORY, "the card's post-history instructions"), (DEPTH_PROMPT, "the card's note")]
)
def test_what_has_no_room_is_left_out_and_named_once(new_game: NewGame, source: str, name: str) -> None:
    engine = ScriptedEngine("Fine.", "Well.", n_ctx=400)
    game = new_game(engine, scene(200, **{source: 160}), max_tokens=40)
    list(game.open())
    told = notes(game.act("hello there"))
    assert told == [f"the context has no room for {name}, so it is left out: give a larger --ctx"]
    assert source not in engine.prompts[-1] and "hello there" in engine.prompts[-1]
    assert notes(game.act("and you?")) == [] and game.story.turns[-2].injections == {}


def test_the_note_stays_where_only_the_cards_text_has_no_room(new_game: NewGame) -> None:
    engine = ScriptedEngine("Fine.", n_ctx=400)
    game = new_game(engine, scene(200, post_history=160, note=30), max_tokens=40)
    list(game.open())
    list(game.act("hello"))
    assert "note note" in engine.prompts[-1] and list(game.story.turns[-2].injections) == [NOTE]


def test_an_older_turns_texts_give_way_when_it_is_answered_again(new_game: NewGame) -> None:
    engine = ScriptedEngine("Fine.", "Well.", n_ctx=400)
    game = new_game(engine, scene(200, post_history=100), max_tokens=40)
    list(game.open())
    list(game.act("hello"))
    assert "post_history" in engine.prompts[-1]
    game.change(with_scenario(game.state.save, memory=words(60)))
    list(game.retry())
    assert "post_history" not in engine.prompts[-1] and "hello" in engine.prompts[-1]


def test_a_note_that_never_fits_is_refused_when_it_is_set(new_game: NewGame) -> None:
    game = new_game(ScriptedEngine(n_ctx=400), scene(200), max_tokens=40)
    list(game.open())
    before = game.state.save
    with pytest.raises(
        AdvreplError, match=r"the note takes 301 tokens and the context has room for 1\d\d besides .*: write a shorter"
    ):
        game.change(game.context.with_note(before, words(300), 4))
    assert game.state.save is before
    game.change(game.context.with_note(before, words(90), 4))


@pytest.mark.parametrize(("system", "plays"), [(295, True), (310, False), (340, False), (500, False)])
def test_a_card_that_leaves_no_room_is_told_with_its_figures(new_game: NewGame, system: int, plays: bool) -> None:
    engine = ScriptedEngine("Fine.", n_ctx=400)
    game = new_game(engine, scene(system), max_tokens=40)
    if plays:
        game.planner.check()
        list(game.open())
        list(game.act(words(20)))
        return
    with pytest.raises(AdvreplError, match=rf"the system text takes {system + 2} tokens"):
        game.planner.check()


def test_texts_give_way_in_their_order() -> None:
    sources = [NOTE, LORE + "1", GUIDANCE, POST_HISTORY, LORE + "2", DEPTH_PROMPT]
    turn: Turn | None = Turn(None, "user", "hi", injections=dict.fromkeys(sources, "x"))
    gone = []
    while turn and (found := without_least(turn)):
        turn, source = found
        gone.append(source)
    assert gone == [GUIDANCE, LORE + "2", LORE + "1", DEPTH_PROMPT, POST_HISTORY, NOTE]
    assert turn == msgspec.structs.replace(Turn(None, "user", "hi"))
