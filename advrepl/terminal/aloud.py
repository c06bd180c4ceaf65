"""What of a story is read aloud, and when: each reply if the player wants it, else what /say asks for.

voice.py speaks.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

from advrepl import AdvreplError
from advrepl.play.events import Event, Reply
from advrepl.play.game import Game
from advrepl.play.reply import Option, Piece
from advrepl.prompt import options as menu
from advrepl.terminal.voice import Say, Voice, find_speakers


def last_reply(game: Game) -> Say:
    """Return the last reply to be read aloud; AdvreplError: there is none."""
    told = [turn.text for turn in game.story.path_turns() if turn.role == "model"]
    if not told:
        raise AdvreplError("there is no reply to read aloud yet")
    return Say("there is a voice at a terminal only", menu.parted(told[-1], game.option_count)[0])


class Aloud:
    """Reads the events of a game; the voice is found when it is first needed."""

    def __init__(self, language: str, *, replies: bool) -> None:
        """`replies`: each of them is read, for which AdvreplError: there is no voice."""
        self._language, self._replies = language, replies
        self._options = 0  # of this reply, read so far
        self._voice = Voice(find_speakers(), language) if replies else None

    def listening(self, keys: TextIO) -> AbstractContextManager[None]:
        """Begin with what is shown now, in whose context a key silences it."""
        if not self._voice:
            return nullcontext()
        self._voice.begin()
        self._options = 0
        return self._voice.silenced_by_keys(keys) if self._replies else nullcontext()

    def take(self, event: Event) -> None:
        """Read an event, if it is to be read; AdvreplError: there is no voice."""
        if isinstance(event, Say):
            self._voice = self._voice or Voice(find_speakers(), self._language)
            self._voice.begin()
            self._voice.feed(event.content)
            self._voice.end()
        elif self._voice and self._replies:
            self._take(self._voice, event)

    def trouble(self) -> str:
        """Return what keeps the voice from reading, and give it up; empty: nothing does."""
        found = self._voice.trouble if self._voice else ""
        if self._voice and found:
            self._voice.close()
            self._voice = None
        return found

    def hush(self) -> None:
        """Be silent at once."""
        if self._voice:
            self._voice.hush()

    def close(self) -> None:
        """Be silent for good."""
        if self._voice:
            self._voice.close()

    def _take(self, voice: Voice, event: Event) -> None:
        match event:
            case Piece(text):
                voice.feed(text)
            case Option(_, text):
                self._option(voice, text)
            case Reply(_, options, _):
                for text in options[self._options :]:
                    self._option(voice, text)
                voice.end()

    def _option(self, voice: Voice, text: str) -> None:
        voice.end()
        self._options += 1
        voice.feed(f"{self._options}: {text}\n")
