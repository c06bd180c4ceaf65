"""Earlier lines of the player, in all stories."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from prompt_toolkit.history import FileHistory

from advrepl import atomic, regular

MAX_HISTORY_LINE = 4000  # characters; a longer line is a pasted text, and stays out of the history file
MOST_OFFERED = 10_000  # lines, the newest: each key looks for one that begins as the player's does, up to the oldest


class History(FileHistory):
    """Earlier lines, kept in a file; where that cannot be read or written, in memory only."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """Return the newest lines of the file, the newest first; none if it cannot be read."""
        if not regular.is_there(self._path):
            return []
        try:
            return list(islice(super().load_history_strings(), MOST_OFFERED))
        except OSError:
            return []

    def store_string(self, string: str) -> None:
        """Add a line to the file, unless it is a pasted text or the file cannot be written."""
        if len(string) > MAX_HISTORY_LINE:
            return
        try:
            atomic.make_folder(self._path.parent)
            self._path.touch(mode=0o600)
            if regular.is_there(self._path):  # not a pipe that nobody reads
                super().store_string(string.encode("utf-8", "replace").decode())
        except OSError:
            pass  # the line was sent; that it is not offered again next time can be lived with
