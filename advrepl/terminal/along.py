"""When what is being typed is read by the model: words as they are whole, the end of the line when the keys pause.

Does not work out what is read (play/reading.py), nor what is kept of it (engines/prefetch.py).
"""

import asyncio
import re
from collections.abc import Callable

from prompt_toolkit.document import Document

from advrepl.play.game import Game
from advrepl.play.reading import read_along
from advrepl.terminal.lines import may_be_option, said_in

SHOWN = 0.02  # seconds after a key, in which it is drawn before anything else is done
PAUSE = 0.12  # seconds without a key, after which the line may be whole
STILL = 1.5  # seconds without a key, after which replies to the options are written ahead again
_WHOLE_WORDS = re.compile(r".*\s", re.DOTALL)


class ReadingAlong:
    """Follows the line that is being typed in one prompt after the other. To be used in the editor's event loop."""

    def __init__(self, line: Callable[[], Document]) -> None:
        self._line = line
        self._timers: list[asyncio.TimerHandle] = []
        self._game: Game | None = None
        self._text = ""  # the line that is being read
        self._read = ""  # its whole words

    def begin(self) -> None:
        """Begin with another prompt."""
        self._stop()
        self._game, self._text, self._read = None, "", ""

    def pressed(self, game: Game) -> None:
        """Let all wait for a key but what is read of the line, and see what that has become once the key is drawn."""
        self._stop()
        if not (prefetcher := game.prefetcher):
            return
        self._game = game
        prefetcher.hold()
        later = asyncio.get_running_loop().call_later
        self._timers = [later(SHOWN, self._words), later(PAUSE, self._whole), later(STILL, self._still)]

    def changed(self) -> None:
        """Stop reading what the line no longer says."""
        if self._game and (prefetcher := self._game.prefetcher):
            text = self._line().text
            in_word = not text.startswith(self._text) or text[len(self._text) :][:1].isalnum()
            prefetcher.revoke(all=not text.startswith(self._read), in_word=in_word)

    def _words(self) -> None:
        """Read the words before the one that is being written, wherever in the line that is."""
        whole = _WHOLE_WORDS.match(self._line().text_before_cursor)
        self._follow(whole[0] if whole else "", whole=False)

    def _whole(self) -> None:
        self._follow(self._line().text, whole=True)

    def _follow(self, text: str, *, whole: bool) -> None:
        if game := self._game:
            self._text = text
            self._read = text if not whole else (found[0] if (found := _WHOLE_WORDS.match(text)) else "")
            line = self._line().text
            read_along(game, said_in(game, text), whole=whole, may_be_option=may_be_option(game, line))

    def _still(self) -> None:
        """Go on with the replies to the options; they are begun anew only where one of them may be picked."""
        game, prefetcher = self._game, self._game and self._game.prefetcher
        if game and prefetcher and (prefetcher.is_planned or not may_be_option(game, self._line().text)):
            prefetcher.resume()
        elif game:
            game.start_prefetch()

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
