"""Write the replies of a story again, from what is kept of how each was written, and tell where they differ.

The story itself is not changed. Opens nothing (session.py).
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.base import Engine, LoadProgress
from advrepl.play import lookup, remembered, session, thoughts
from advrepl.play.lookup import Notice
from advrepl.play.planner import Planner, context_for
from advrepl.play.reply import ReplyTask, Written
from advrepl.play.settings import Settings
from advrepl.play.state import GameState
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.story.saves import Save
from advrepl.story.tree import Turn

# "other prompt": it would be written for another prompt than it was; "unknown": the story does not say how it was made.
Result = Literal["same", "differs", "other prompt", "unknown"]


class Compared(Struct, frozen=True):
    """A reply, and what becomes of it when it is written again."""

    turn: int  # counted from 1, as /tree has it
    result: Result
    was: str = ""
    now: str = ""

    @property
    def at(self) -> int:
        """Return at which character the two begin to differ."""
        pairs = enumerate(zip(self.was, self.now, strict=False))
        return next((at for at, (one, other) in pairs if one != other), min(len(self.was), len(self.now)))


class Replay:
    """A story whose replies are written again, one by one."""

    def __init__(self, engine: Engine, format: Format, save: Save, *, plain_model: bool = False) -> None:
        self._engine = engine
        self._state = GameState(replace(save, turns=list(save.turns), branch=""))
        context = context_for(save, engine)
        self._planner = Planner(engine, format, self._state, context)
        self._planner.plain_model = plain_model

    def __len__(self) -> int:
        """Return how many replies of the path may be written again."""
        return sum(turn.role == "model" for turn in self._state.story.path_turns())

    def compared(self) -> Iterator[Compared]:
        """Write the replies of the path that is read, each behind the story as it stands before it."""
        for index in tuple(self._state.story.path):
            if self._state.story.turns[index].role == "model":
                yield self._compared(index)

    def _compared(self, index: int) -> Compared:
        state = self._state
        turn = state.story.turns[index]
        if turn.seed is None or turn.sampling is None or turn.sampling >= len(state.save.samplings):
            return Compared(index + 1, "unknown")
        state.replace(sampling=state.save.samplings[turn.sampling])
        task = self._task(index, turn, turn.seed)
        if not task:
            return Compared(index + 1, "other prompt")
        written = self._written(task)
        state.goto(index)
        self._planner.note_reply()
        was, now = turn.text, written.text
        if turn.stop == "interrupted":  # the player has stopped it
            was, now = menu.parted(was, state.option_count)[0], written.prose
            now = now[: len(was)]
        return Compared(index + 1, "same" if was == now else "differs", was, now)

    def _task(self, index: int, turn: Turn, seed: int) -> ReplyTask | None:
        """What the reply was asked for with: behind its parent, or as more of an earlier take; None: nobody knows."""
        story, count = self._state.story, self._state.option_count
        before = [(turn.parent, "")]
        for take in story.siblings(index):
            prose = menu.parted(story.turns[take].text, count)[0]
            if take < index and prose and turn.text.startswith(prose):
                before.append((take, prose))
        for head, prefix in before:
            self._state.goto(head)
            self._state.replace(window_start=turn.start)
            try:
                task = self._planner.reply_task(story, self._planner.window(), seed, prefix)
            except AdvreplError:  # another context, in which it has no room
                continue
            if task.digest == turn.prompt:
                return task
        return None

    def _written(self, task: ReplyTask) -> Written:
        for event in thoughts.written(self._engine, task, None, lambda: False):
            if isinstance(event, Written):
                return event
        raise AssertionError("a reply ends with what was written")


def opened(
    save: Save, settings: Settings, notice: Notice, loading: LoadProgress | None = None
) -> tuple[Replay, Engine]:
    """Open the model that a story was played on, to write its replies again; raises AdvreplError."""
    path = lookup.model(save.model, settings.model, notice, None)
    settings = remembered.applied(replace(settings, prefetch=False), save, path)
    engine = session.open_engine(path, save, settings, loading, notice)
    try:
        format = session.format_for(save, settings, engine, notice)
        return Replay(engine, format, save, plain_model=settings.plain_model), engine
    except BaseException:
        engine.close()
        raise
