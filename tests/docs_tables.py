"""The tables of the docs that come from the program itself: `make docs` writes them, a test compares.

Each stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import typer

from advrepl.cli.commands import app
from advrepl.terminal.commands import COMMANDS
from tests import ROOT

FILES = ("README.md", "docs/options.md")


def commands() -> Iterator[str]:
    """The /commands, as /help has them."""
    yield "| command | |"
    yield "|---|---|"
    for entry in COMMANDS.values():
        usage = f"{entry.name} {entry.usage}".rstrip().replace("|", "\\|")
        yield f"| `/{usage}` | {entry.help} |"


def program() -> Iterator[str]:
    """What can stand behind `advrepl`, as --help has it."""
    yield "| command | |"
    yield "|---|---|"
    for name, command in _commands(typer.main.get_command(app()), "advrepl"):
        yield f"| `{name}` | {(command.help or '').split('.')[0]}. |"


def options() -> Iterator[str]:
    """The options of each command, as --help has them."""
    for name, command in _commands(typer.main.get_command(app()), "advrepl"):
        rows = [row for each in command.params if (row := _row(each))]
        if rows:
            yield f"\n### {name}\n"
            yield "| option | |"
            yield "|---|---|"
            yield from rows


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument" or parameter.hidden or "completion" in parameter.name:
        return ""
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    words = re.sub(r"  \[", " [", parameter.help or "")
    return f"| {flags} | {words} |".replace("\n", " ").replace(" | off", " \\| off")


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


TABLES: dict[str, Callable[[], Iterator[str]]] = {"commands": commands, "program": program, "options": options}


def renewed(text: str) -> str:
    """Return a document with its tables as they are to be."""
    for name, lines in TABLES.items():
        begin, end = f"<!-- {name} -->\n\n", f"\n\n<!-- /{name} -->"
        if begin in text:
            before, rest = text.split(begin)
            text = before + begin + "\n".join(lines()).strip("\n") + end + rest.split(end)[1]
    return text


def main() -> None:
    """Write the tables into the docs."""
    for file in FILES:
        path = ROOT / file
        path.write_text(renewed(path.read_text()))


if __name__ == "__main__":
    main()
