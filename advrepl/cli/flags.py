"""Flags that several commands share, how they are spelled, and how what is wrong with a value is said."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from advrepl import AdvreplError
from advrepl.cli import completion

MOST_SHOWN = 40  # characters of a wrong value
MOST_DIGITS = 18  # of a whole number; Python reads some thousands, and no flag has a use for them


def flag(*names: str, help: str, read: Callable[[str], Any] | None = None, **more: Any) -> Any:
    """Return a flag whose default is not shown, since None stands for one that is worked out.

    `read` makes its value of a text; the AdvreplError that it raises is what the player is told.
    """
    return typer.Option(*names, help=help, **{"show_default": False} | more | _parser(read))


def whole(*names: str, help: str, least: int, most: int | None = None, **more: Any) -> Any:
    """Return the flag of a whole number."""
    name = max(names, key=len).lstrip("-")

    def read(text: str) -> int:
        return read_whole(name, text, least, most)

    return flag(*names, help=help, read=read, **{"metavar": "<int>"} | more)


def read_whole(name: str, text: str, least: int, most: int | None) -> int:
    """Return the number of a text; raises AdvreplError if it is none, or out of these bounds."""
    number = int(text) if text.removeprefix("-").isdecimal() and len(text) <= MOST_DIGITS else None
    if number is None or number < least or (most is not None and number > most):
        bounds = f", {least} or more" if most is None else f" from {least} to {most}"
        raise AdvreplError(f"{name} is a whole number{bounds}, not {text[:MOST_SHOWN]!r}")
    return number


def one_of(*names: str, help: str, choices: tuple[str, ...]) -> Any:
    """Return the flag of one of these words."""
    name = max(names, key=len).lstrip("-")

    def read(text: str) -> str:
        if text not in choices:
            raise AdvreplError(f"{name} is {', '.join(choices[:-1])} or {choices[-1]}, not {text[:MOST_SHOWN]!r}")
        return text

    return flag(*names, help=help, read=read, metavar="|".join(choices), autocompletion=completion.words(choices))


def _parser(read: Callable[[str], Any] | None) -> dict[str, Any]:
    return {"parser": lambda value: read(str(value))} if read else {}  # a default comes as it is


def misused(error: Any) -> str:
    """Tell in a sentence what is wrong with a command line that typer does not understand (its UsageError)."""
    from advrepl import program
    from advrepl.hints import did_you_mean

    context, options = error.ctx, {}
    words: list[str] = []
    if context:
        options = {name: name for each in context.command.params for name in each.opts if name.startswith("--")}
    while context and context.parent:
        words.insert(0, context.info_name)
        context = context.parent
    words = words or [each for each in sys.argv[1:2] if not each.startswith("-")]  # where typer names the program alone
    shows = f"`{program.command(*words, '-h')}` shows what there is"
    if name := getattr(error, "option_name", None) if hasattr(error, "possibilities") else None:
        return f"there is no option {name[:MOST_SHOWN]}: {did_you_mean(name, options) or shows}"
    told = error.format_message().rstrip(".")
    return f"{told[:1].lower()}{told[1:]}: {shows}"


def say(text: str, *, err: bool = False) -> None:
    """Print a line in which names from files do nothing to the terminal; its words are not folded there."""
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.text import visible

    typer.echo(visible(_folded(text, screen_width(sys.stderr if err else sys.stdout))), err=err)


def _folded(text: str, width: int) -> str:
    """Break it between words; not where one is too long for a line, as a path that is to be copied whole may be."""
    from advrepl.terminal.text import max_cells, wrap

    return text if max(map(max_cells, text.split(" "))) >= width else wrap(text, width)


def tell(notice: str) -> None:
    """Say on stderr how an option was understood."""
    say(notice, err=True)


SavesFolder = Annotated[Path | None, typer.Option("--saves", envvar="ADVREPL_SAVES", help="The folder of the stories.")]
KvType = Annotated[
    str | None,
    one_of("--kv", help="Type of the cache; q8_0 takes half the memory.  [default: f16]", choices=("f16", "q8_0")),
]
ModelFlag = Annotated[
    str | None,
    flag(
        "-m",
        "--model",
        help="GGUF file, or (a part of) its name in the models folder.",
        autocompletion=completion.models,
    ),
]
Threads = Annotated[int | None, whole("--threads", help="CPU threads.  [default: all cores]", least=1)]
GpuLayers = Annotated[int | None, whole("--gpu-layers", help="Layers on the GPU.  [default: all]", least=-1)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
