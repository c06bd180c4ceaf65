"""What the player does with the tree of a story: other takes, other branches, old turns in other words.

Each is one change of the game's state, saved or refused as a whole. Does not write replies (game.py) and does not draw
the tree (story/outline.py).
"""

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from advrepl import AdvreplError, program
from advrepl.engines.base import Caching
from advrepl.play.events import Event
from advrepl.play.game import Game
from advrepl.prompt import options as menu
from advrepl.prompt.window import blocks_from
from advrepl.story import editing
from advrepl.story.outline import Stretch
from advrepl.story.tree import OtherPath

MOST_NAME = 40  # characters of a branch's name
MAIN = "main"  # what the branch is called that there was before the first one with a name
LEAST_READ = 32  # tokens of a prompt from which a speed can be told


def go(game: Game, head: int | None, branch: str | None = None) -> None:
    """Read on behind another turn; `branch`: the name of the one that is read then, if that changes."""
    with game.changing():
        if branch is not None:
            game.state.replace(branch=branch)
        _move(game, head)


def _move(game: Game, head: int | None) -> None:
    """Move the head; the window begins where it did when that turn was left, else where it does now.

    Where no turn that is seen now stays, it is built from the end.
    """
    story, before, state = game.story, list(game.story.path), game.state
    game.leave_branch()
    game.prefetch_start = 0
    state.goto(head)
    state.replace(window_start=_window_start(game, before, story.path))


def _window_start(game: Game, before: list[int], path: list[int]) -> int:
    """The first block of the window behind a path, where the path `before` was read until then."""
    state, seen = game.state, game.state.evicted()
    if path and path[-1] in state.left:
        return state.left[path[-1]]
    if seen and common_length(before, path) <= seen:
        return len(game.scenario.dialogues) + max(len(path) - 1, 0)
    return state.save.window_start


def common_length(one: list[int], other: list[int]) -> int:
    """Return how many turns two paths have in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def redo(game: Game) -> None:
    """Take an undo back: go on to the next reply of what was read last behind the head."""
    story, turn = game.story, game.story.following(game.story.head)
    if turn is None:
        raise AdvreplError("nothing follows here: there is nothing to do again")
    while story.turns[turn].role == "user" and (following := story.following(turn)) is not None:
        turn = following
    go(game, turn)


def browsed(game: Game) -> int:
    """Return the turn whose takes are looked through: the last of the path, unless another one was chosen."""
    path = game.story.path
    if not path:
        raise AdvreplError("nothing has been said yet")
    place = game.state.browsed
    return path[place] if place is not None and place < len(path) else path[-1]


def browsed_takes(game: Game) -> tuple[list[int], int]:
    """Return the takes of that turn, and which of them is read."""
    if not game.story.path:
        return [], 0
    takes = game.story.siblings(turn := browsed(game))
    return takes, takes.index(turn)


def browse(game: Game, turn: int, take: int) -> None:
    """Read a take of a turn (1: the oldest) as far as it was read last, and look through that turn's takes."""
    takes = game.story.siblings(turn)
    if not 0 < take <= len(takes):
        raise AdvreplError(f"turn {turn + 1} has {len(takes)} takes, so 1 to {len(takes)}, not {take}")
    go(game, _read_last(game, takes[take - 1]))
    game.state.browsed = game.story.path.index(takes[take - 1])


def _read_last(game: Game, take: int) -> int | None:
    """Where the story stood when a take was read: what was taken back behind it does not come with it."""
    turns = game.story.turns
    for head in (*game.story.path[-1:], *reversed(game.state.left)):
        at: int | None = head
        while at is not None and at > take:
            at = turns[at].parent
        if at == take:
            return head
    return game.story.future(take)


def place_of(game: Game, turn: int) -> int:
    """Return where on the path a turn stands; goes to its branch first where it is on another one."""
    if turn not in game.story.path:
        go(game, game.story.future(turn))
    return game.story.path.index(turn)


def edit(game: Game, turn: int, text: str) -> int:
    """Say a turn in other words; the old ones stay as a take. Returns the new turn.

    What a reply offers stays on offer, unless the new words end with a list of their own. No token that has seen the
    old words stays in the cache: what stands behind them is read again, and what was moved when they slid out is given
    up.
    """
    story = game.story
    if not text.strip():
        raise AdvreplError("a turn cannot be empty: /delete takes one out of the story, with all that follows it")
    text = _with_options(game, turn, text)
    if story.turns[turn].text == text:
        raise AdvreplError(f"turn {turn + 1} says that already")
    place = place_of(game, turn)
    unseen = place < game.state.evicted()
    added = len(story.turns)
    with game.changing():
        game.leave_branch()
        for each in editing.edit(story, place, text):
            game.state.add(each)
    if unseen:
        forget(game)
    return added


def _with_options(game: Game, turn: int, text: str) -> str:
    before = game.story.turns[turn]
    prose, options = menu.parted(before.text, game.option_count)
    if before.role != "model" or not options or menu.parted(text, game.option_count)[1]:
        return text
    return text.rstrip() + before.text[len(prose) :] if before.text.startswith(prose) else menu.join(text, options)


def forget(game: Game) -> None:
    """Let nothing stay in the cache that was computed while turns could be seen that are gone."""
    if game.prefetcher:
        game.prefetcher.close()
    game.engine.forget_moved()


def name_branch(game: Game, name: str) -> None:
    """Give the branch that is read a name from here on; the one before it keeps its own and ends here."""
    save = game.state.save
    if save.head is None:
        raise AdvreplError("nothing has been said yet")
    if not name.isprintable() or len(name) > MOST_NAME or name.isdecimal():
        raise AdvreplError(f"the name of a branch is a word or a few, at most {MOST_NAME} characters, and no number")
    if name in save.branches:
        raise AdvreplError(f"there is a branch {name!r} already: /goto {name} goes there")
    branches = save.branches or {MAIN: save.head}
    if name == MAIN:
        branches = save.branches
    game.change(msgspec.structs.replace(save, branches={**branches, name: save.head}, branch=name))


def delete(game: Game, turn: int) -> int:
    """Remove a turn and all that follow it; returns how many those were."""
    story, before = game.story, len(game.story.turns)
    common = story.path.index(turn) if turn in story.path else len(story)
    unseen = common < game.state.evicted()
    try:
        save = editing.without(game.state.save, story, turn)
    except ValueError:
        raise AdvreplError(
            f"nothing would be left of the story: `{program.command('saves', 'delete')}` removes all of it"
        ) from None
    with game.changing():
        start = save.window_start if not unseen else 0
        game.state.become(msgspec.structs.replace(save, window_start=start))
        if unseen:
            game.state.replace(window_start=len(game.scenario.dialogues) + max(len(game.story) - 1, 0))
    forget(game)
    return before - len(game.story.turns)


def greet(game: Game, number: int) -> Iterator[Event]:
    """Let the character greet in other words, before the player has said any; counted from 1."""
    greetings = game.scenario.greetings
    if game.greeted() is None:
        raise AdvreplError(
            f"greetings can be chosen before your first words; `{program.command('play')}` begins a new story"
        )
    if not 0 < number <= len(greetings):
        raise AdvreplError(f"there are {len(greetings)} greetings, so 1 to {len(greetings)}, not {number}")
    game.state.begin_with(greetings[number - 1])
    yield from game.told(greetings[number - 1])


# --- what it costs


def speed(game: Game) -> float:
    """Return how many tokens of a prompt are read in a second, as the last reply tells it; 0: it does not."""
    stats = game.last.stats if game.last else None
    if not stats or stats["ahead"] or not stats["first_ms"]:
        return 0.0
    read = stats["prompt"] - stats["reused"]
    return float(read / stats["first_ms"] * 1000) if read >= LEAST_READ else 0.0


class Costs:
    """How many tokens have to be read to go on somewhere else, and about how long that takes.

    Of what was read since the program began, the engine knows; else it is reckoned from the number of characters behind
    what both paths have in common, by what the prompt that is shown takes; never more than the context.
    """

    def __init__(self, game: Game) -> None:
        self._game, window = game, game.window()
        turns, _ = blocks_from(game.scenario, game.story, window.evicted)
        seen = sum(len(turn.text) for turn in turns)
        head = sum(map(game.engine.count, window.prompt.head))
        self._per_character = max(window.used - head, 1) / max(seen, 1)
        self._most, self._speed = window.budget, speed(game)
        self._read = {turn for head in game.state.left for turn in game.story.path_to(head)}

    def said(self, stretch: Stretch) -> str:
        """Return in words what it costs to go to the end of a stretch; empty where it is read now."""
        if stretch.on_path:
            return ""
        known = self._known(stretch.last) if stretch.first in self._read else None
        tokens = min(round(stretch.way * self._per_character), self._most) if known is None else known
        if not tokens:
            return "nothing to read"
        return f"{tokens} token{'s' * (tokens != 1)} to read" + (
            f", {tokens / self._speed:.1f} s" if self._speed else ""
        )

    def _known(self, last: int) -> int | None:
        """What the engine has to read; None: it cannot tell."""
        game, path = self._game, self._game.story.path_to(last)
        if not isinstance(game.engine, Caching):
            return None
        start = _window_start(game, game.story.path, path)
        with suppress(AdvreplError):  # there is no room for another turn; that is told when it is taken
            turns = OtherPath([game.story.turns[index] for index in path])
            return game.engine.missing(game.planner.window_elsewhere(turns, start))
        return None
