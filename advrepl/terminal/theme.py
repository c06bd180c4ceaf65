"""How a story looks: one style for each kind of text, for dark and for light terminals.

Pure: screen.py and editor.py use it. What is told apart by a style is told apart by a mark too, where there is none.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.terminal.text import ITALIC, SPEECH, SPOKEN, UPRIGHT

RESET = "\x1b[0m"
NAMES = {35: "ansimagenta", 36: "ansicyan"}  # of prompt_toolkit


class Capabilities(Struct, frozen=True):
    """What a terminal can do."""

    style: bool  # bold, dim and color
    cursor: bool  # going back in a line
    words: bool = False  # all is told in words, for a screen reader: no marks that are only seen

    @classmethod
    def of(cls, environment: Mapping[str, str], *, plain: bool = False) -> "Capabilities":
        """Read them from TERM and NO_COLOR (https://no-color.org); `plain`: nothing but lines of words is wanted."""
        cursor = not plain and environment.get("TERM", "").lower() not in ("", "dumb", "unknown")
        return cls(style=cursor and not environment.get("NO_COLOR"), cursor=cursor, words=plain)


class Theme(Struct, frozen=True):
    """Colors by their ANSI numbers, which the terminal's own palette fills in; the narrator has none."""

    speech: int
    player: int
    error: int

    @property
    def marks(self) -> dict[int, str]:
        """Return a table for str.translate: the marks of text.py to what a terminal makes of them."""
        codes = {ITALIC: "\x1b[3m", UPRIGHT: "\x1b[23m", SPEECH: f"\x1b[{self.speech}m", SPOKEN: "\x1b[39m"}
        return str.maketrans(codes)

    def styled(self, kind: str, text: str) -> str:
        """Return a text in the style of its kind: title, option, note, memory, player, error."""
        code = {"title": 1, "option": 1, "note": 2, "memory": 2, "player": self.player, "error": self.error}[kind]
        return f"\x1b[{code}m{text}{RESET}"

    @property
    def prompts(self) -> dict[str, str]:
        """Return the styles of prompt_toolkit: a line that was sent looks as screen.py shows the player's.

        Dim, never bright black: in the palettes of Solarized, Nord and others that is nearly the background.
        """
        return {
            "bottom-toolbar": "noreverse dim",
            "accepted": NAMES[self.player],
            "placeholder": "dim",
            "auto-suggestion": "fg:default dim",
            "completion-menu.completion.current": "noreverse bold fg:#ffffff bg:#444444",
            "title": "bold",
            "chosen": f"bold {NAMES[self.player]}",
            "hint": "dim",
        }


# Cyan and green are hard to read on white, blue on black; and red where it is not bright.
THEMES = {"dark": Theme(speech=32, player=36, error=91), "light": Theme(speech=34, player=35, error=31)}
LIGHT = ("7", "15")  # the backgrounds of COLORFGBG that are light


def choose(name: str | None, environment: Mapping[str, str], is_light: Callable[[], bool] = lambda: False) -> Theme:
    """Return the theme of a name; without one, that of the background that the environment tells of.

    `is_light` is asked where it does not. Raises AdvreplError where there is no such theme.
    """
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    name = name or ("light" if (background in LIGHT if background.isdecimal() else is_light()) else "dark")
    if name not in THEMES:
        raise AdvreplError(f"there is no theme {name!r}: it is {' or '.join(THEMES)}")
    return THEMES[name]


def unstyled(kind: str, text: str) -> str:
    """Return a text that is told apart without any style: the program's own words stand in brackets."""
    match kind:
        case "note":
            return f"[{text}]"
        case "error":
            return f"error: {text}"
        case _:
            return text
