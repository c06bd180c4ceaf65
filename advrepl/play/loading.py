"""A story that is shown before its model is there, which is loaded in a thread once that has begun.

Does not open anything itself (session.py) and shows nothing.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from advrepl.play.game import Game
from advrepl.play.state import GameState, Told
from advrepl.workers import Worker

if TYPE_CHECKING:
    from advrepl.play.unopened import Unopened

PATIENCE = 0.5  # seconds in which llama.cpp lets go of a model between two tensors


class Loading(Told):
    """A story whose game is being opened. Used by the thread that plays; `game` and `error` come from the other one."""

    def __init__(self, unopened: "Unopened", told: GameState) -> None:
        """`told`: the story as it will stand when the game is open."""
        self.file, self.is_new, self.name = unopened.file, not unopened.save.turns, unopened.model_name
        self.game: Game | None = None
        self.error: BaseException | None = None
        self.notices: list[str] = []
        self.share = 0.0  # of the model that is loaded
        self._unopened, self.state = unopened, told
        self._given_up = False
        self._asked_to_keep = False
        self._lock = threading.Lock()  # for `game`, the file and the two below
        self._done = False
        self._then: Callable[[], None] | None = None
        # A daemon: one that hangs in llama.cpp keeps nobody who leaves.
        self._thread = Worker(self._open, "advrepl-loading", daemon=True)

    # --- the game

    def begin(self) -> None:
        """Load the model from now on: when all is shown, for what is loaded shares the interpreter with what shows."""
        if self._thread.ident is None:
            self._thread.start()

    def cancel(self) -> None:
        """End the reply that is being written, if there is a game."""
        if self.game:
            self.game.cancel()

    @property
    def is_stuck(self) -> bool:
        """Does the thread still load what was given up?"""
        return self._given_up and self._thread.is_alive()

    @property
    def is_kept(self) -> bool:
        """Was the story there before, or is it asked for that it is kept?"""
        return not self.is_new or self._asked_to_keep

    def keep(self) -> str:
        """Write the story as it will stand."""
        with self._lock:
            if self.game:
                return self.game.keep()
            self.file.write(self.state.save)
            self._asked_to_keep = True
        return ""

    def when_done(self, then: Callable[[], None] | None) -> None:
        """Call this once there is a game or an error, in that thread; now, if there is. None: nothing any more."""
        with self._lock:
            self._then, done = then, self._done
        if done and then:
            then()

    def wait(self) -> Game:
        """Return the game when it is there; raises what kept it from being opened."""
        self.begin()
        self._thread.join()
        if self.error:
            raise self.error
        assert self.game
        return self.game

    def close(self) -> None:
        """Leave what is there: the game, or a story that is as it was."""
        self._given_up = True
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
        try:
            if self.game:
                self.game.close()
            elif not self.is_kept:
                self.file.delete()
        finally:
            self.file.close()

    def _open(self) -> None:
        try:
            game = self._unopened.open(self.notices.append, self._loaded)
            with self._lock:
                if self.is_new and not self._given_up:
                    list(game.open())
                if self._asked_to_keep:
                    game.save()
                self.game = game
        except BaseException as error:  # told where the story is played
            self.error = error
        with self._lock:
            self._done, then = True, self._then
        if then:
            then()

    def _loaded(self, share: float) -> bool:
        self.share = share
        return not self._given_up
