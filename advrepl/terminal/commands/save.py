"""The /commands that save the story, and leave it."""

from collections.abc import Iterator
from pathlib import Path

from advrepl.play.events import Event, Note
from advrepl.play.state import Told
from advrepl.story.saves import write_copy
from advrepl.terminal.commands.table import Quit, command


@command("save", usage="[PATH]", at_once=True)
def save(told: Told, argument: str) -> Iterator[Event]:
    """Save now (it is done after every turn anyway), and show where; with PATH, write a copy there."""
    if argument:
        path = Path(argument).expanduser().absolute()
        path = path if path.suffix == ".json" else path.with_name(path.name + ".json")
        write_copy(path, told.state.save)
        yield Note(f"a copy is in {path}")
        return
    remark = told.keep()
    yield Note(f"saved in {told.file.path}" + (f"; {remark}" if remark else ""))


@command("quit", "q", "exit", "bye", "leave", at_once=True)
def leave(told: Told, argument: str) -> Iterator[Event]:
    """Save and leave, as Ctrl-D does."""
    raise Quit
