"""The command line: what runs a command, and the first screen where none is named. commands.py has them all."""

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn, cast

from advrepl import AdvreplError, garbage
from convert import ConvertError

SOON = 0.01  # seconds


def main() -> None:
    """Run a command; errors that the player can act on are one sentence on stderr and exit code 1."""
    garbage.at_start()
    sys.unraisablehook = _heard_again
    _open_streams()
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


def _heard_again(lost: "sys.UnraisableHookArgs") -> None:
    """Let a Ctrl-C or a SIGTERM come again that has met a destructor, as patterns have: there Python drops them."""
    import threading

    error = lost.exc_value
    number = signal.SIGINT if isinstance(error, KeyboardInterrupt) else 0
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        number = error.code - 128
    if number <= 0:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(SOON, _send, (number,))  # when the destructor is done
    again.daemon = True
    again.start()


def _send(number: int) -> None:
    import threading

    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)  # which may wait for something


def _open_streams() -> None:
    """Give the program the three streams that it was started without (`>&-`), and let full ones be waited for.

    Else the next file that is opened would take the place of one, and a story's file get what llama.cpp says on stderr;
    and what whoever reads cannot take at once would be lost, where he has made the pipe one that nobody waits for.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest number that is free
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # till the end
        with suppress(OSError, AttributeError):  # Windows before Python 3.12 has no such pipes
            os.set_blocking(number, True)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="surrogateescape")  # before anything is read, and later it cannot be


def _run() -> None:
    if not sys.argv[1:] and not any(name.endswith("ADVREPL_COMPLETE") for name in os.environ):  # which shells set
        from advrepl.cli.home import home  # loads none of the commands: it is there at once

        sys.argv[1:] = home(at_terminal=sys.stdin.isatty() and sys.stdout.isatty())
        if not sys.argv[1:]:
            return
    from advrepl.cli.commands import COMMANDS

    if sys.argv[1:] and sys.argv[1] not in COMMANDS and not sys.argv[1].startswith("-"):
        from advrepl.cli.home import begun_with

        sys.argv.insert(1, begun_with(sys.argv[1], COMMANDS))
    if sys.argv[1:2] in (["play"], ["resume"]):
        from advrepl import paths

        if (own := paths.config_file()).exists():
            from advrepl.cli.config import arguments

            sys.argv[2:2] = arguments(own)
    _run_command()


def _run_command() -> None:
    import typer

    from advrepl.cli.commands import app

    wrong_use = cast(type[Exception], typer.BadParameter.__mro__[1])  # UsageError, which typer does not name
    try:
        code = app(*sys.argv[1:2])(standalone_mode=False)
    except wrong_use as error:
        from advrepl.cli.flags import misused

        _tell(misused(error))
    except typer.Abort:
        sys.exit(1)
    finally:
        if sys.argv[1:2] == ["--install-completion"]:
            from advrepl.cli.completion import mend_zsh

            mend_zsh()
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: str) -> NoReturn:
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.text import visible, wrap

    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(wrap(f"advrepl: {visible(error)}", screen_width(sys.stderr)) + "\n")
    sys.exit(1)
