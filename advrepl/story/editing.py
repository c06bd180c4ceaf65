"""Change the tree of a story where that is more than one more turn: other words for an old turn, and turns that go.

Pure but for `edit`, which adds turns to the story that it is given.
"""

import msgspec

from advrepl.story.injections import CARRIED, RECAP
from advrepl.story.saves import Save
from advrepl.story.tree import Story, Turn


def edit(story: Story, place: int, text: str) -> list[Turn]:
    """Return another take of the turn at this place on the path, with these words, and copies of those behind it.

    To be added one after the other; the old take keeps its own future.
    """
    before = story.turns[story.path[place]]
    first = Turn(
        before.parent,
        before.role,
        text,
        injections=before.injections,
        injection_roles=before.injection_roles,
        lore_state=before.lore_state,
        correction=before.correction,
    )
    count = len(story.turns)
    rest = story.path_turns(place + 1)
    return [first, *(_copy(turn, count + at) for at, turn in enumerate(rest))]


def _copy(turn: Turn, parent: int) -> Turn:
    """A turn behind an edited one, without lines that quote the old words, or follow from them."""
    told = {source: text for source, text in turn.injections.items() if source not in (RECAP, CARRIED)}
    return msgspec.structs.replace(turn, parent=parent, injections=told)


def subtree(story: Story, index: int) -> list[int]:
    """Return a turn and all that follow it, in order."""
    found, waiting = [], [index]
    while waiting:
        turn = waiting.pop()
        found.append(turn)
        waiting += story.children(turn)
    return sorted(found)


def without(save: Save, story: Story, index: int) -> Save:
    """Return the save without a turn and all that follow it; the head goes to another take's future, or before it.

    Raises ValueError where nothing would be left.
    """
    gone = set(subtree(story, index))
    if len(gone) == len(story.turns):
        raise ValueError("nothing would be left")
    parent = story.turns[index].parent
    others = [take for take in story.siblings(index) if take != index]
    head = save.head
    if head in gone:
        nearest = [take for take in others if take < index][-1:] or others[:1]
        head = story.future(nearest[0]) if nearest else parent
    new = {old: place for place, old in enumerate(old for old in range(len(story.turns)) if old not in gone)}
    turns = [
        msgspec.structs.replace(story.turns[old], parent=None if (up := story.turns[old].parent) is None else new[up])
        for old in new
    ]
    branches = {name: new[last] for name, last in save.branches.items() if last in new}
    if save.branch and head is not None:  # the branch that is read goes on where the head is
        branches[save.branch] = new[head]
    return msgspec.structs.replace(
        save,
        turns=turns,
        head=None if head is None else new[head],
        futures={new[turn]: new[after] for turn, after in story.futures.items() if turn in new and after in new},
        branches=branches,
        quotes=tuple(
            msgspec.structs.replace(quote, turn=new[quote.turn]) for quote in save.quotes if quote.turn in new
        ),
        summaries=tuple(
            msgspec.structs.replace(each, turn=new[each.turn]) for each in save.summaries if each.turn in new
        ),
        deleted=save.deleted + len(gone),
    )
