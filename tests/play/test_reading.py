"""Lines that are read while they are typed: the same story and the same save as without, whatever the keys do."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advrepl.play.game import Game
from advrepl.play.reading import read_along
from advrepl.prompt import options as menu
from advrepl.terminal.lines import may_be_option, said_in, understood_in
from tests.deterministic_engine import DeterministicEngine
from tests.play.test_candidates import NewGame, ended, looking, ready

LINES = ("I go down to the cellar and wait there.", "I wait", "1", "22", "> open the door", '/say "Who is there?"')
PIECES = ("I ", "go ", "down", " ", "x", "\n", "/say Hello there", "/help", "1", "\b", "\b\b\b\b\b", "\0")
KEYS = st.lists(st.tuples(st.sampled_from(PIECES), st.booleans(), st.integers(0, 25)), max_size=8)
TURNS = st.lists(st.tuples(KEYS, st.sampled_from(LINES)), min_size=1, max_size=4)


def typed(line: str, piece: str) -> str:
    if piece == "\0":
        return ""
    return line[: -len(piece)] if piece.startswith("\b") else line + piece


def follow(game: Game, line: str, whole: bool, served: int) -> None:
    """What the editor does for keys, without its clock; then the engine does so much."""
    assert game.prefetcher
    game.prefetcher.hold()
    game.prefetcher.revoke(all=not whole)
    until = served + game.engine.served  # type: ignore[attr-defined]
    read_along(game, said_in(game, line), whole=whole, may_be_option=may_be_option(game, line))
    if served > 20:
        game.prefetcher.resume()
    while game.prefetcher._writing and game.engine.served < until:  # type: ignore[attr-defined]
        time.sleep(0)


def opened(new_game: NewGame, n_ctx: int = 2000) -> Game:
    game = new_game(DeterministicEngine(n_ctx), seed=3, max_tokens=20)
    ended(game.open())
    return game


def saved(game: Game) -> dict[str, Any]:
    """All of the save but the time."""
    fields = msgspec.to_builtins(game.state.save)
    fields["turns"] = [turn | {"seconds": 0} for turn in fields["turns"]]
    return fields | {"created": "", "updated": ""}  # type: ignore[no-any-return]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=TURNS)
def test_the_story_and_its_save_are_the_same_with_and_without(
    new_game: NewGame, turns: list[tuple[list[tuple[str, bool, int]], str]]
) -> None:
    plain, game = opened(new_game), looking(opened(new_game))
    for keys, sent in turns:
        game.start_prefetch()
        before, line = saved(game), ""
        for piece, whole, served in keys:
            line = typed(line, piece)
            follow(game, line, whole, served)
        assert saved(game) == before
        if typed_on := said_in(game, sent):
            for end in (len(sent) // 2, len(sent)):
                follow(game, sent[:end], True, 5)
        game.pause_prefetch(gently=True)
        for each in (plain, game):
            meant = understood_in(each, sent)
            said = typed_on if meant.is_command else meant.text
            if said and not meant.refusal:
                ended(each.act(said))
    assert saved(game) == saved(plain)
    game.prefetcher.close()  # type: ignore[union-attr]
    assert game.engine.lent == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [3, 40, 80])
def test_turns_slide_out_for_a_line_as_they_would_without(new_game: NewGame, words: int) -> None:
    """Also if they already did for the first half of it, and nothing of that is saved before it is sent."""
    plain, game = opened(new_game, 420), looking(opened(new_game, 420))
    slid = 0
    for turn in range(8):
        line = " ".join(f"word{turn}" for _ in range(words))
        game.start_prefetch()
        before, prepared = saved(game), game.prefetch_start
        for end in range(0, len(line) + 1, 60):
            follow(game, line[:end], False, 3)
        slid += game.prefetch_start > prepared
        assert saved(game) == before
        game.pause_prefetch(gently=True)
        for each in (plain, game):
            ended(each.act(line))
        assert saved(game) == saved(plain)
    assert slid or words == 3


def test_a_line_that_made_turns_slide_out_and_was_deleted_leaves_them_out(new_game: NewGame) -> None:
    """To read them again would take as long as to read the whole window; the save knows nothing of it."""
    game = looking(opened(new_game, 420))
    for turn in range(3):
        ended(game.act(f"I wait for hour number {turn} " + "and wait " * 12))
    long = "word " * 60
    game.start_prefetch()
    before, prepared = saved(game), game.prefetch_start
    follow(game, long, True, 5)
    assert game.prefetch_start > prepared and not game.prefetcher.is_planned  # type: ignore[union-attr]
    follow(game, "", True, 0)
    game.start_prefetch()
    ready(game)
    assert game.prefetch_start == game.planner.player_turn("I go.").window.evicted > prepared
    assert saved(game) == before
    assert game.prefetcher.state == "ready"  # type: ignore[union-attr]
    ended(game.act("I go."))
    assert game.state.save.window_start == game.prefetch_start


def test_options_are_not_given_up_for_a_slide_while_the_line_may_become_one(new_game: NewGame) -> None:
    game = looking(opened(new_game, 420))
    for turn in range(3):
        ended(game.act(f"I wait for hour number {turn} " + "and wait " * 12))
    game.start_prefetch()
    ready(game)
    read_along(game, "word " * 60, whole=True, may_be_option=True)
    assert game.prefetcher.is_planned  # type: ignore[union-attr]
    assert game.prefetcher.state == "ready"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "said", "option"),
    [
        ("", "", True),
        ("1", "", True),
        ("9)", "", True),
        ("22", "", True),
        ("look", "look", True),
        ("LOOK ar", "LOOK ar", True),
        ("look at it", "look at it", False),
        ("/help", "", False),
        ("/do  jump ", "jump", False),
        ("/say Hello", '"Hello"', False),
        ("/say", "", False),
        ("//do it", "/do it", False),
        ("> jump", "jump", False),
        ('"Hello"', '"Hello"', False),
    ],
)
def test_what_a_line_says_while_it_is_typed(new_game: NewGame, line: str, said: str, option: bool) -> None:
    game = new_game(DeterministicEngine())
    game.state.begin_with(menu.join("You stand in a hall.", ["Look around.", "Run."], "-"))
    assert game.options() == ("Look around.", "Run.")
    assert said_in(game, line) == said
    assert may_be_option(game, line) is option


def test_lore_that_a_line_wakes_is_part_of_it(new_game: NewGame) -> None:
    windows: list[str] = []

    class Seen(DeterministicEngine):
        def branch(self) -> Any:
            branch, write = super().branch(), DeterministicEngine.generate

            def generate(window: Any, *args: Any, **kwargs: Any) -> Any:
                windows.append(str(window.prompt))
                return write(branch, window, *args, **kwargs)

            branch.generate = generate  # type: ignore[method-assign]
            return branch

    game = looking(new_game(Seen(), seed=3))
    ended(game.open())
    from advrepl.lore.books import parse_book

    book, _ = parse_book({"entries": [{"keys": ["dragon"], "content": "Dragons here are blue.", "id": 1}]}, "a book")
    game.state.save = game.context.with_book(game.state.save, book)
    read_along(game, "I look for the dragon", whole=True, may_be_option=False)
    while game.prefetcher._writing:  # type: ignore[union-attr]
        time.sleep(0.001)
    assert "Dragons here are blue." in windows[-1] and "I look for the dragon" in windows[-1]
    assert not game.state.save.turns[-1].injections
