"""Read aloud by a program of the system: espeak-ng, speech-dispatcher, or macOS's say.

A sentence is read as soon as it is whole, while the rest is still written. A key silences it at once.
A program that cannot speak leaves it to the next one. Knows no game; repl.py feeds it.
"""

import os
import re
import select
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.play.events import Note
from advrepl.prompt import languages
from advrepl.terminal.text import visible

# A sentence ends behind its mark and closing quotation marks, once something follows; a line does, too.
SENTENCE = re.compile(r"""(?:[.!?…]+["'”’»)]*(?=\s)|[。！？]+[」』”）]*|\n+)""")
INSTALL = "there is no voice: install espeak-ng or speech-dispatcher (spd-say)"
CANNOT = "nothing is read aloud: {} cannot speak here; try it in a shell"
WATCH = 0.5  # seconds after which the watcher looks whether it is still wanted
# Of a sentence: 15 letters a second are usual. Without a sound card spd-say waits for ever.
LONGEST, LONGEST_LETTER = 15.0, 0.5


class Say(Note, frozen=True):
    """A text to be read aloud; the text of the note is for those who have no voice."""

    content: str


class Speaker(Struct, frozen=True):
    """A program that reads a text aloud and ends when it has."""

    command: tuple[str, ...]  # the text comes behind it, and before that
    language: str = ""  # the flag that sets a language by its code, where there is one
    own: str = ""  # the language that it reads without
    silence: tuple[str, ...] = ()  # what silences it, where ending it does not

    def reading(self, sentence: str, language: str) -> list[str]:
        """Return the command that reads a sentence; `language`: its code, empty where nobody knows it."""
        flags = (self.language, language) if self.language and language not in ("", self.own) else ()
        return [*self.command, *flags, "--", sentence]


def find_speakers() -> list[Speaker]:
    """Return the programs that this system has, the one to try first in front: that of ADVREPL_VOICE.

    Without it espeak-ng: it is silent as soon as it is ended, while speech-dispatcher's daemon speaks on for a moment.
    """
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or "C"
    own = "en" if locale.partition(".")[0] in ("C", "POSIX") else locale[:2]
    found: list[Speaker] = []
    if espeak := shutil.which("espeak-ng"):
        found.append(Speaker((espeak,), "-v", "en"))
    if spd := shutil.which("spd-say"):
        found.append(Speaker((spd, "--wait"), "--language", own, (spd, "--cancel")))
    if say := shutil.which("say"):
        found.append(Speaker((say,)))
    return sorted(found, key=lambda each: Path(each.command[0]).name != os.environ.get("ADVREPL_VOICE"))


class Voice:
    """Reads text that comes in pieces; a thread of its own waits for the program."""

    def __init__(self, speakers: Sequence[Speaker], language: str = "") -> None:
        """`language`: the code of the texts', empty: as they tell. AdvreplError: there is no program to speak with."""
        if not speakers:
            raise AdvreplError(INSTALL)
        self._speakers = list(speakers)  # the first one reads; what cannot goes
        self._language, self._heard = language, ""
        self.trouble = ""  # what the player should know: nothing speaks
        self._begun = ""  # a sentence that is not whole yet
        self._sentences: deque[str] = deque()
        self._changed = threading.Condition()
        self._running: subprocess.Popen[bytes] | None = None
        self._reads = self._muted = self._closed = False
        self._hushes = 0  # how often it was silenced
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
            self._hushes += 1
            self._sentences.clear()
            running = self._running
        if running:
            running.kill()
            for speaker in self._speakers[:1]:
                if speaker.silence:
                    with suppress(OSError, subprocess.SubprocessError):
                        subprocess.run(speaker.silence, capture_output=True, timeout=1, check=False)

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
            return bool(self._reads or self._sentences)

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
                self._running, self._reads = None, False
                self._changed.wait_for(lambda: self._closed or self._sentences)
                if self._closed:
                    return
                sentence, hushes, self._reads = self._sentences.popleft(), self._hushes, True
            language = languages.told_in(self._language, sentence, self._heard).code
            self._heard = sentence if language else self._heard
            while self._speakers and not self._is_read(sentence, language, hushes):
                failed = self._speakers.pop(0)
                self.trouble = "" if self._speakers else CANNOT.format(Path(failed.command[0]).name)

    def _is_read(self, sentence: str, language: str, hushes: int) -> bool:
        """Read a sentence with the first program unless it was silenced since; False: that cannot speak."""
        with self._changed:
            if self._hushes != hushes:
                return True
            quiet = subprocess.DEVNULL
            try:
                command = self._speakers[0].reading(sentence, language)
                running = self._running = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
            except OSError:
                return False
        try:
            code = running.wait(LONGEST + LONGEST_LETTER * len(sentence))
        except subprocess.TimeoutExpired:
            running.kill()
            code = running.wait()
        return code == 0 or self._hushes != hushes


def _watch(keys: TextIO, over: threading.Event, hush: Callable[[], None]) -> None:
    with suppress(OSError, ValueError):  # on Windows only sockets can be waited for
        while not over.is_set():
            if select.select([keys], [], [], WATCH)[0]:
                if not over.is_set():
                    hush()
                return
