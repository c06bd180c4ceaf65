"""The line in the player's own editor: Ctrl-X Ctrl-E, and v among vi's keys.

prompt_toolkit's own way waits for the editor also when a signal ends the program.
"""

import os
import shlex
import tempfile
from pathlib import Path

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import emacs_mode, has_selection, vi_navigation_mode
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from advrepl.terminal import lent

# Where neither $VISUAL nor $EDITOR names one.
USUAL = ("/usr/bin/editor", "/usr/bin/nano", "/usr/bin/pico", "/usr/bin/vi", "/usr/bin/emacs")


def keys() -> KeyBindings:
    """Return the keys that open it."""
    found = KeyBindings()
    found.add("c-x", "c-e", filter=emacs_mode & ~has_selection)(_open)
    found.add("v", filter=vi_navigation_mode)(_open)
    return found


def _open(event: KeyPressEvent) -> None:
    event.app.create_background_task(_edit(event.current_buffer))


async def _edit(buffer: Buffer) -> None:
    """Put what the editor leaves into the line; nothing, where it ends by an error."""
    with tempfile.TemporaryDirectory(prefix="advrepl-line-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "line.txt"
        file.write_bytes(buffer.text.encode("utf-8", "surrogateescape"))
        if await run_in_terminal(lambda: _is_edited(file), in_executor=True):
            text = file.read_bytes().decode("utf-8", "surrogateescape").removesuffix("\n")
            buffer.document = Document(text)


def _is_edited(file: Path) -> bool:
    for editor in (os.environ.get("VISUAL"), os.environ.get("EDITOR"), *USUAL):
        try:
            if command := shlex.split(editor or ""):
                return lent.run([*command, str(file)]) == 0
        except (OSError, ValueError):  # there is none of that name; a quotation that does not end
            continue
    return False
