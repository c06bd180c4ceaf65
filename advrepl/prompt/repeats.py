"""Notice a reply that repeats what was just said, while it is being written. Pure; works on words.

Does not decide what is done about it (writer.py).
"""

import re
from collections.abc import Iterable

# A run of this many words that stood in one of the last replies, or earlier in this one, is a repetition:
# names and phrases ("the old man with the lantern") are shorter, sentences said again are longer.
RUN = 9
# From this many words on a run is suspicious, and is held back, so that a repetition is never shown whole.
SUSPICIOUS = 4

# A word counts once it is over, so it must have something behind it.
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*(?=[\W_])")


class Repeats:
    """The longest run of words at the end of a growing text that was said before. A step costs the new words only."""

    def __init__(self, earlier: Iterable[str]) -> None:
        self._said: list[list[str]] = []
        self._after: dict[tuple[str, ...], list[tuple[int, int]]] = {}  # four words -> (text, place of the next word)
        for text in earlier:
            self._said.append([])
            for word in _WORD.finditer(text + "\n"):
                self._remember(len(self._said) - 1, word[0].casefold())
        self._said.append([])  # the text that is being written
        self._read = 0
        self._matches: list[tuple[int, int]] = []
        self.run = 0

    def read(self, text: str) -> int:
        """Take in the text so far (it only ever grows) and return the length of the run at its end, in words."""
        for word in _WORD.finditer(text, self._read):
            self._read = word.end()
            self._step(word[0].casefold())
        return self.run

    def _step(self, word: str) -> None:
        words = self._said[-1]
        self._matches = [(t, i + 1) for t, i in self._matches if i < len(self._said[t]) and self._said[t][i] == word]
        if self._matches:
            self.run += 1
            self._remember(len(self._said) - 1, word)
            return
        found = self._after.get((*words[1 - SUSPICIOUS :], word), [])
        self._matches, self.run = list(found), SUSPICIOUS if found else 0
        self._remember(len(self._said) - 1, word)

    def _remember(self, text: int, word: str) -> None:
        words = self._said[text]
        words.append(word)
        if len(words) >= SUSPICIOUS:
            self._after.setdefault(tuple(words[-SUSPICIOUS:]), []).append((text, len(words)))
