"""Read aloud by a program of the system: speech-dispatcher, espeak-ng, or macOS's say.

A sentence is read as soon as it is whole, while the rest is still written. A key silences it at once.
Knows no game; repl.py feeds it.
"""

import re
import select
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from advrepl import AdvreplError
from advrepl.play.events import Note
from advrepl.terminal.text import visible

# A sentence ends behind its mark and closing quotation marks, once something follows; a line does, too.
SENTENCE = re.compile(r"""(?:[.!?…]+["'”’»)]*(?=\s)|[。！？]+[」』”）]*|\n+)""")
INSTALL = "there is no voice: install speech-dispatcher (spd-say) or espeak-ng"
WATCH = 0.5  # seconds after which the watcher looks whether it is still wanted


@dataclass(frozen=True, slots=True)
class Say(Note):
    """A text to be read aloud; the text of the note is for those who have no voice."""

    content: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """A program that reads a text aloud and ends when it has."""

    command: tuple[str, ...]  # the text comes behind it
    silence: tuple[str, ...] = ()  # what silences it, where ending it does not


def find_speaker(language: str = "") -> Speaker | None:
    """Return the program that this system has, set to a language by its code; None: it has none."""
    if spd := shutil.which("spd-say"):
        return Speaker((spd, "--wait", *(("--language", language) if language else ()), "--"), (spd, "--cancel"))
    if espeak := shutil.which("espeak-ng"):
        return Speaker((espeak, *(("-v", language) if language else ()), "--"))
    if say := shutil.which("say"):
        return Speaker((say, "--"))
    return None


class Voice:
    """Reads text that comes in pieces; a thread of its own waits for the program."""

    def __init__(self, speaker: Speaker | None) -> None:
        """AdvreplError: there is no program to speak with."""
        if not speaker:
            raise AdvreplError(INSTALL)
        self._speaker = speaker
        self._begun = ""  # a sentence that is not whole yet
        self._sentences: deque[str] = deque()
        self._changed = threading.Condition()
        self._running: subprocess.Popen[bytes] | None = None
        self._muted = self._closed = False
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()

    def feed(self, text: str) -> None:
        """Take the next piece of a reply."""
        self._begun += visible(text).replace("*", "")
        while found := SENTENCE.search(self._begun):
            sentence, self._begun = self._begun[: found.end()], self._begun[found.end() :]
            self._say(sentence)

    def end(self) -> None:
        """Take the reply for whole."""
        self._say(self._begun)
        self._begun = ""

    def begin(self) -> None:
        """Silence what is still read, and listen to the next text."""
        self.hush()
        self._muted = False

    def hush(self) -> None:
        """Be silent at once, for the rest of this text; from any thread."""
        with self._changed:
            self._muted = True
            self._sentences.clear()
            running = self._running
        if running:
            running.kill()
            if self._speaker.silence:
                with suppress(OSError, subprocess.SubprocessError):
                    subprocess.run(self._speaker.silence, capture_output=True, timeout=1, check=False)

    def close(self) -> None:
        """Be silent for good."""
        self.hush()
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(1)

    @property
    def speaks(self) -> bool:
        """Is anything read, or waiting to be?"""
        with self._changed:
            return bool(self._running or self._sentences)

    @contextmanager
    def silenced_by_keys(self, keys: TextIO) -> Iterator[None]:
        """Be silent as soon as a key is pressed meanwhile; the key stays where it is, for the next prompt."""
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(keys, over, self.hush), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()

    def _say(self, sentence: str) -> None:
        if not sentence.strip():
            return
        with self._changed:
            if not self._muted:
                self._sentences.append(sentence.strip())
                self._changed.notify()

    def _read_on(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(lambda: self._closed or self._sentences)
                if self._closed:
                    return
                command = (*self._speaker.command, self._sentences.popleft())
                try:
                    quiet = subprocess.DEVNULL
                    running = self._running = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
                except OSError:
                    continue
            running.wait()


def _watch(keys: TextIO, over: threading.Event, hush: Callable[[], None]) -> None:
    with suppress(OSError, ValueError):  # on Windows only sockets can be waited for
        while not over.is_set():
            if select.select([keys], [], [], WATCH)[0]:
                if not over.is_set():
                    hush()
                return
