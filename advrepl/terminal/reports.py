"""Keys that prompt_toolkit takes for text: what a terminal reports because a program before ours has asked for it.

That one has ended without taking it back: that the window has the focus, and keys as kitty's protocol spells them.
"""

from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.keys import Keys

FOCUS = ("\x1b[I", "\x1b[O")
ESCAPE, ENTER, ALT, CTRL = 27, 13, 3, 5  # as kitty numbers them
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def understand() -> None:
    """Let all prompts know them; before the first one reads."""
    found: dict[str, Keys | tuple[Keys | str, ...]] = dict.fromkeys(FOCUS, Keys.Ignore)
    found[f"\x1b[{ESCAPE}u"] = Keys.Escape
    found |= {f"\x1b[{ENTER};{held}u": (Keys.Escape, Keys.ControlM) for held in (2, ALT, CTRL)}
    found |= {f"\x1b[{ord(letter)};{CTRL}u": Keys(f"c-{letter}") for letter in LETTERS}
    found |= {f"\x1b[{ord(letter)};{ALT}u": (Keys.Escape, letter) for letter in LETTERS}
    for spelled, key in found.items():
        ANSI_SEQUENCES.setdefault(spelled, key)  # type: ignore[arg-type]  # a letter is a key, too
