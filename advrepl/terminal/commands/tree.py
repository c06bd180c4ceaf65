"""The /commands for the tree of a story: its takes and branches, and old turns in other words.

A turn is named by its number, which is that of /tree and /search; -1 is the last one of the path, -2 the one before it.
"""

from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.play import moves
from advrepl.play.events import Draft, Event, Note
from advrepl.play.game import Game
from advrepl.prompt import options as menu
from advrepl.story import editing, outline
from advrepl.story.outline import Stretch
from advrepl.story.tree import counted
from advrepl.terminal.columns import Table
from advrepl.terminal.commands.table import command, whole_number
from advrepl.terminal.text import clip, one_line

FIRST_WORDS = 48  # columns of a turn in /tree, /takes and /search
MOST_LINES = 40  # of /tree
MOST_FOUND = 20
YES = "yes"
ON_PATH = "on the path that is read"


@command("takes", "swipes", usage="[TURN [TAKE]]")
def takes(game: Game, argument: str) -> Iterator[Event]:
    """Show the takes of a turn (Left and Right go through them), or read one with what followed it."""
    number, _, chosen = argument.partition(" ")
    turn = turn_of(game, number) if number else moves.browsed(game)
    if chosen:
        if (take := whole_number(chosen.strip())) is None:
            raise AdvreplError(f"/takes takes the number of a turn and of a take, not {chosen[:20]!r}")
        moves.browse(game, turn, take)
        others = game.story.siblings(turn)
        yield from where(game, f"take {take} of {len(others)}, turn {others[take - 1] + 1}")
        return
    if number:
        game.state.browsed = moves.place_of(game, turn)
    path = set(game.story.path)
    yield Table.marked(
        (*_marked(f"{place}", f"take {place}", take in path, "the one that is read"), _begin(game, take))
        for place, take in enumerate(game.story.siblings(turn), 1)
    )
    yield Note(f"takes of turn {turn + 1}; Left and Right go through them, /takes {turn + 1} N reads the Nth")


@command("redo")
def redo(game: Game, argument: str) -> Iterator[Event]:
    """Take an /undo back: go on to the next reply, as it was read last."""
    moves.redo(game)
    yield from where(game)


@command("edit", "alter", usage="[TURN] [TEXT]")
def edit(game: Game, argument: str) -> Iterator[Event]:
    """Change the words of any turn, yours or the model's; the old ones stay as a take."""
    number, _, text = argument.partition(" ")
    if not argument or not _is_number(number):
        number, text = str(_last(game) + 1), argument
    turn = turn_of(game, number)
    if not text.strip():
        said = _prose(game, turn)
        yield Draft(f"turn {turn + 1}: {said}\n/edit {turn + 1} TEXT changes it", f"/edit {turn + 1} {said}")
        return
    new = moves.edit(game, turn, text.strip())
    count = len(game.story.siblings(new))
    yield from where(game, f"turn {turn + 1} is changed: it is turn {new + 1} now, take {count} of {count}")


@command("branch", "fork", "checkpoint", "bookmark", usage="[NAME]")
def branch(game: Game, argument: str) -> Iterator[Event]:
    """Show the branches that have names, or give the story one from here on."""
    if argument:
        moves.name_branch(game, argument)
        yield Note(f"what follows is the branch {argument}; /goto NAME goes to another one")
        return
    save = game.state.save
    if not save.branches:
        yield Note("no branch has a name: /branch NAME gives it one")
        return
    yield Table.marked(
        (*_marked(name, name, name == save.branch, "where you are"), f"turn {last + 1}: {_begin(game, last)}")
        for name, last in save.branches.items()
    )


@command("goto", usage="TURN | BRANCH")
def goto(game: Game, argument: str) -> Iterator[Event]:
    """Read on behind another turn, or on a branch; /tree and /search say where there is one."""
    if not argument:
        raise AdvreplError("/goto takes the number of a turn or the name of a branch: /tree shows them")
    last = game.state.save.branches.get(argument)
    if last is not None:
        moves.go(game, last, argument)
    else:
        moves.go(game, turn_of(game, argument), "")
    yield from where(game)
    if game.story.following(game.story.head) is not None:
        yield Note("there is more behind this turn: /redo reads it")


@command("tree", usage="[TURN]")
def tree(game: Game, argument: str) -> Iterator[Event]:
    """Draw the story with its branches, and say what it costs to go to one."""
    found = list(outline.stretches(game.story, turn_of(game, argument) if argument else None))
    if not found:
        raise AdvreplError("nothing has been said yet")
    costs = moves.Costs(game)
    at = max((place for place, each in enumerate(found) if each.on_path), default=0)
    shown, before, behind = outline.around(found, at, MOST_LINES)
    names: dict[int, list[str]] = {}
    for name, last in game.state.save.branches.items():
        names.setdefault(last, []).append(name)
    rows = [_row(game, each, costs, names) for each in shown]
    if before:
        rows.insert(0, ("…", "first", f"{before} more before these: /tree TURN draws a part"))
    if behind:
        rows.append(("…", "last", f"{behind} more behind these: /tree TURN draws a part"))
    yield Table.marked(rows)


@command("search", "find", usage="TEXT")
def search(game: Game, argument: str) -> Iterator[Event]:
    """Find a text in all turns of the story, also in those that are not read now."""
    if not argument:
        raise AdvreplError("/search takes what is looked for")
    wanted, path = argument.casefold(), set(game.story.path)
    found = [index for index, turn in enumerate(game.story.turns) if wanted in turn.text.casefold()]
    if not found:
        yield Note(f"no turn has {argument[:40]!r}")
        return
    yield Table.marked(
        (*_marked(f"{at + 1}", f"turn {at + 1}", at in path, ON_PATH), _around(game.story.turns[at].text, wanted))
        for at in found[-MOST_FOUND:]
    )
    more = f"the last {MOST_FOUND} of {len(found)} turns" if len(found) > MOST_FOUND else counted(len(found))
    yield Note(f"{more} with it, * {ON_PATH}; /goto TURN goes there")


@command("delete", usage=f"TURN [{YES}]")
def delete(game: Game, argument: str) -> Iterator[Event]:
    """Remove a turn and all that follows it, after asking; nothing else ever leaves a story."""
    number, _, sure = argument.partition(" ")
    if not number:
        raise AdvreplError("/delete takes the number of a turn: /tree shows them")
    turn = turn_of(game, number)
    if sure.strip() != YES:
        count = len(editing.subtree(game.story, turn))
        asked = f"this removes {counted(count)} for good, from turn {turn + 1} on: {_begin(game, turn)}"
        yield Note(f"{asked}\n/delete {turn + 1} {YES} does it")
        return
    yield Note(f"removed: {counted(moves.delete(game, turn))}")
    yield from where(game)


# --- what they share


def where(game: Game, note: str = "") -> Iterator[Event]:
    """Show where the story stands now: what the player said last, and the reply to it."""
    story, turn = game.story, game.story.last
    if note:
        yield Note(note)
    before = story.path_turns(max(len(story) - 2, 0))
    if said := [each.text for each in before if each.role == "user"]:
        yield Note(f"> {said[-1]}")
    if turn and turn.role == "model":
        yield from game.told(turn.text)
    elif turn:
        yield Note("there is no reply yet: /retry asks for one")


def turn_of(game: Game, text: str) -> int:
    """Return the index of the turn that a player's number names; raises AdvreplError."""
    story, number = game.story, whole_number(text.removeprefix("-").removeprefix("#"))
    back = text.startswith("-")
    if not number or number > (len(story.path) if back else len(story.turns)):
        there = f"1 to {len(story.turns)}" if story.turns else "none yet"
        raise AdvreplError(f"there is no turn {text[:20]}: there are {there}, and /tree shows them")
    return story.path[-number] if back else number - 1


def _is_number(text: str) -> bool:
    return whole_number(text.removeprefix("-").removeprefix("#")) is not None


def _last(game: Game) -> int:
    return moves.browsed(game)


def _prose(game: Game, index: int) -> str:
    turn = game.story.turns[index]
    return menu.parted(turn.text, game.option_count)[0] if turn.role == "model" else turn.text


def _begin(game: Game, index: int) -> str:
    prose = ("> " if game.story.turns[index].role == "user" else "") + _prose(game, index)
    return clip(one_line(prose[: FIRST_WORDS * 4]), FIRST_WORDS)


def _around(text: str, wanted: str) -> str:
    at = max(text.casefold().find(wanted), 0)
    start = max(at - FIRST_WORDS // 2, 0)
    return ("…" if start else "") + clip(one_line(text[start : start + FIRST_WORDS * 4]), FIRST_WORDS)


def _marked(drawn: str, words: str, is_marked: bool, meaning: str) -> tuple[str, str]:
    """Return the first column of a row with or without a mark, and what that says."""
    return (f"* {drawn}", f"{words}, {meaning}") if is_marked else (f"  {drawn}", words)


def _row(game: Game, each: Stretch, costs: moves.Costs, names: dict[int, list[str]]) -> tuple[str, str, str]:
    mark, read = ("●", "") if each.on_path else ("○", f", not {ON_PATH}")
    one = each.first == each.last
    number = f"{each.first + 1}" if one else f"{each.first + 1}-{each.last + 1}"
    words = f"{'turn' if one else 'turns'} {number}{read}{f', branch of level {each.depth}' if each.depth else ''}"
    facts = [counted(each.count) if each.count > 1 else "", f"{each.takes} takes" if each.takes > 1 else ""]
    facts.append(costs.said(each))
    facts += names.get(each.last, [])
    told = ", ".join(filter(None, facts))
    return f"{'│ ' * each.depth}{mark} {number}", words, _begin(game, each.first) + (f"  ({told})" if told else "")
