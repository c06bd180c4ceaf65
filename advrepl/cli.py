"""The commands: parse, call, print; nothing else."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advrepl import AdvreplError, __version__, card_command, weights

if TYPE_CHECKING:
    from advrepl.game import Game
    from advrepl.session import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
saves_app = typer.Typer(no_args_is_help=True, help="List, show and delete stories.")
app.add_typer(saves_app, name="saves")
app.add_typer(card_command.card_app, name="card")

SavesFolder = Annotated[Path | None, typer.Option("--saves", envvar="ADVREPL_SAVES", help="The folder of the stories.")]


def _option(*names: str, help: str, **limits: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **limits)


KvType = Annotated[
    str | None, _option("--kv", help="Type of the cache: f16, or q8_0 for half the memory.", metavar="f16|q8_0")
]

# name of the parameter -> (type, option); the options that `play` and `resume` share.
PLAY_OPTIONS: dict[str, Any] = {
    "model": Annotated[str | None, _option("-m", "--model", help="GGUF file or Hugging Face folder, or its name.")],
    "format": Annotated[str | None, _option("--format", help="Prompt format: metharme, pygmalion or chat.")],
    "saves": SavesFolder,
    "ctx": Annotated[int | None, _option("--ctx", help="Context in tokens.", min=128)],
    "threads": Annotated[int | None, _option("--threads", help="CPU threads; all cores if not given.", min=1)],
    "gpu_layers": Annotated[int | None, _option("--gpu-layers", help="Layers on the GPU; all if not given.")],
    "kv": KvType,
    "seed": Annotated[int | None, _option("--seed", help="Makes the replies repeatable.", min=0)],
    "preset": Annotated[str | None, _option("--preset", help="Sampler settings by name, as /preset lists them.")],
    "temperature": Annotated[
        float | None, _option("--temperature", help="How bold: 0 is always the likeliest.", min=0)
    ],
    "top_k": Annotated[int | None, _option("--top-k", help="Only the k likeliest tokens; 0 is off.", min=0)],
    "top_p": Annotated[float | None, _option("--top-p", help="Only the likeliest p of all chance.", min=0, max=1)],
    "min_p": Annotated[float | None, _option("--min-p", help="Only tokens with p of the best chance.", min=0, max=1)],
    "repeat_penalty": Annotated[float | None, _option("--repeat-penalty", help="1 is off.", min=0)],
    "max_tokens": Annotated[int | None, _option("--max-tokens", help="The longest reply, options apart.", min=1)],
    "you": Annotated[str | None, _option("--you", help="Your name, or `NAME: who you are`.")],
    "lore": Annotated[list[Path], _option("--lore", help="A lorebook or world info file; may be given again.")],
    "options": Annotated[int | None, _option("--options", help="Choices after each reply; 0 is off.", min=0, max=8)],
    "shift": Annotated[bool, typer.Option("--shift/--no-shift", help="Move the cache when old turns slide out.")],
    "ahead": Annotated[
        bool | None,
        _option("--ahead/--no-ahead", help="Write replies before they are asked for; not on battery if not given."),
    ],
    "kv_file": Annotated[
        bool, typer.Option("--kv-file/--no-kv-file", help="Keep what the model has read beside the save.")
    ],
    "kv_limit": Annotated[str | None, _option("--kv-cache-limit", help="What these may take: 500M; 4G if not given.")],
    "json": Annotated[bool, typer.Option("--json", help="Talk JSON lines, for other programs.")],
}
DEFAULTS: dict[str, Any] = {"lore": [], "shift": True, "kv_file": True, "json": False}
SAMPLING = ("seed", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "max_tokens")


def _with_play_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of PLAY_OPTIONS; it gets them as one keyword argument, `chosen`."""
    own = [p for name, p in inspect.signature(command).parameters.items() if name != "chosen"]

    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in PLAY_OPTIONS}
        command(**given, chosen=chosen)

    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=kind)
        for name, kind in PLAY_OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@app.command()
@_with_play_options
def play(
    what: Annotated[str, typer.Argument(help="A scenario (start, lighthouse, night-train) or a card.")] = "start",
    save: Annotated[str | None, typer.Option("--save", help="The story's name.", show_default=False)] = None,
    *,
    chosen: dict[str, Any],
) -> None:
    """Begin a new story."""
    from advrepl import session

    settings = _settings(chosen, save=save)
    _play(chosen["json"], lambda notice, loading: session.new_game(what, settings, notice, loading))


@app.command()
@_with_play_options
def resume(
    name: Annotated[str | None, typer.Argument(help="The story's name; the newest if none is given.")] = None,
    *,
    chosen: dict[str, Any],
) -> None:
    """Go on with a story."""
    from advrepl import session

    settings = _settings(chosen)
    _play(chosen["json"], lambda notice, loading: session.resumed_game(name, settings, notice, loading))


@saves_app.command("list")
def saves_list(folder: SavesFolder = None) -> None:
    """Show the stories there are, the newest first."""
    from advrepl.terminal import stories

    stories.show_list(_folder(folder))


@saves_app.command("show")
def saves_show(name: str, folder: SavesFolder = None) -> None:
    """Print a story as it was read."""
    from advrepl.terminal import stories

    stories.show_story(_folder(folder), name)


@saves_app.command("delete")
def saves_delete(
    name: str,
    folder: SavesFolder = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a story and what belongs to it."""
    from advrepl.terminal import stories

    stories.delete(_folder(folder), name, sure=yes)


@app.command("models")
def show_models() -> None:
    """Show the models that can be played, and which is the default."""
    from advrepl.terminal import catalog

    catalog.show()


app.command()(weights.decode)
app.command()(weights.convert)


@app.command()
def bench(
    model: Annotated[str | None, _option("-m", "--model", help="GGUF file, or its name in the models folder.")] = None,
    ctx: Annotated[int, typer.Option(help="Context in tokens.", min=256)] = 1024,
    turns: Annotated[int, typer.Option(help="Turns of the story that is played.", min=2)] = 40,
    runs: Annotated[int, typer.Option(help="How often each figure is taken.", min=1)] = 3,
    threads: Annotated[int | None, _option("--threads", help="CPU threads; all cores if not given.", min=1)] = None,
    gpu_layers: Annotated[int | None, _option("--gpu-layers", help="Layers on the GPU; all if not given.")] = None,
    kv: KvType = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Measure this machine with a model: loading, feeding, writing, sliding."""
    from advrepl.engines.base import LoadOptions
    from advrepl.terminal import bench as table

    table.run(model, LoadOptions(ctx, threads, gpu_layers, kv), turns, runs, json)


@app.command()
def tune(
    model: Annotated[str | None, _option("-m", "--model", help="GGUF file, or its name in the models folder.")] = None,
    ctx: Annotated[int | None, _option("--ctx", help="Context in tokens to measure with.", min=512)] = None,
    seconds: Annotated[
        int | None, typer.Option(help="About how long it may take; 30, or 90 where the model is slow.", min=5)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Find the fastest way to run a model on this machine; play, resume and bench use it from then on."""
    from advrepl.terminal import tune as table

    table.run(model, ctx, seconds, json)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False) -> None:
    """Text adventures and roleplay on local language models."""
    if version:
        typer.echo(f"advrepl {__version__}")
        raise typer.Exit


def _settings(chosen: dict[str, Any], **more: Any) -> "Settings":
    from advrepl.session import Settings

    sampling = {name: chosen[name] for name in SAMPLING if chosen[name] is not None}
    names = ("model", "format", "saves", "ctx", "threads", "gpu_layers", "kv", "you", "options", "shift", "preset")
    keeping, lore = ("kv_file", "kv_limit"), tuple(chosen["lore"])
    ahead = _ahead(chosen)
    return Settings(
        sampling=sampling, lore=lore, ahead=ahead, **{name: chosen[name] for name in (*names, *keeping)}, **more
    )


def _at_terminal(as_json: bool) -> bool:
    return not as_json and sys.stdin.isatty() and sys.stdout.isatty()


def _ahead(chosen: dict[str, Any]) -> bool | None:
    """Unless something else was said: where somebody reads, so not for a script, and where it costs no battery."""
    from advrepl.engines.machine import on_battery

    reads = chosen["json"] or _at_terminal(chosen["json"])
    return False if chosen["ahead"] is None and (not reads or on_battery()) else chosen["ahead"]


def _folder(chosen: Path | None) -> Path:
    from advrepl.engines.models import home
    from advrepl.story.saves import folder

    return folder(chosen, home())


def _play(as_json: bool, open_game: Callable[..., "Game"]) -> None:
    """Open a game and play it: at a terminal if there is one, else line by line."""
    from advrepl.engines.models import home
    from advrepl.terminal import pipe, wait

    at_terminal = _at_terminal(as_json)
    lines, out, err = pipe.streams()
    notices: list[str] = []
    game = open_game(notices.append, wait.loading(err) if at_terminal else None)
    opening = game.waits_for_opening
    try:
        if at_terminal:
            from advrepl.terminal import repl

            code = repl.play(game, home=home(), opening=opening, notices=notices)
        else:
            output = pipe.JsonOutput(out) if as_json else pipe.PlainOutput(out, err)
            code = pipe.play(game, output, lines, opening, notices)
    finally:
        game.close()
    raise typer.Exit(code)


def main() -> None:
    """Run a command; errors that the player can act on are one sentence on stderr and exit code 1."""
    from convert import ConvertError

    try:
        app()
    except (AdvreplError, ConvertError) as error:
        from advrepl.terminal.view import visible

        sys.stderr.write(f"advrepl: {visible(str(error))}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has left; Python must not complain about it when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
