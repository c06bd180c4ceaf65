"""Text on its way to the screen: nothing foreign gets there raw, and lines are wrapped as they are written.

Pure: knows widths, not terminals. screen.py does the writing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from wcwidth import wcwidth

# What may reach a terminal besides ordinary characters: newline and tab.
_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}  # ESC becomes ␛
_CONTROLS[0x7F] = "\N{SYMBOL FOR DELETE}"
# 8-bit controls, and overrides that let text run backwards over what stands beside it.
_REPLACED = (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
_CONTROLS |= dict.fromkeys(_REPLACED, "\N{REPLACEMENT CHARACTER}")
_CONTROLS |= {0x2028: "\n", 0x2029: "\n"}

TAB = 8
ZERO_WIDTH_JOINER, EMOJI_STYLE = "\u200d", "\ufe0f"
# What may not begin a line, and what may not end one, where lines can be broken between any two wide characters.
CLOSING = frozenset("、。，．：；！？）］｝」』】〉》〕…‥ー々,.:;!?)]}\"'”’%")
OPENING = frozenset("（［｛「『【〈《〔([{“‘")


def visible(text: str) -> str:
    """The text with control and escape characters made visible or replaced, so that it is only text."""
    return text.replace("\r\n", "\n").translate(_CONTROLS)


def one_line(text: str) -> str:
    """Visible, and without line breaks."""
    return " ".join(visible(text).split())


def cells(text: str) -> int:
    """The most columns that the text may take: terminals disagree on joined emoji, so their parts are added up."""
    return sum(1 if char == EMOJI_STYLE else abs(wcwidth(char)) for char in text)


def clipped(text: str, width: int) -> str:
    """The text, cut with an ellipsis if it is wider."""
    if cells(text) <= width:
        return text
    kept, used = "", 1
    for cluster in clusters(text):
        used += cells(cluster)
        if used > width:
            break
        kept += cluster
    return (kept + "…")[: max(width, 0)]


def clusters(text: str) -> Iterable[str]:
    """The text in stretches between which a line may be broken if it must be: accents stay with their letter."""
    cluster = ""
    for char in text:
        if cluster and not _belongs(cluster, char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


class Wrap:
    """Word wrap for text that comes in pieces: only the word in progress is held back.

    What comes out is what went in, plus a line break and the indent wherever a line would have become too long.
    The last column is for the blank after a word, so that no blank ever begins a line.
    """

    def __init__(self, width: int, indent: int = 0, column: int = 0) -> None:
        self.width = width  # may change between two pieces
        self.column = column  # where the next character will stand
        self._indent = indent
        self._fresh = True  # nothing but the indent stands in this line
        self._word = ""
        self._last = ""  # the cluster at the end of the word, which may still grow
        self._begun = False  # a part of the word has been shown
        self._out: list[str] = []

    def feed(self, text: str) -> str:
        for char in text:
            if char == "\n":
                self._place()
                self._out.append(char)
                self.column, self._fresh = 0, True
            elif char in " \t":
                self._place()
                self._blank(char)
            else:
                self._grow(char)
        return self._taken()

    def end(self) -> str:
        """The word that was held back."""
        self._place()
        return self._taken()

    def _taken(self) -> str:
        out, self._out = "".join(self._out), []
        return out

    def _grow(self, char: str) -> None:
        if self._last and _belongs(self._last, char):
            self._last += char
            return
        if self._last and _may_part(self._last, char):
            self._place()
        elif cells(self._word + self._last) > self.width:  # a "word" without end is not waited for
            self._put(self._word)
            self._word, self._begun = "", True
        self._word += self._last
        self._last = char

    def _place(self) -> None:
        word, self._word, self._last = self._word + self._last, "", ""
        if word:
            self._put(word)
        self._begun = False

    def _put(self, word: str) -> None:
        if self.column + cells(word) >= self.width and not self._fresh and not self._begun:
            self._break()
        for cluster in clusters(word) if self.column + cells(word) >= self.width else (word,):
            if self.column + cells(cluster) >= self.width and not self._fresh:
                self._break()
            self._out.append(cluster)
            self.column += cells(cluster)
            self._fresh = False

    def _blank(self, char: str) -> None:
        room = self.width - self.column
        if char == "\t":
            size = max(min(TAB - self.column % TAB, room), 0)  # a tab never leaves its line
        else:
            size = 1
            if room < 1:
                self._break()
        self._out.append(char)
        self.column += size
        self._fresh = False

    def _break(self) -> None:
        self._out.append("\n" + " " * self._indent)
        self.column, self._fresh = self._indent, True


def wrapped(text: str, width: int, indent: int = 0, column: int = 0) -> str:
    """A whole text, wrapped."""
    wrap = Wrap(width, indent, column)
    return wrap.feed(text) + wrap.end()


AHEAD = {"idle": " ○", "writing": " ◔", "ready": " ●"}  # how far the replies are that are written ahead


@dataclass(frozen=True, slots=True)
class Status:
    """What the toolbar tells."""

    model: str
    used: int  # tokens
    budget: int  # tokens
    gone: int  # turns that the model no longer sees
    speed: float  # tokens a second
    ahead: str = ""  # "idle", "writing" or "ready"; empty: no replies are written ahead


def toolbar(status: Status, width: int) -> str:
    """The status in one line, in words where there is room for them."""
    mark = AHEAD.get(status.ahead, "")
    return mark + _toolbar(status, width - len(mark))


def _toolbar(status: Status, width: int) -> str:
    turns = "turn" if status.gone == 1 else "turns"
    name = one_line(status.model)
    for meter, gone, speed in (
        (f"{status.used} of {status.budget} tokens", f"{status.gone} {turns} no longer seen", "tokens/s"),
        (f"{status.used}/{status.budget} tokens", f"{status.gone} {turns} out", "t/s"),
        (f"{status.used}/{status.budget}", f"{status.gone} out", "t/s"),
    ):
        parts = [meter, gone if status.gone else "", f"{status.speed:.0f} {speed}" if status.speed else ""]
        numbers = " · ".join(filter(None, parts))
        room = width - cells(numbers) - len("  ·  ")
        if room >= min(cells(name), 8):
            return f" {clipped(name, room)} · {numbers} "
    while len(parts) > 1 and cells(" · ".join(parts)) >= width:
        parts.pop()
    return clipped(" " + " · ".join(filter(None, parts)), width)


def _belongs(cluster: str, char: str) -> bool:
    """Is the character drawn as a part of the cluster before it?"""
    flag = len(cluster) == 1 and _is_flag(cluster) and _is_flag(char)
    skin = "\U0001f3fb" <= char <= "\U0001f3ff"
    return wcwidth(char) == 0 or cluster.endswith(ZERO_WIDTH_JOINER) or flag or skin


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _may_part(cluster: str, char: str) -> bool:
    """May a line end between the two, without a blank? Beside wide characters it may."""
    wide = wcwidth(cluster[0]) == 2 or wcwidth(char) == 2
    return wide and char not in CLOSING and cluster[0] not in OPENING
