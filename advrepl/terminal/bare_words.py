"""Words that a player may have meant for the program: `quit` and `help` alone in a line, `y` where it has asked.

Does nothing about them but ask; whoever sends the same line again means it for the story.
"""

from advrepl.terminal.commands.tree import YES

COMMAND_OF = {
    "quit": "/quit", "exit": "/quit", "bye": "/quit", "q": "/quit", ":q": "/quit", ":wq": "/quit", "logout": "/quit",
    "help": "/help", "?": "/help", "undo": "/undo", "retry": "/retry", "save": "/save", "restart": "/retry",
}  # fmt: skip


class BareWords:
    """Asks about each such line once."""

    def __init__(self) -> None:
        self._asked = ""

    def question(self, text: str) -> str:
        """Return what to ask before this line is said in the story; empty: nothing."""
        word = text.strip().casefold().rstrip(".!()")
        before, self._asked = self._asked, word
        command = COMMAND_OF.get(word or text.strip())
        if word in ("y", YES) and before.startswith("/delete "):
            command = f"{before} {YES}"
        if not command or before == word:
            return ""
        return f"did you mean {command}? To say “{text.strip()}” in the story, send it again"
