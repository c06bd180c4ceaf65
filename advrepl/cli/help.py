"""How `advrepl COMMAND --help` lies on a narrow terminal: what is said of an option stands below it, not beside it.

Knows no command; commands.py gives it to all of them.
"""

import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

NARROW = 60  # columns, below which there is no room for a second one
INDENT = 4
_Usual: Any = typer.Context.formatter_class  # typer has it from click, by one name or another


class Help(_Usual):  # type: ignore[misc]
    """Writes help; click's own is never narrower than 50 columns."""

    width: int
    buffer: list[str]

    def __init__(self, *sizes: Any, **more: Any) -> None:
        super().__init__(*sizes, **more)
        self.width = min(self.width, max(shutil.get_terminal_size().columns - 2, 20))

    def write_dl(self, rows: Sequence[tuple[str, str]], *sizes: Any, **more: Any) -> None:
        """Write options or commands, each with what is said of it."""
        if self.width >= NARROW:
            super().write_dl(rows, *sizes, **more)
            return
        for name, about in rows:
            self._write_lines(name, self.current_indent)
            self._write_lines(about, self.current_indent + INDENT)

    def write_text(self, text: str) -> None:
        """Write a text; examples, whose lines are kept, where they are too long with what they do below them."""
        if not text.startswith("\b\n"):
            super().write_text(text)
            return
        margin = " " * self.current_indent
        for line in text.split("\n")[1:]:
            command, _, about = line.strip().partition("  ")
            if len(margin + line) <= self.width or not about:
                self.buffer.append(f"{margin}{line}\n")
            else:
                self.buffer.append(f"{margin}  {command}\n")
                self._write_lines(about.strip(), len(margin) + INDENT)

    def _write_lines(self, text: str, indent: int) -> None:
        margin = " " * indent
        for line in textwrap.wrap(text, self.width, initial_indent=margin, subsequent_indent=margin):
            self.buffer.append(line + "\n")


class Context(typer.Context):
    """A command that is being run."""

    formatter_class = Help


class Command(TyperCommand):
    """One that does something."""

    context_class = Context


class Group(TyperGroup):
    """One that has others."""

    context_class = Context
