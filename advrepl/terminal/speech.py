"""What is said aloud in a story, in text that comes in pieces: marks where a quotation begins and ends.

Pure, as emphasis.py is, whose marks pass through. The quotation marks themselves stay.
"""

from advrepl.terminal.text import ITALIC, SPEECH, SPOKEN, UPRIGHT

# What opens speech -> what may close it.
PAIRS = {'"': '"', "“": "”", "„": "“”", "«": "»", "»": "«", "「": "」", "『": "』"}
EITHER = '"»'  # these open or close: what stands before tells
BEFORE = "([{—–-*'„‚"


class Speech:
    """Marks for a text that comes in pieces; nothing is held back. Speech ends with its line at the latest."""

    def __init__(self) -> None:
        self._closing = ""  # what may end the speech that has begun
        self._before = " "

    def feed(self, text: str) -> str:
        """Take the next piece, cut anywhere, and return it with marks."""
        return "".join(map(self._take, text))

    def end(self) -> str:
        """Return the end of what was begun; another text may follow."""
        self._before = " "
        return self._close()

    def _take(self, char: str) -> str:
        if char in (ITALIC, UPRIGHT):
            return char
        before, self._before = self._before, char
        if self._closing:
            if char == "\n":
                return self._close() + char
            return char + (self._close() if char in self._closing else "")
        if char in PAIRS and (char not in EITHER or before.isspace() or before in BEFORE):
            self._closing = PAIRS[char]
            return SPEECH + char
        return char

    def _close(self) -> str:
        was, self._closing = self._closing, ""
        return SPOKEN if was else ""


def spoken(text: str) -> str:
    """Return a whole text with what is said marked."""
    speech = Speech()
    return speech.feed(text) + speech.end()
