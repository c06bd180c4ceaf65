"""All that the model is told besides the turns: who plays, memory, notes, lore; and how the player changes it.

Works on the fields of a save. Does not know how any of it is spelled (prompt/) or which turns are still seen.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import msgspec

from advrepl import AdvreplError
from advrepl.lore import activation
from advrepl.lore.activation import LoreState
from advrepl.lore.books import Book, Entry, combine, parse_book
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand
from advrepl.story import injections
from advrepl.story.injections import LORE, NOTE
from advrepl.story.roleplay import context_of, scenario_of
from advrepl.story.saves import Save
from advrepl.story.scenario import Length, Reminder, Scenario
from advrepl.story.tree import Story, Telling

LORE_SHARE = 4  # lore takes at most this part of the context
# Fields of an entry that keep it out of some turns, even if it is constant.
RULES = (
    *("enabled", "secondary_keys", "additional_keys", "exclude_keys", "probability", "groups", "sticky", "cooldown"),
    *("delay", "activate_only_after", "activate_only_every", "greeting", "delay_until_recursion"),
)


@dataclass(frozen=True, slots=True)
class Due:
    """What a new turn of the player brings along, and what the story will remember of it."""

    before: dict[str, str]
    lore: LoreState
    bound: dict[str, str]
    news: tuple[str, ...]


class Backdrop:
    """The backdrop of one story."""

    def __init__(self, save: Save, count: Callable[[str], int], n_ctx: int) -> None:
        self._save, self._count, self._room = save, count, n_ctx // LORE_SHARE
        self.notes: list[str] = []  # what was odd, for the player
        self._own = self._own_books()
        self._book = self._combined()
        if not save.turns:
            self._lay_out()

    @property
    def scenario(self) -> Scenario:
        return self._save.scenario

    @property
    def entries(self) -> int:
        """How many entries the lore has."""
        return len(self._book.entries)

    def greeting(self, story: Story) -> int | None:
        """Which of the greetings the story began with."""
        first = story.turns[story.path[0]].text if story.path else ""
        greetings = self.scenario.greetings
        return greetings.index(first) if first in greetings else None

    # --- what the player changes

    def become(self, name: str, persona: str) -> None:
        """The player has this name and persona from now on; what was said stays as it is."""
        save, old = self._save, self.scenario
        if name.casefold() == old.narrator.casefold():
            raise AdvreplError(f"{name} is who the model speaks as: choose another name for yourself")
        if not save.character:
            self._replace(you=name, persona=self._filled(persona, "persona"))
            return
        fresh = scenario_of(save.character, name, persona, save.bound, seed=save.luck)
        note = {NOTE: old.reminders[NOTE]} if NOTE in old.reminders else {}
        save.scenario = msgspec.structs.replace(
            fresh, options=old.options, length=old.length, memory=old.memory, reminders={**fresh.reminders, **note}
        )
        self._lay_out()

    def remember(self, memory: str) -> None:
        self._replace(memory=self._filled(memory, "memory"))

    def note(self, text: str, depth: int) -> None:
        """Put an author's note; an empty one takes it away."""
        others = {source: reminder for source, reminder in self.scenario.reminders.items() if source != NOTE}
        mine = {NOTE: Reminder(self._filled(text, "note"), depth)} if text else {}
        self._replace(reminders={**others, **mine})

    def answer(self, length: Length) -> None:
        self._replace(length=length)

    def add_book(self, book: Book) -> None:
        self._save.books = [*self._save.books, book]
        self._book = self._combined()
        self._lay_out()

    # --- a turn

    def due(self, story: Story, said: str) -> Due:
        """What to put before the player's next turn."""
        save, bound = self._save, dict(self._save.bound)
        recent = story.told(max(len(story) - injections.reach(self.scenario), 0))
        spoken = _Spoken(story, self.scenario, said)
        context = self._context(
            last_message=spoken.last("user", "model"),
            last_user_message=spoken.last("user"),
            last_char_message=spoken.last("model"),
            last_message_id=str(len(story)),
            input=said,
        )
        active, state = activation.activate(
            self._book,
            spoken,
            save.lore,
            count=self._count,
            budget=self._room,
            rng=random.Random(f"{save.luck}|{len(story)}"),
            expand=lambda text: expand(text, context, bound, "lore", seed=save.luck, current_messages=True),
            greeting=self.greeting(story),
        )
        told = {LORE + each.entry.id: each.text for each in active if not _always(each.entry)}
        news = tuple(activation.switched_off_notes(save.lore, state))
        return Due(injections.due(self.scenario, told, recent), state, bound, news)

    def said(self, due: Due) -> None:
        """The turn was said: the story remembers what it brought along."""
        self._save.lore, self._save.bound = due.lore, due.bound

    # --- what it is made of

    def _own_books(self) -> list[Book]:
        """The character's own book, if there is one; what is odd about it is told when the story begins."""
        character = self._save.character
        if not character or not character.book:
            return []
        own, notes = parse_book(character.book, f"{character.name}'s lorebook")
        if not self._save.turns:
            self.notes += [f"lorebook: {note}" for note in notes]
        return [own]

    def _combined(self) -> Book:
        return combine([*self._own, *self._save.books])

    def _lay_out(self) -> None:
        """Lore that is always true goes to the head of the prompt, where it never moves, as far as there is room."""
        constant = sorted(filter(_always, self._book.entries), key=lambda entry: (-entry.priority, entry.order))
        chosen: dict[str, str] = {}
        room = self._room
        for entry in constant:
            text = self._filled(entry.content, "lore")
            size = self._count(text)
            if size <= room:
                chosen[entry.id], room = text, room - size
        if len(chosen) < len(constant):
            missing = len(constant) - len(chosen)
            self.notes.append(
                f"of {len(constant)} lore entries that always apply {missing} have no room: give a larger --ctx"
            )
        ordered = [chosen[entry.id] for entry in sorted(constant, key=lambda e: e.order) if entry.id in chosen]
        self._replace(lore="\n".join(text for text in ordered if text))

    def _replace(self, **fields: object) -> None:
        self._save.scenario = msgspec.structs.replace(self.scenario, **fields)

    def _filled(self, text: str, where: str) -> str:
        return expand(text, self._context(), self._save.bound, where, seed=self._save.luck).strip()

    def _context(self, **now: Any) -> MacroContext:
        scenario, model = self.scenario, self._save.model.name
        if self._save.character:
            return context_of(self._save.character, scenario.you, scenario.persona, model=model, **now)
        return MacroContext(user=scenario.you, char=scenario.narrator, persona=scenario.persona, model=model, **now)


def _always(entry: Entry) -> bool:
    """Does it apply in every turn, whatever is said?"""
    bare = Entry(entry.id, entry.content)
    unruled = all(getattr(entry, rule) == getattr(bare, rule) for rule in RULES)
    return (entry.constant or entry.activate) and unruled and bool(entry.content.strip())


class _Spoken(Sequence[str]):
    """The turns of a story and one more, with their speakers' names, read only as far back as they are asked for."""

    def __init__(self, story: Telling, scenario: Scenario, said: str) -> None:
        self._story, self._said = story, said
        self._names = {"user": scenario.you, "model": scenario.narrator}

    def __len__(self) -> int:
        return len(self._story) + 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, int):
            return self[index:][0]
        start, stop, step = index.indices(len(self))
        told = [f"{self._names[turn.role]}: {turn.text}" for turn in self._story.told(start)]
        return [*told, f"{self._names['user']}: {self._said}"][: stop - start : step]

    def last(self, *roles: str) -> str:
        """What one of these said last, before the new turn."""
        recent = self._story.told(max(len(self._story) - 2, 0))
        return next((turn.text for turn in reversed(recent) if turn.role in roles), "")
