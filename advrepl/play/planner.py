"""What the model would be shown and asked for next, in the story as it stands. Changes nothing.

Does not write replies (writer.py) and does not choose which are written ahead (candidates.py).
"""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from advrepl import AdvreplError
from advrepl.engines.base import Engine
from advrepl.play import guidance
from advrepl.play.reply import ReplyTask
from advrepl.play.state import GameState
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Window
from advrepl.prompt.window import build
from advrepl.story.context import StoryContext, TurnContext
from advrepl.story.injections import NOTE, label, least_wanted
from advrepl.story.tree import Story, Turn, TurnPath, WithoutLastTurn, WithTurn

T = TypeVar("T")

LOOK_BACK = 4  # replies that a new one must not repeat
LONGEST_SHARE = 4  # a reply takes at most this part of the context
LONGEST = {"short": 60, "medium": 120}  # tokens of a reply that is wanted so long
LEAST_LINE = "I look around."  # without room for such a line there is no play
SPARE_TOKENS = 8  # for the joints between prose and options


@dataclass(frozen=True, slots=True)
class PlayerTurn:
    """A turn of the player as it would be: nothing of it has happened yet."""

    turn: Turn
    context: TurnContext
    window: Window  # for the reply to it
    left_out: tuple[str, ...]  # what had no room, as the player knows it


class Planner:
    """Plans the next reply. What was worked out is kept until the story changes, so that each window is built once."""

    def __init__(self, engine: Engine, format: Format, state: GameState, context: StoryContext) -> None:
        self._engine, self._format, self._context = engine, format, context
        self.state = state
        self.plain_model = False  # is the model left alone, without help for small ones?
        self._seed = random.getrandbits(31)  # for a story without one
        self._told_left_out: set[str] = set()
        self._known: dict[Hashable, Any] = {}
        self._known_for: tuple[object, int | None] = (None, None)

    def window(self, start: int = 0) -> Window:
        """Return what the model is shown now, but nothing before block `start`. Raises AdvreplError without room."""
        return self._once(("now", start), lambda: self._build(self.state.story, start))

    def earlier_window(self) -> Window:
        """Return what the model was to be shown before the last turn."""
        return self._once("earlier", lambda: self._build(WithoutLastTurn(self.state.story)))

    def player_turn(self, text: str) -> PlayerTurn:
        """Return what would follow if the player said or did this; AdvreplError if there is no room for it."""
        return self._once(("turn", text), lambda: self._player_turn(text))

    def reply_task(self, story: TurnPath, window: Window, seed: int, prefix: str = "") -> ReplyTask:
        """Return what the writer is asked for, to answer the story's last turn or to go on from `prefix`."""
        scenario = self.state.save.scenario
        seen = 0 if self._is_helped() else window.evicted - len(scenario.dialogues)
        recent = story.path_turns(max(seen, len(story) - 3 * guidance.LOOK_BACK, 0))
        if prefix:
            recent = recent[:-1]
        guided, sampling = self._is_guided(recent), replace(self.state.sampling, max_tokens=self._longest())
        return ReplyTask(
            window,
            lambda text: self._format.spelled(scenario, text),
            guidance.sampling(scenario, sampling) if guided else sampling,
            seed,
            self._format.stops(scenario),
            self.state.option_count,
            tuple(turn.text for turn in recent if turn.role == "model")[
                -guidance.LOOK_BACK if guided else -LOOK_BACK :
            ],
            prefix,
            guidance.beginning(scenario, recent) if guided and not prefix else "",
            guidance.verbs(scenario) if guided else (),
            scenario.narrator,
            scenario.language,
            self.state.save.bans,
        )

    def reply_seed(self, turns: int) -> int:
        """Return the seed of a reply that is written when there are so many turns, in all branches of the story.

        It follows from the story's own, and differs between takes of one turn.
        """
        own = self.state.sampling.seed
        return ((self._seed if own is None else own) + 0x85EBCA6B * turns) & 0x7FFFFFFF

    def notices(self, planned: PlayerTurn) -> tuple[str, ...]:
        """Return what is to be said of a turn that is taken; what had no room is named once."""
        names = [name for name in planned.left_out if name not in self._told_left_out]
        self._told_left_out.update(names)
        left = f"there is no room for {' and '.join(names)}: give a larger --ctx, or shorten the card"
        return (*planned.context.notices, *([left] if names else ()))

    def check(self, *, note: bool = False) -> None:
        """Raise AdvreplError if the context has no room for the system text and a turn, and the player's `note`."""
        window, text = self._build(Story()), self.state.save.scenario.injections.get(NOTE)
        try:
            self._build(WithTurn(Story(), Turn(None, "user", LEAST_LINE)))
        except AdvreplError:
            raise AdvreplError(
                f"the system text takes {window.used} of the {window.budget} tokens that the context has besides the "
                "reply, which leaves no room for a turn: shorten it, give a larger --ctx or a smaller --max-tokens"
            ) from None
        if note and text:
            try:
                self._build(WithTurn(Story(), Turn(None, "user", LEAST_LINE, injections={NOTE: text.text})))
            except AdvreplError:
                raise AdvreplError(
                    f"the note has no room beside the system text, which takes {window.used} of {window.budget} "
                    "tokens: shorten it, or give a larger --ctx"
                ) from None

    # --- how

    def _player_turn(self, text: str) -> PlayerTurn:
        save, story = self.state.save, self.state.story
        context = self._context.for_turn(save, story, text)
        turn = Turn(story.head, "user", text, injections=context.injections)
        if self._is_guided([*story.path_turns(max(len(story) - 1, 0)), turn]):
            turn = msgspec.structs.replace(turn, injections=turn.injections | guidance.notes(save.scenario))
        left_out: list[str] = []
        while True:
            try:
                window = self._build(WithTurn(story, turn))
            except AdvreplError:  # what the player has not said himself gives way
                source = least_wanted(turn)
                if source is None:
                    raise
                left_out.append(label(source))
                others = {name: text for name, text in turn.injections.items() if name != source}
                turn = msgspec.structs.replace(turn, injections=others)
            else:
                return PlayerTurn(turn, context, window, tuple(dict.fromkeys(filter(None, left_out))))

    def _build(self, story: TurnPath, start: int = 0) -> Window:
        save, budget = self.state.save, self._engine.n_ctx - self._reserve()
        turns = guidance.turns_shown(self._engine, save.scenario) if self._is_helped() else None
        start = max(save.window_start, start)
        return build(self._format, save.scenario, story, self._engine.count, budget, start, turns)

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returned for this key before, if the story has not changed since: a save is never changed in
        place, and turns are only added, which moves the head.
        """
        save, head = self.state.save, self.state.story.head
        if self._known_for[0] is not save or self._known_for[1] != head:
            self._known, self._known_for = {}, (save, head)
        if key not in self._known:
            self._known[key] = make()
        found: T = self._known[key]
        return found

    def _reserve(self) -> int:
        """Tokens kept free for a reply; in a small context replies are shorter, so that there is a past to reply to."""
        return self._longest() + self.state.option_count * menu.LINE_TOKENS + SPARE_TOKENS

    def _is_helped(self) -> bool:
        return not self.plain_model and guidance.applies(self._engine, self._format, self.state.save.scenario)

    def _is_guided(self, recent: Sequence[Turn]) -> bool:
        return self._is_helped() and guidance.is_told(self.state.save.scenario, recent)

    def _longest(self) -> int:
        wanted = self.state.sampling.max_tokens
        return min(wanted, LONGEST.get(self.state.save.scenario.length, wanted), self._engine.n_ctx // LONGEST_SHARE)
