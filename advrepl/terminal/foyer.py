"""What happens at the prompt of a story whose model is still being loaded: which line waits, and what is said then.

Does not read lines (editor.py) and does not load (play/loading.py).
"""

from collections.abc import Callable

from prompt_toolkit.application import run_in_terminal

from advrepl.play.game import Game
from advrepl.play.loading import Loading
from advrepl.terminal.editor import LineEditor
from advrepl.terminal.lines import PlayerLine
from advrepl.terminal.screen import Screen
from advrepl.terminal.words import WAITS, words

KEPT_WORDS = "what you have typed is kept: Up brings it back in the next story"


class Foyer:
    """The player's lines until the game is there."""

    def __init__(self, loading: Loading, screen: Screen, editor: LineEditor, entered: Callable[[Game], None]) -> None:
        """`entered` is told of the game when it is there, in the thread and the event loop of the editor."""
        self._loading, self._screen, self._editor, self._entered = loading, screen, editor, entered
        editor.on_loaded = self._loaded

    def wait(self, line: PlayerLine) -> None:
        """Let a line wait for the model; the editor keeps any other one until then."""
        self._screen.notice(words(WAITS))
        self._editor.waiting = line

    def taken(self) -> PlayerLine | None:
        """Return the line that has waited, once the game is there; what was told meanwhile is shown before."""
        line, self._editor.waiting = self._editor.waiting, None
        if line:
            self.tell()
        return line

    @property
    def text_behind(self) -> str:
        """Return what stood in the line when the one that has waited went before it."""
        return self._editor.put_off_text

    def _loaded(self) -> None:
        if self._loading.error:
            if self._editor.keep_in_history() or self._editor.waiting:
                self._loading.notices.append(KEPT_WORDS)
            self._editor.give_up(self._loading.error)
            return
        game = self._loading.wait()
        self._entered(game)
        self._editor.enter(game)
        if self._editor.waiting:
            self._editor.put_off()
        elif self._loading.notices:
            run_in_terminal(self._tell_above)

    def _tell_above(self) -> None:
        self.tell()
        self._screen.begin_paragraph()

    def tell(self) -> None:
        """Show what was said about the model."""
        for notice in self._loading.notices:
            self._screen.notice(notice)
