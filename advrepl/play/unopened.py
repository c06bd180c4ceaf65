"""A story that was found or begun, and whose model is still to be loaded; what of it can be shown before that.

Does not load the model (session.py).
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.engines.base import LoadProgress
from advrepl.engines.remote.address import Address
from advrepl.play.game import Game
from advrepl.play.lookup import Notice
from advrepl.play.settings import Settings
from advrepl.play.state import GameState
from advrepl.play.thoughts import read_thinking
from advrepl.prompt.formats import CHAT, FORMATS
from advrepl.story import carried, saves
from advrepl.story.context import StoryContext
from advrepl.story.roleplay import player
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import Save
from advrepl.story.tree import Turn

Opener = Callable[[Save, SaveFile, Path | Address, Settings, LoadProgress | None, Notice], Game]
ANY_CONTEXT = 1 << 20  # tokens; no text that is shown depends on it


class Unopened(Struct, frozen=True):
    """A story with its file, which is locked, and the model that it goes on with."""

    save: Save
    file: SaveFile
    path: Path | Address  # of the model
    settings: Settings
    opener: Opener
    forgets: bool = False  # does a new story go again if nothing is said in it?

    @property
    def model_name(self) -> str:
        """Return what the model is called; empty: only its server knows."""
        return models.name_of(self.path) if isinstance(self.path, Path) else ""

    def open(self, notice: Notice, loading: LoadProgress | None) -> Game:
        """Load the model; raises AdvreplError. `loading` is told the share of the model that is loaded (0 to 1)."""
        game = self.opener(self.save, self.file, self.path, self.settings, loading, notice)
        if self.forgets:
            game.forget_unless_played()
        return game

    def told(self) -> GameState | None:
        """Return the story as it stands once it is open; None: the model writes its beginning, or nobody knows yet."""
        if not isinstance(self.path, Path):
            return None
        try:
            if not self.path.is_dir():
                models.check_kind(self.path)  # what takes longer is told when the game is opened
            save = as_asked(msgspec.structs.replace(self.save, turns=[*self.save.turns]), self.settings)
            if save.turns:
                return GameState(save)
            if self.settings.you is not None:
                context = StoryContext(save, lambda _: 0, ANY_CONTEXT)
                save = context.with_player(save, *player(self.settings.you))
            opening, start = save.scenario.opening, save.scenario.start
            if not opening or (start and self._model_opens(self.path)):
                return None
        except AdvreplError:  # it is told when the game is opened
            return None
        state = GameState(save)
        if start:
            state.add(Turn(None, "user", start))
        state.add(Turn(state.story.head, "model", opening))
        return state

    def _model_opens(self, path: Path) -> bool:
        """Does the model write a beginning that was written for others?"""
        name = self.settings.format or ("" if path.is_dir() else models.format_told(path))
        return FORMATS[name].writes_opening if name in FORMATS else name != CHAT


def as_asked(save: Save, settings: Settings) -> Save:
    """Return the save with the options and the thoughts that were asked for; raises AdvreplError."""
    if settings.options is not None:
        save = saves.with_scenario(save, options=settings.options)
    if settings.state is not None:
        save = msgspec.structs.replace(save, carried=carried.read_mode(settings.state))
    if settings.think is not None:
        save = saves.with_scenario(save, think=read_thinking(settings.think))
    return save
