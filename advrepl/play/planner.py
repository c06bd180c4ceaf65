"""What the model would be shown and asked for next, in the story as it stands. Changes nothing.

Does not write replies (writer.py) and does not choose which are written ahead (candidates.py).
"""

import random
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.base import Engine
from advrepl.play import guidance, thoughts
from advrepl.play.reply import SOFT_END, ReplyTask, in_place_of_line, prompt_digest
from advrepl.play.state import GameState
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Segment, Window
from advrepl.prompt.window import blocks_from, build
from advrepl.story import carried, injections
from advrepl.story.context import StoryContext, TurnContext
from advrepl.story.saves import Save
from advrepl.story.tree import Story, Turn, TurnPath, WithoutLastTurn, WithTurn

T = TypeVar("T")

# Turns that the window drops to make room for the shortest line a player can enter are dropped for any line.
SHORTEST_LINE = "."

_OUT = "out of the cache"  # what the first block that is still in it is known as

LOOK_BACK = 4  # replies that a new one must not repeat
LONGEST_SHARE = 4  # a reply takes at most this part of the context
LONGEST = {"short": 60, "medium": 120}  # tokens of a reply that is wanted so long
LEAST_ROOM = 48  # tokens for a line and a little of what came before it: with less nobody can play
SEED_STEP = 0x85EBCA6B  # from the seed of one reply to that of the next
SPARE_TOKENS = 8  # for the joints between prose and options


class PlayerTurn(Struct, frozen=True):
    """A turn of the player as it would be: nothing of it has happened yet."""

    turn: Turn
    context: TurnContext
    window: Window  # for the reply to it


def context_for(save: Save, engine: Engine) -> StoryContext:
    """Return what a model is told in a story, as far as its context has room for it."""
    return StoryContext(save, lambda text: engine.count(Segment("", text)), engine.n_ctx, engine.more_room)


class Planner:
    """Plans the next reply. What was worked out is kept until the story changes, so that each window is built once."""

    def __init__(self, engine: Engine, format: Format, state: GameState, context: StoryContext) -> None:
        self._engine, self._format, self._context = engine, format, context
        self.state = state
        self.plain_model = False  # is the model left alone, without help for small ones?
        self._named: set[str] = set()  # what was left out for want of room, and told
        self._seed = random.getrandbits(31)  # for a story without one
        self._known: dict[Hashable, Any] = {}
        self._known_for: tuple[object, int | None] = (None, None)

    def window(self, start: int = 0) -> Window:
        """Return what the model is shown now, but nothing before block `start`. Raises AdvreplError without room."""
        return self._once(("now", start), lambda: self._build(self.state.story, start))

    def earlier_window(self) -> Window:
        """Return what the model was to be shown before the last turn."""
        return self._once("earlier", lambda: self._build(WithoutLastTurn(self.state.story)))

    def answered_window(self) -> Window | None:
        """Return what the model was shown for the last turn; None: it has written none, or not all of that stands."""
        if not (last := self.state.story.last) or not last.prompt:
            return None
        try:
            window = self.earlier_window()
        except AdvreplError:  # another context, in which it has no room
            return None
        return window if prompt_digest(window) == last.prompt else None

    def keep_out(self, start: int) -> None:
        """Show no block before this one until the story changes: they left the cache for a line that was being typed.

        To read them again takes as long as to read the whole window, should the player take that line back.
        """
        self.window()  # so that nothing is known that was true of another story
        self._known = {_OUT: start}

    def player_turn(self, text: str) -> PlayerTurn:
        """Return what would follow if the player said or did this; AdvreplError if there is no room for it."""
        return self._once(("turn", text), lambda: self._player_turn(text))

    def window_elsewhere(self, story: TurnPath, start: int) -> Window:
        """Return the window for a shortest line behind another path, but nothing before block `start`."""
        return self._built(WithTurn(story, Turn(None, "user", SHORTEST_LINE)), start)

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
            guidance.sampling(scenario, self._format, sampling, recent) if guided else sampling,
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
            held=carried.held(self.state.save, self.state.story, story) if self.state.option_count else None,
            think=min(self._thoughts(), max(self._engine.n_ctx - window.used - self._reply_room(), 0)),
            soft_end=guidance.SOFT_END if guided else SOFT_END,
            least=guidance.least_words(scenario, self._format) if guided and not prefix else 0,
        )

    def note_reply(self) -> None:
        """Let the engine know the last reply's tokens while it remembers how it was sampled."""
        scenario = self.state.save.scenario
        turns, dialogues = blocks_from(scenario, self.state.story, self.state.save.window_start)
        self._engine.count(self._format.spell(scenario, turns, dialogues).blocks[-1][-1])

    def asked(self, text: str, room: int) -> Window | None:
        """Return the window for a shortest line with a question in its place; None: no room for it and the answer."""
        spelled = self._format.spelled(self.state.save.scenario, text)
        window = in_place_of_line(self.player_turn(SHORTEST_LINE).window, spelled)
        size = self._engine.count(window.segments[-1 - len(window.prompt.cue)])
        return replace(window, used=window.used + size) if window.used + size + room < self._engine.n_ctx else None

    def reply_seed(self, turns: int) -> int:
        """Return the seed of a reply that is written when there are so many turns, in all branches of the story.

        It follows from the story's own, and differs between takes of one turn.
        """
        own = self.state.sampling.seed
        return ((self._seed if own is None else own) + SEED_STEP * (turns + self.state.save.deleted)) & 0x7FFFFFFF

    def check(self) -> None:
        """Raise AdvreplError if the context has no room for the system text and a line, or options contradict."""
        save = self.state.save
        if save.played.exact and (save.recap or save.carried == carried.TOLD):
            what = "/recap on" if save.recap else "--state told"
            raise AdvreplError(
                f"{what} asks the model while you read, and with --exact nothing follows from how long that takes: "
                "use one of the two"
            )
        window = self._build(Story())
        head, room = self._head_and_room(window)
        if room < LEAST_ROOM:
            raise AdvreplError(
                f"the system text takes {head} tokens of {window.budget} that the context has besides the "
                f"reply, and {room} are too few to play: shorten it, give a smaller --max-tokens, or "
                f"{self._engine.more_room}"
            )

    def check_note(self) -> None:
        """Raise AdvreplError if the player's note can never stand in the context."""
        note = self.state.save.scenario.injections.get(injections.NOTE)
        if not note:
            return
        turn = Turn(None, "user", ".", injections={injections.NOTE: note.text})
        window = self._build(WithTurn(Story(), turn))
        if injections.NOTE in window.left_out:
            size, (_, room) = self._engine.count(Segment("", note.text)), self._head_and_room(window)
            raise AdvreplError(
                f"the note takes {size} tokens and the context has room for {room} besides system text and reply: "
                f"write a shorter one, or {self._engine.more_room}"
            )

    def left_out(self, window: Window) -> list[str]:
        """Say which texts a window that is shown now has no room for, each the first time alone."""
        new = [name for name in dict.fromkeys(map(injections.named, window.left_out)) if name not in self._named]
        self._named.update(new)
        return [f"the context has no room for {name}, so it is left out: {self._engine.more_room}" for name in new]

    # --- how

    def _player_turn(self, text: str) -> PlayerTurn:
        save, story = self.state.save, self.state.story
        context = self._context.for_turn(save, story, text)
        turn = Turn(
            story.head,
            "user",
            text,
            injections=context.injections,
            injection_roles=context.injection_roles,
            lore_state=context.lore_state,
        )
        if self._is_guided([*story.path_turns(max(len(story) - 1, 0)), turn]):
            turn = replace(turn, injections=turn.injections | guidance.notes(save.scenario))
        window = self._build(WithTurn(story, turn))
        told = {source: said for source, said in turn.injections.items() if source not in window.left_out}
        return PlayerTurn(replace(turn, injections=told), context, window)

    def _build(self, story: TurnPath, start: int = 0) -> Window:
        save = self.state.save
        window = self._built(story, max(save.window_start, start))
        if self._known_for[0] is save and self._known_for[1] == self.state.story.head:
            out = self._known.get(_OUT, 0)
            window = self._built(story, out) if window.evicted < out else window
        return window

    def _built(self, story: TurnPath, start: int) -> Window:
        save, budget = self.state.save, self._engine.n_ctx - self._reserve()
        turns = guidance.turns_shown(self._engine, save.scenario) if self._is_helped() else None
        engine = self._engine
        return build(
            self._format, save.scenario, story, engine.sizes, budget, start, turns, engine.slide_to, engine.more_room
        )

    def _head_and_room(self, window: Window) -> tuple[int, int]:
        """Tokens of what always stands in the prompt, and those that are left to the story."""
        head = sum(map(self._engine.count, (*window.prompt.head, *window.prompt.cue)))
        return head, window.budget - head

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
        """Tokens kept free for a reply, and for the thoughts before it where the model is known to think."""
        return self._reply_room() + (self._thoughts() if self._format.thinks else 0)

    def _thoughts(self) -> int:
        return thoughts.longest(self.state.save.scenario.think, self._engine.n_ctx)

    def _reply_room(self) -> int:
        """Tokens for the reply itself; in a small context it is shorter, so that there is a past to reply to."""
        return self._longest() + self.state.option_count * menu.LINE_TOKENS + SPARE_TOKENS

    def _is_helped(self) -> bool:
        return not self.plain_model and guidance.applies(self._engine, self._format, self.state.save.scenario)

    def _is_guided(self, recent: Sequence[Turn]) -> bool:
        return self._is_helped() and guidance.is_told(self.state.save.scenario, recent)

    def _longest(self) -> int:
        wanted = self.state.sampling.max_tokens
        return min(wanted, LONGEST.get(self.state.save.scenario.length, wanted), self._engine.n_ctx // LONGEST_SHARE)
