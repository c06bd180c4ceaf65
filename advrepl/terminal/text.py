"""Text on its way to a terminal: foreign text made inert, widths in columns, word wrap for text that comes in pieces.

Pure: knows widths, not terminals. screen.py does the writing.
"""

from functools import lru_cache

from wcwidth import iter_graphemes, wcswidth

# What may reach a terminal besides ordinary characters: newline and tab.
_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}  # ESC becomes ␛
_CONTROLS[0x7F] = "\N{SYMBOL FOR DELETE}"
# 8-bit controls, and overrides that let text run backwards over what stands beside it.
_REPLACED = (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
_CONTROLS |= dict.fromkeys(_REPLACED, "\N{REPLACEMENT CHARACTER}")
_CONTROLS |= {0x2028: "\n", 0x2029: "\n"}
# What nobody sees, and what can hide a text in another or spell a name that looks like one: left out. Joiners and
# directional marks stay, as words of many scripts need them, and so do the selectors of an emoji's or kanji's form.
_INVISIBLE = (
    *(0xAD, 0x34F, 0x180E, 0x200B, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x2060, 0x2065), *range(0x206A, 0x2070), *range(0xFFF9, 0xFFFC), *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE0080), *range(0xE01F0, 0xE1000),
)  # fmt: skip
_CONTROLS |= dict.fromkeys(_INVISIBLE, "")

# Where italics and speech begin and end; some of the controls that no visible text holds. They take no room.
ITALIC, UPRIGHT, SPEECH, SPOKEN = "\x0e", "\x0f", "\x11", "\x12"

TAB_SIZE = 8
# What may not begin a line, and what may not end one, where lines can be broken between any two wide characters.
CLOSING = frozenset("、。，．：；！？）］｝」』】〉》〕…‥ー々,.:;!?)]}\"'”’%")
OPENING = frozenset("（［｛「『【〈《〔([{“‘")


def visible(text: str) -> str:
    """Return the text with control and escape characters made visible or replaced, so that it is only text."""
    if text.isascii() and text.isprintable():  # as most are; a list of thousands of stories is made of them
        return text
    return text.replace("\r\n", "\n").translate(_CONTROLS)


def one_line(text: str) -> str:
    """Return the text made visible, and without line breaks."""
    return " ".join(visible(text).split())


# wcwidth takes a joined emoji, a flag or a conjunct for one character of two columns, as kitty and Ghostty draw them;
# Alacritty, VTE and others draw the parts side by side. No terminal is asked, so each part counts: a line that breaks a
# few columns early looks fine, one that the terminal has to break itself does not.
def max_cells(text: str) -> int:
    """Return the most columns that any terminal may need for the text."""
    return len(text) if text.isascii() and text.isprintable() else sum(map(_char_cells, text))


@lru_cache(maxsize=4096)
def _char_cells(char: str) -> int:
    """Return what a character adds to what stands before it, which a vowel sign or an emoji selector may widen."""
    return max(wcswidth("#" + char) - 1, 0)


def clip(text: str, width: int) -> str:
    """Return the text, cut with an ellipsis if it may be wider than `width` columns."""
    if max_cells(text) <= width:
        return text
    if text.isascii() and text.isprintable():
        return text[: width - 1] + "…" if width > 0 else ""
    kept, used = "", 1
    for grapheme in iter_graphemes(text):
        used += max_cells(grapheme)
        if used > width:
            break
        kept += grapheme
    return kept + "…" if width > 0 else ""


class StreamWrapper:
    """Word wrap for text that comes in pieces: only the word in progress, or the blank before it, is held back.

    What comes out is what went in, plus a line break and the indent wherever a line would have become too long. No
    grapheme is ever cut: one that is wider than the screen is left to the terminal. The last column is for the blank
    after a word, so that no blank ever begins a line.
    """

    def __init__(self, width: int, indent: int = 0) -> None:
        self.width = width  # columns of the screen; may change between two pieces
        self._column = 0  # where the next grapheme will stand
        self._indent = indent
        self._at_start = True  # nothing but the indent stands in this line
        self._word: list[str] = []  # its graphemes that are held back
        self._word_cells = 0
        self._word_begun = False  # the front of the word has been written already
        self._previous = ""  # the word's last grapheme, written or not
        self._unfinished = ""  # the last grapheme of the text, which may still grow
        self._out: list[str] = []

    def feed(self, text: str) -> str:
        """Take the next piece, cut anywhere, and return what can be written now."""
        graphemes = list(iter_graphemes(self._unfinished + text))
        self._unfinished = graphemes.pop() if graphemes and graphemes[-1] not in "\n\t" else ""
        for grapheme in graphemes:
            self._take(grapheme)
        if self._unfinished.startswith(" "):  # whether a mark follows or not, the word before it is over
            self._end_word()
        return self._written()

    def end(self) -> str:
        """Return what was held back."""
        if self._unfinished:
            self._take(self._unfinished)
            self._unfinished = ""
        self._end_word()
        return self._written()

    def _written(self) -> str:
        out, self._out = "".join(self._out), []
        return out

    def _take(self, grapheme: str) -> None:
        if grapheme == "\n":
            self._end_word()
            self._out.append(grapheme)
            self._column, self._at_start = 0, True
        elif grapheme in " \t":
            self._end_word()
            self._write_blank(grapheme)
        elif grapheme in (ITALIC, UPRIGHT, SPEECH, SPOKEN):
            self._word.append(grapheme)
        else:
            self._grow_word(grapheme)

    def _grow_word(self, grapheme: str) -> None:
        if self._previous and may_part(self._previous, grapheme):
            self._end_word()
        elif self._word_cells > self.width:  # a "word" without end is not waited for
            self._write_word()
            self._word_begun = True
        self._word.append(grapheme)
        self._word_cells += max_cells(grapheme)
        self._previous = grapheme

    def _end_word(self) -> None:
        if self._word:
            self._write_word()
        self._previous, self._word_begun = "", False

    def _write_word(self) -> None:
        if not self._fits(self._word_cells) and not self._word_begun:
            self._break()
        if self._fits(self._word_cells):
            self._write("".join(self._word), self._word_cells)
        else:
            for grapheme in self._word:
                size = max_cells(grapheme)
                if not self._fits(size):
                    self._break()
                self._write(grapheme, size)
        self._word.clear()
        self._word_cells = 0

    def _write_blank(self, blank: str) -> None:
        room = self.width - self._column
        if blank == "\t":
            self._write(blank, max(min(TAB_SIZE - self._column % TAB_SIZE, room), 0))  # a tab never leaves its line
            return
        if room < 1:
            self._break()
        self._write(blank, 1)

    def _fits(self, size: int) -> bool:
        return self._column + size < self.width

    def _write(self, text: str, size: int) -> None:
        self._out.append(text)
        self._column += size
        self._at_start = False

    def _break(self) -> None:
        """Begin a new line, unless this one is as good as new."""
        if not self._at_start:
            self._out.append("\n" + " " * self._indent)
            self._column, self._at_start = self._indent, True


def wrap(text: str, width: int, indent: int = 0) -> str:
    """Return a whole text with line breaks, and `indent` blanks before all lines but the first."""
    if max_cells(text) < width and "\n" not in text and "\t" not in text:
        return text
    wrapper = StreamWrapper(width, indent)
    return wrapper.feed(text) + wrapper.end()


def may_part(left: str, right: str) -> bool:
    """Tell whether a line may end between the two: beside wide characters, and before a blank that carries a mark."""
    if right[0] == " ":
        return True
    wide = _char_cells(left[0]) == 2 or _char_cells(right[0]) == 2
    return wide and right[0] not in CLOSING and left[0] not in OPENING
