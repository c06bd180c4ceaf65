"""The table of the commands: a module of this folder for each `advrepl COMMAND`, which parses, calls and prints."""

from typing import Annotated

import typer

from advrepl import __version__
from advrepl.cli import bench, card, config, doctor, judge, models, play, pull, saves, serve, size, tune, weights
from advrepl.cli.examples import EXAMPLES

app = typer.Typer(
    pretty_exceptions_enable=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)
app.add_typer(saves.app, name="saves")
app.add_typer(card.app, name="card")
for name, run in (
    ("play", play.play),
    ("resume", play.resume),
    ("models", models.show),
    ("pull", pull.pull),
    ("config", config.config),
    ("doctor", doctor.doctor),
    ("decode", weights.decode),
    ("convert", weights.convert),
    ("judge", judge.judge),
    ("bench", bench.bench),
    ("tune", tune.tune),
    ("serve", serve.serve),
    ("size", size.size),
):
    app.command(name, epilog=EXAMPLES.get(name))(run)
NAMES = frozenset(each.name for kind in (app.registered_commands, app.registered_groups) for each in kind if each.name)


@app.callback(invoke_without_command=True)
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
