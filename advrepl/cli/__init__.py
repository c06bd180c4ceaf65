"""The command line: what runs a command, and the first screen where none is named. commands.py has them all."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from advrepl import AdvreplError
from convert import ConvertError


def main() -> None:
    """Run a command; errors that the player can act on are one sentence on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a pipe's encoding may lack a letter, as on Windows
    if sys.argv[1:] and sys.argv[1].casefold().endswith(".gguf"):
        sys.argv.insert(1, "play")  # a model alone is there to be played
    try:
        _run()
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


def _run() -> None:
    if not sys.argv[1:] and not any(name.endswith("ADVREPL_COMPLETE") for name in os.environ):  # which shells set
        from advrepl.cli.home import home  # loads none of the commands: it is there at once

        sys.argv[1:] = home(at_terminal=sys.stdin.isatty() and sys.stdout.isatty())
        if not sys.argv[1:]:
            return
    from advrepl.cli.commands import NAMES, app

    if sys.argv[1:] and sys.argv[1] not in NAMES and not sys.argv[1].startswith("-"):
        from advrepl.cli.home import begun_with

        sys.argv.insert(1, begun_with(sys.argv[1], NAMES))
    if sys.argv[1:2] in (["play"], ["resume"]):
        from advrepl import paths

        if (own := paths.config_file()).exists():
            from advrepl.cli.config import arguments

            sys.argv[2:2] = arguments(own)
    app()


def _tell(error: str) -> NoReturn:
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.text import visible, wrap

    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(wrap(f"advrepl: {visible(error)}", screen_width(sys.stderr)) + "\n")
    sys.exit(1)
