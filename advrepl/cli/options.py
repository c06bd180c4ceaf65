"""Options that several commands share, and how they are spelled."""

from pathlib import Path
from typing import Annotated, Any

import typer


def option(*names: str, help: str, **limits: Any) -> Any:
    """Return an option whose default is not shown, since None stands for one that is worked out."""
    return typer.Option(*names, help=help, show_default=False, **limits)


def say(text: str, *, err: bool = False) -> None:
    """Print a line in which names from files do nothing to the terminal."""
    from advrepl.terminal.text import visible

    typer.echo(visible(text), err=err)


def tell(notice: str) -> None:
    """Say on stderr how an option was understood."""
    say(notice, err=True)


SavesFolder = Annotated[Path | None, typer.Option("--saves", envvar="ADVREPL_SAVES", help="The folder of the stories.")]
KvType = Annotated[
    str | None,
    option("--kv", help="Type of the cache; q8_0 takes half the memory.  [default: f16]", metavar="f16|q8_0"),
]
ModelFlag = Annotated[
    str | None, option("-m", "--model", help="GGUF file, or (a part of) its name in the models folder.")
]
Threads = Annotated[int | None, option("--threads", help="CPU threads.  [default: all cores]", min=1)]
GpuLayers = Annotated[int | None, option("--gpu-layers", help="Layers on the GPU.  [default: all]")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
