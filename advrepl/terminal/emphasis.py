"""*Actions* in italics, as chat front ends show them, in text that comes in pieces.

Pure: puts a mark where italics begin and end, in the asterisk's place. screen.py turns it into a terminal's code.
"""

from advrepl.terminal.text import ITALIC, UPRIGHT


class Emphasis:
    """Italics for a text that comes in pieces; only an asterisk at its end is held back, until what follows is known.

    Italics begin before it is known whether a second asterisk comes. So they end with their line at the latest.
    """

    def __init__(self) -> None:
        self._stars = 0  # asterisks at the end of the text
        self._before = " "  # what stands before them
        self._italic = False

    def feed(self, text: str) -> str:
        """Take the next piece, cut anywhere, and return what can be shown now."""
        return "".join(map(self._take, text))

    def end(self) -> str:
        """Return what was held back, and the end of what was begun; another text may follow."""
        return self._take("\n").removesuffix("\n")

    def _take(self, char: str) -> str:
        if char == "*":
            self._stars += 1
            return ""
        decided = self._decide(char) + (self._close() if char == "\n" else "")
        self._before = char
        return decided + char

    def _decide(self, after: str) -> str:
        """What the asterisks before this character are: a border of italics if there is one, else themselves."""
        stars, self._stars = self._stars, 0
        if stars == 1 and self._italic:
            return self._close()
        if stars == 1 and not after.isspace() and not self._before.isalnum():  # unlike those of a list, and of 5 * 3
            self._italic = True
            return ITALIC
        return "*" * stars

    def _close(self) -> str:
        was, self._italic = self._italic, False
        return UPRIGHT if was else ""


def emphasized(text: str) -> str:
    """Return a whole text with italics marked."""
    emphasis = Emphasis()
    return emphasis.feed(text) + emphasis.end()
