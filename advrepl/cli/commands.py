"""The table of the commands: a module of this folder for each `advrepl COMMAND`, which parses, calls and prints."""

import re
from importlib import import_module
from typing import Annotated

import typer

from advrepl import __version__
from advrepl.cli.examples import EXAMPLES
from advrepl.cli.help import Command, Group

CLAUSE = re.compile(r"[;:] |, (?=and |with |which )")  # ends the part of a help that does alone

# name -> the module of this folder, and what there runs it: a function, or an app of further commands
COMMANDS = {
    "saves": "saves.app",
    "card": "card.app",
    "play": "play.play",
    "resume": "play.resume",
    "models": "models.show",
    "pull": "pull.pull",
    "config": "config.config",
    "doctor": "doctor.doctor",
    "decode": "weights.decode",
    "convert": "weights.convert",
    "judge": "judge.judge",
    "bench": "bench.bench",
    "tune": "tune.tune",
    "serve": "serve.serve",
    "size": "size.size",
}


def app(asked: str | None = None) -> typer.Typer:
    """Return all commands, or the one that is asked for alone, so that nothing waits for the others to be read."""
    commands = typer.Typer(
        cls=Group,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands.callback(invoke_without_command=True)(root)
    for name in [asked] if asked in COMMANDS else COMMANDS:
        module, what = COMMANDS[name].split(".")
        run = getattr(import_module(f"advrepl.cli.{module}"), what)
        if isinstance(run, typer.Typer):
            commands.add_typer(run, name=name)
        else:
            commands.command(name, epilog=EXAMPLES.get(name))(run)
    _helped(commands)
    return commands


def _helped(commands: typer.Typer) -> None:
    """Say the first clause of each command's help where there is a line for each; else its end is cut off."""
    for each in commands.registered_commands:
        each.cls = Command
        help = each.callback.__doc__ if each.callback else ""
        each.short_help = CLAUSE.split((help or "").split("\n")[0], 1)[0].rstrip(".") + "."
    for group in commands.registered_groups:
        if group.typer_instance:
            group.cls = Group
            group.short_help = CLAUSE.split(str(group.typer_instance.info.help), 1)[0].rstrip(".") + "."
            _helped(group.typer_instance)


def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """Text adventures and roleplay on local language models."""
    if version:
        typer.echo(f"advrepl {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
