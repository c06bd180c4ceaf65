"""All that the model is told besides the turns: who plays, memory, notes, lore; and how the player changes it.

Changes nothing in place: a change is a new save. Does not know how any of it is spelled (prompt/) or which turns are
still seen.
"""

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
from msgspec import Struct

from advrepl.lore import activation
from advrepl.lore.activation import ActiveEntry, Told
from advrepl.lore.books import combine, parse_book
from advrepl.lore.entries import SOURCES, Book, Entry, Role
from advrepl.lore.key_index import index_of
from advrepl.lore.timing import LoreState
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand, is_new_each_turn
from advrepl.story import carried, injections, quotes, summaries
from advrepl.story.injections import LORE, LORE_DEPTH, NOTE
from advrepl.story.roleplay import check_other, context_of, scenario_of
from advrepl.story.saves import Save, with_scenario
from advrepl.story.scenario import Injection, Scenario
from advrepl.story.tree import Story, Turn, TurnPath

STORY_ROOM = 128  # tokens that lore in the head leaves to the story, besides a share for the reply
NAMED = 3  # entries without room that are told by how they begin
LORE_SHARE = 4  # lore takes at most this part of the context
# Fields of an entry that keep it out of some turns, even if it is constant.
RULES = (
    *("enabled", "secondary_keys", "additional_keys", "exclude_keys", "probability", "groups", "sticky", "cooldown"),
    *("delay", "activate_only_after", "activate_only_every", "greeting", "delay_until_recursion", "outlet"),
    *("characters", "tags", "triggers", "role"),
)


LARGER_CTX = "give a larger --ctx"  # where the model takes one
OUTLET = re.compile(r"\{\{\s*outlet\s*(?:::?|\s)\s*([^{}]*?)\s*\}\}", re.IGNORECASE)


class TurnContext(Struct, frozen=True):
    """What a new turn of the player brings along, and what it and the save will remember."""

    injections: dict[str, str]  # as in Turn, and so are the roles
    injection_roles: dict[str, Role]
    lore_state: LoreState | None
    macro_values: dict[str, str]
    notices: tuple[str, ...]  # for the player


class StoryContext:
    """What the model is told in one story; of the story itself it is given the save, and keeps nothing but the lore."""

    def __init__(self, save: Save, count: Callable[[str], int], n_ctx: int, more_room: str = LARGER_CTX) -> None:
        """`count`: the tokens of a text; `n_ctx`: those of the context; `more_room`: what to do for more of them."""
        character = save.character
        self._character, self._count, self._n_ctx, self._room = character, count, n_ctx, n_ctx // LORE_SHARE
        self._more_room = more_room
        self.notes: list[str] = []  # what was odd about the lore, for the player
        self._own: list[Book] = []  # the character's
        if character and character.book:
            book, notes = parse_book(character.book, f"{character.name}'s lorebook")
            self._own = [book]
            if not save.turns:  # told once, when the story begins
                self.notes = [f"lorebook: {note}" for note in notes]
        self._books: tuple[Book, ...] = ()  # those that `_combined` holds besides
        self._combined = combine(self._own)
        self._outlets = self._named_outlets()

    def lore(self, save: Save) -> Book:
        """Return all lore as one book: the character's own and what the player added."""
        if save.books is not self._books:  # a save is never changed in place, so the same tuple is the same books
            self._books, self._combined = save.books, combine([*self._own, *save.books])
            self._outlets = self._named_outlets()
        return self._combined

    def _named_outlets(self) -> set[str]:
        """The outlets that a text of the character or an entry names; lore for another one is never told."""
        texts = [entry.content for entry in self._combined.entries]
        if self._character:
            fields = msgspec.to_builtins(msgspec.structs.replace(self._character, book=None))
            texts.append(msgspec.json.encode(fields).decode())
        return {found[1] for text in texts for found in OUTLET.finditer(text)}

    def greeting(self, save: Save, story: Story) -> int | None:
        """Return which of the card's greetings the story began with, from 0; None: with none of them."""
        first = story.turns[story.path[0]].text if story.path else ""
        scenario = save.scenario
        numbers = scenario.greeting_numbers or range(len(scenario.greetings))
        return dict(zip(scenario.greetings, numbers, strict=False)).get(first)

    # --- what the player changes; each returns the save as it would be

    def with_player(self, save: Save, name: str, persona: str) -> Save:
        """Let the player have this name and persona from now on; what was said stays as it is.

        Raises AdvreplError where the model speaks under that name.
        """
        old = save.scenario
        check_other(name, old.narrator)
        if not self._character:
            save, persona = self._expanded(save, persona, "persona")
            return with_scenario(save, you=name, persona=persona)
        values = dict(save.macro_values)
        fresh = scenario_of(self._character, name, persona, values, seed=save.rng_seed)
        note = {NOTE: old.injections[NOTE]} if NOTE in old.injections else {}
        scenario = msgspec.structs.replace(
            fresh,
            options=old.options,
            length=old.length,
            language=old.language,
            think=old.think,
            memory=old.memory,
            injections={**fresh.injections, **note},
        )
        return self.with_constant_lore(msgspec.structs.replace(save, scenario=scenario, macro_values=values))

    def with_memory(self, save: Save, text: str) -> Save:
        """Let the model never forget this text; an empty one takes it away."""
        save, memory = self._expanded(save, text, "memory")
        return with_scenario(save, memory=memory)

    def with_note(self, save: Save, text: str, depth: int) -> Save:
        """Put an author's note among the last `depth` turns; an empty text takes it away."""
        others = {source: injection for source, injection in save.scenario.injections.items() if source != NOTE}
        if text:
            save, text = self._expanded(save, text, "note")
            others[NOTE] = Injection(text, depth)
        return with_scenario(save, injections=others)

    def with_book(self, save: Save, book: Book) -> Save:
        """Add a lorebook; it applies from the next turn on."""
        return self.with_constant_lore(msgspec.structs.replace(save, books=(*save.books, book)))

    def with_constant_lore(self, save: Save) -> Save:
        """Put lore that is always true into the head of the prompt, where it never moves, as far as there is room."""
        index_of(self.lore(save))  # made now, so that no turn waits for it
        constant = sorted(filter(_always, self.lore(save).entries), key=lambda entry: (-entry.priority, entry.order))
        macros, values = self._macro_context(save), dict(save.macro_values)
        chosen: dict[str, str] = {}
        room = self._head_room(save.scenario)
        for entry in constant:
            text = expand(entry.content, macros, values, _place(entry), seed=save.rng_seed).strip()
            size = self._count(text)
            if size <= room:
                chosen[entry.id], room = text, room - size
        if missing := [entry for entry in constant if entry.id not in chosen]:
            begin = ", ".join(repr(" ".join(entry.content.split())[:30]) for entry in missing[:NAMED])
            self.notes.append(
                f"of {len(constant)} lore entries that always apply {len(missing)} have no room "
                f"({begin}{', …' if len(missing) > NAMED else ''}): {self._more_room}"
            )
        ordered = [chosen[entry.id] for entry in sorted(constant, key=lambda e: e.order) if entry.id in chosen]
        save = msgspec.structs.replace(save, macro_values=values)
        return with_scenario(save, lore="\n".join(text for text in ordered if text))

    def reopened(self, save: Save) -> Save:
        """Put lore into the head anew: another context, or another build, may have room for more or less of it.

        What was rolled for it stays, so that it reads the same where nothing has changed.
        """
        fresh = self.with_constant_lore(save)
        if save.turns and fresh.scenario.lore != save.scenario.lore:
            self.notes.append("the lore that always applies was put together anew: the whole prompt is read once")
        return fresh

    def _head_room(self, scenario: Scenario) -> int:
        """Tokens for lore in the head: less where the rest of that is large, so that a story still fits behind it."""
        told = "\n".join((scenario.system, scenario.persona, scenario.memory, scenario.instruction))
        return min(self._room, (LORE_SHARE - 1) * self._room - self._count(told) - STORY_ROOM)

    # --- a turn

    def for_turn(self, save: Save, story: Story, text: str) -> TurnContext:
        """Work out what to put before a turn of the player that says or does `text`."""
        scenario, values = save.scenario, dict(save.macro_values)
        recent = story.path_turns(max(len(story) - injections.reach(scenario), 0))
        spoken, number = _SpokenTurns(story, scenario, text), str(len(story))
        context = self._macro_context(
            save,
            last_message=spoken.last("user", "model"),
            last_user_message=spoken.last("user"),
            last_char_message=spoken.last("model"),
            last_message_id=number,
            input=text,
        )
        before_it = _remembered(save, recent)
        active, lore_state = activation.activate(
            self.lore(save),
            spoken,
            before_it,
            count=self._count,
            budget=self._room,
            rng=random.Random(f"{save.rng_seed}|{number}"),
            expand=lambda key: expand(key, context, values, "lore", seed=save.rng_seed, turn=number),
            expand_entry=lambda entry: expand(
                entry.content, context, values, _place(entry), seed=save.rng_seed, turn=number
            ),
            greeting=self.greeting(save, story),
            told=self._told(save, context, values),
        )
        lore = {LORE + each.entry.id: _injection(each) for each in active if self._is_told_by_turn(each.entry)}
        notices = tuple(activation.switched_off_notes(before_it, lore_state))
        kept = (quotes.told(save.quotes, story), summaries.told(save.summaries, story))
        if recap := "\n".join(filter(None, kept)):
            lore[injections.RECAP] = Injection(recap, LORE_DEPTH)
        if save.carried == carried.TOLD:
            line = carried.line(carried.answered(story, story).carried)
            lore[injections.CARRIED] = Injection(line, LORE_DEPTH)
        before = injections.due(scenario, lore, recent)
        texts = {source: injection.text for source, injection in before.items()}
        roles: dict[str, Role] = {source: each.role for source, each in before.items() if each.role != "system"}
        return TurnContext(texts, roles, lore_state if lore_state != LoreState() else None, values, notices)

    def _is_told_by_turn(self, entry: Entry) -> bool:
        """Whether an entry that applies is told before the turn: not one in the head, nor one that nothing asks for."""
        return entry.outlet in self._outlets if entry.position == "outlet" else not _always(entry)

    def _told(self, save: Save, context: MacroContext, values: dict[str, str]) -> Told:
        """Whom lore is told to: this character, and the texts about it that keys may be looked for in."""
        names = {save.scenario.narrator, Path(save.card_path or "").stem}
        sources: dict[str, str] = {}
        if self._character:
            names.add(self._character.name)
        if any(entry.match_sources for entry in self.lore(save).entries):
            sources = {
                name: expand(getattr(context, name), context, values, f"card.{name}", seed=save.rng_seed)
                for name in SOURCES
            }
        tags = self._character.tags if self._character else ()
        return Told(frozenset(map(str.casefold, names)), frozenset(map(str.casefold, tags)), sources)

    # --- macros

    def _expanded(self, save: Save, text: str, where: str) -> tuple[Save, str]:
        """The save with what the macros of a text rolled and set, and the text without them."""
        values = dict(save.macro_values)
        text = expand(text, self._macro_context(save), values, where, seed=save.rng_seed).strip()
        return msgspec.structs.replace(save, macro_values=values), text

    def _macro_context(self, save: Save, **now: Any) -> MacroContext:
        scenario = save.scenario
        note = scenario.injections.get(NOTE)
        now |= {"model": save.model.name, "max_context": str(self._n_ctx), "note": note.text if note else ""}
        if self._character:
            return context_of(self._character, scenario.you, scenario.persona, **now)
        return MacroContext(user=scenario.you, char=scenario.narrator, persona=scenario.persona, **now)


def _remembered(save: Save, recent: Sequence[Turn]) -> LoreState:
    """What the path remembers of its lore: its last turn of the player does, or a save of an older build."""
    of_player = next((turn for turn in reversed(recent) if turn.role == "user"), None)
    return (of_player and of_player.lore_state) or save.lore_state


def _always(entry: Entry) -> bool:
    """Does it apply in every turn, whatever is said, read the same, and want no place near the end of the prompt?"""
    if not (entry.constant or entry.activate) or not entry.content.strip() or is_new_each_turn(entry.content):
        return False
    if _depth(entry) < LORE_DEPTH:
        return False
    bare = Entry(entry.id, entry.content)
    return all(getattr(entry, rule) == getattr(bare, rule) for rule in RULES)


def _depth(entry: Entry) -> int:
    """How many turns old the entry may become before it is told again."""
    return min(entry.depth, LORE_DEPTH) if entry.position == "depth" else LORE_DEPTH


def _injection(active: ActiveEntry) -> Injection:
    return Injection(active.text, _depth(active.entry), active.entry.role)


def _place(entry: Entry) -> str:
    """Where the text of an entry stands: what its macros roll is its own."""
    return f"lore.{entry.id}"


class _SpokenTurns(Sequence[str]):
    """The turns of a story and one more, with their speakers' names, read only as far back as they are asked for."""

    def __init__(self, story: TurnPath, scenario: Scenario, text: str) -> None:
        self._story, self._text = story, text
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
        spoken = [f"{self._names[turn.role]}: {turn.text}" for turn in self._story.path_turns(start)]
        return [*spoken, f"{self._names['user']}: {self._text}"][: stop - start : step]

    def last(self, *roles: str) -> str:
        """Return what one of these said last, before the new turn."""
        recent = self._story.path_turns(max(len(self._story) - 2, 0))
        return next((turn.text for turn in reversed(recent) if turn.role in roles), "")
