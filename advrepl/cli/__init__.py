"""The command line: one module for each `advrepl COMMAND`, which parses, calls and prints."""

import os
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from advrepl import AdvreplError, __version__
from advrepl.cli import bench, card, models, play, saves, tune, weights
from convert import ConvertError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(saves.app, name="saves")
app.add_typer(card.app, name="card")
for name, run in (
    ("play", play.play),
    ("resume", play.resume),
    ("models", models.show),
    ("decode", weights.decode),
    ("convert", weights.convert),
    ("bench", bench.bench),
    ("tune", tune.tune),
):
    app.command(name)(run)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False) -> None:
    """Text adventures and roleplay on local language models."""
    if version:
        typer.echo(f"advrepl {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; errors that the player can act on are one sentence on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a pipe's encoding may lack a letter, as on Windows
    if sys.argv[1:] and sys.argv[1].casefold().endswith(".gguf"):
        sys.argv.insert(1, "play")  # a model alone is there to be played
    try:
        app()
    except (AdvreplError, ConvertError) as error:
        _tell(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has left; Python must not complain about it when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a disk that is full, a folder that nobody may write to
        _tell(f"{error.filename or 'the system'}: {error.strerror}")


def _tell(error: str) -> NoReturn:
    from advrepl.terminal.text import visible

    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"advrepl: {visible(error)}\n")
    sys.exit(1)
