"""`advrepl play` and `advrepl resume`: the flags of a story, and playing it at a terminal or line by line."""

import inspect
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advrepl import AdvreplError, program
from advrepl.cli import completion, home, opening, passphrases, values
from advrepl.cli.flags import GpuLayers, KvType, SavesFolder, Threads, flag, one_of, whole
from advrepl.cli.questions import agrees
from advrepl.sampling.params import PARAMETERS, Parameter

if TYPE_CHECKING:
    from advrepl.cli.opening import FindStory
    from advrepl.play.lookup import Notice
    from advrepl.play.session import Ask, Settings
    from advrepl.play.unopened import Unopened
    from advrepl.terminal.commands import Then


def _sampling_flag(parameter: Parameter) -> Any:
    """Return the type and flag of a sampling parameter; what it may be is said as /set says it."""
    off = "" if parameter.off is None else f"; {parameter.show(parameter.off)}: off"
    usual = "random" if parameter.default is None else parameter.show(parameter.default)
    words = f"{parameter.meaning[0].upper()}{parameter.meaning[1:]}{off} ({parameter.range}).  [default: {usual}]"
    metavar = f"<{parameter.kind.__name__}>"
    return Annotated[parameter.kind | None, flag(parameter.flag, help=words, read=parameter.read, metavar=metavar)]


BELL = 30  # seconds

# name of the parameter -> (type, flag); the flags that `play` and `resume` share.
PLAY_FLAGS: dict[str, Any] = {
    "model": Annotated[
        str | None,
        flag(
            "-m",
            "--model",
            help="GGUF file or Hugging Face folder, or (a part of) its name; or a server's http://…  "
            "[default: the newest]",
            autocompletion=completion.models,
        ),
    ],
    "format": Annotated[
        str | None,
        flag(
            "--format",
            help="Prompt format: metharme, pygmalion or chat.  [default: the model's]",
            read=values.read_format,
            metavar="metharme|pygmalion|chat",
            autocompletion=completion.prompt_formats,
        ),
    ],
    "saves": SavesFolder,
    "ctx": Annotated[
        int | None,
        whole("--ctx", help="Context in tokens.  [default: 4096, or less where the model knows less]", least=128),
    ],
    "threads": Threads,
    "gpu_layers": GpuLayers,
    "kv": KvType,
    "preset": Annotated[
        str | None,
        flag(
            "--preset",
            help="Sampler settings by name, as /preset lists them.",
            read=values.read_preset,
            metavar="<name>",
            autocompletion=completion.presets,
        ),
    ],
    **{name: _sampling_flag(each) for name, each in PARAMETERS.items() if each.is_flag},
    "you": Annotated[str | None, flag("--you", help="Your name, or `NAME: who you are`.  [default: asked for]")],
    "lore": Annotated[list[Path], flag("--lore", help="A lorebook or world info file; may be given again.")],
    "options": Annotated[
        int | None,
        flag(
            "--options",
            help="Choices after each reply; 0 is off.  [default: 3]",
            read=values.read_options,
            metavar="<int>",
        ),
    ],
    "language": Annotated[
        str | None,
        flag(
            "--language",
            help="What the story is told in (en, ru, de, fr, ja); else as its text tells.",
            read=values.read_language,
            metavar="<code>",
            autocompletion=completion.languages,
        ),
    ],
    "ban": Annotated[
        list[Path],
        flag("--ban", help="A file of phrases that replies must not hold, one a line; may be given again."),
    ],
    "state": Annotated[
        str | None,
        one_of(
            "--state",
            help="What you carry and where; told: the model and its options heed it.  [default: on in adventures]",
            choices=("off", "on", "told"),
        ),
    ],
    "think": Annotated[
        str | None,
        flag(
            "--think",
            help="How long a model may think before it replies: off, or tokens.",
            read=values.read_think,
            metavar="off|<tokens>",
        ),
    ],
    "shift": Annotated[bool, typer.Option("--shift/--no-shift", help="Move the cache when old turns slide out.")],
    "exact": Annotated[
        bool | None,
        flag("--exact/--no-exact", help="Every reply follows from the story and its seed alone; slides cost more."),
    ],
    "ahead": Annotated[
        bool | None,
        flag("--ahead/--no-ahead", help="Write replies before they are asked for; not on battery if not given."),
    ],
    "plain_model": Annotated[
        bool, typer.Option("--plain-model", help="Leave a small model alone with the story (docs/game.md).")
    ],
    "kv_file": Annotated[
        bool, typer.Option("--kv-file/--no-kv-file", help="Keep what the model has read beside the save.")
    ],
    "kv_limit": Annotated[
        str | None,
        flag(
            "--kv-cache-limit",
            help="What these may take, and in memory what you left.  [default: 4G]",
            read=values.read_limit,
            metavar="<size>",
        ),
    ],
    "plain": Annotated[
        bool, typer.Option("--plain", help="Lines of words only, for screen readers: nothing is drawn over.")
    ],
    "theme": Annotated[
        str | None,
        one_of(
            "--theme", help="Colors for a dark or a light terminal.  [default: as it tells]", choices=("dark", "light")
        ),
    ],
    "voice": Annotated[
        bool, typer.Option("--voice", help="Read each reply aloud (espeak-ng or speech-dispatcher); a key silences it.")
    ],
    "keys": Annotated[
        str | None,
        one_of("--keys", help="Keys of the line editor: emacs or vi.  [default: emacs]", choices=("emacs", "vi")),
    ],
    "bell": Annotated[
        int | None,
        whole("--bell", help="Ring when a reply took so many seconds; 0: never.  [default: 30]", least=0),
    ],
    "tokenizer": Annotated[
        Path | None, flag("--tokenizer", help="A GGUF file or folder that counts tokens for a server that does not.")
    ],
    "insecure": Annotated[
        bool, typer.Option("--insecure", help="Play on another machine over plain http, which can be read on the way.")
    ],
    "json": Annotated[bool, typer.Option("--json", help="Talk JSON lines, for other programs.")],
}
DEFAULTS: dict[str, Any] = {
    "lore": [],
    "ban": [],
    "shift": True,
    "plain_model": False,
    "kv_file": True,
    "json": False,
    "plain": False,
    "voice": False,
    "insecure": False,
}


def _with_play_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of PLAY_FLAGS; it gets them as one keyword argument, `chosen`."""
    own = [p for name, p in inspect.signature(command).parameters.items() if name != "chosen"]

    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in PLAY_FLAGS}
        command(**given, chosen=chosen)

    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=kind)
        for name, kind in PLAY_FLAGS.items()
    ]
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@_with_play_flags
def play(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A scenario, a character or a card; without one, a list of them is shown.",
            show_default=False,
            autocompletion=completion.beginnings,
        ),
    ] = None,
    save: Annotated[str | None, typer.Option("--save", help="The story's name.", show_default=False)] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Keep the story under a passphrase, which is asked for.")
    ] = False,
    *,
    chosen: dict[str, Any],
) -> None:
    """Begin a new story."""
    _begin(what or _chosen_beginning(chosen), chosen, save, encrypt=encrypt)


def _begin(beginning: str, chosen: dict[str, Any], save: str | None = None, *, encrypt: bool = False) -> None:
    from advrepl.play import lookup, session

    def begin(notice: "Notice", ask: "Ask | None", secret: "Ask | None") -> "Unopened":
        settings = _settings(chosen, save=save, lock=passphrases.new_lock(secret) if encrypt else None)
        story = session.new_story(beginning, settings, notice, ask)
        if encrypt:
            notice("an encrypted story has no cache file: resuming reads it again")
        if ask and (before := lookup.played_before(story.save.scenario.name, settings.folder)):
            notice(f"you have played this before: `{program.resume_command(before)}` goes on with it")
        return story

    _play(chosen, begin)


@_with_play_flags
def resume(
    name: Annotated[
        str | None,
        typer.Argument(help="The story's name; the newest if none is given.", autocompletion=completion.stories),
    ] = None,
    *,
    chosen: dict[str, Any],
) -> None:
    """Go on with a story."""
    _resume(name, chosen)


def _resume(name: str | None, chosen: dict[str, Any]) -> None:
    from advrepl.play import session

    settings = _settings(chosen)

    def go_on(notice: "Notice", ask: "Ask | None", secret: "Ask | None") -> "Unopened":
        agree = (lambda question: agrees(question, ask)) if ask else None
        return session.known_story(name, settings, notice, agree, lambda path: passphrases.unlock(path, secret))

    _play(chosen, go_on)


def _chosen_beginning(chosen: dict[str, Any]) -> str:
    """What somebody at a terminal picks; the usual adventure in a pipe, and for make, which says that it begins one."""
    from advrepl.story.scenario import START

    if not at_terminal(chosen["json"]) or os.environ.get(program.BY_MAKE):
        return START.name
    if picked := home.pick_beginning(plain=chosen["plain"], theme=chosen["theme"]):
        return picked
    raise typer.Exit


def _settings(chosen: dict[str, Any], **more: Any) -> "Settings":
    from advrepl.play.session import Settings

    as_given = {name: chosen[name] for name in Settings.__struct_fields__ if name in chosen}
    sampling = {name: chosen[name] for name in PARAMETERS if chosen.get(name) is not None}
    ours = {
        "sampling": sampling,
        "lore": tuple(chosen["lore"]),
        "ban": tuple(chosen["ban"]),
        "prefetch": _ahead(chosen),
    }
    return Settings(**as_given | ours | more)


def at_terminal(as_json: bool) -> bool:
    """Tell whether somebody sits at a terminal and reads."""
    return not as_json and sys.stdin.isatty() and sys.stdout.isatty()


def _ahead(chosen: dict[str, Any]) -> bool | None:
    """Unless something else was said: where somebody reads, so not for a script, and where it costs no battery."""
    from advrepl.machine import on_battery

    reads = chosen["json"] or at_terminal(chosen["json"])
    return False if chosen["ahead"] is None and (not reads or on_battery()) else chosen["ahead"]


def _play(chosen: dict[str, Any], find: "FindStory") -> None:
    """Open a game and play it: at a terminal if there is one, else line by line."""
    from advrepl.play.loading import Loading
    from advrepl.terminal import pipe
    from advrepl.terminal.interrupts import Interrupts

    as_json = chosen["json"]
    reads = at_terminal(as_json)
    notices: list[str] = []
    code, then = 1, None
    with Interrupts(lambda: None, math.inf):  # between what hears them itself: a story is closed, whatever comes
        game = opening.opened(find, notices.append, reads, at_once=reads and opening.can_draw(plain=chosen["plain"]))
        try:
            begins = game.is_new if isinstance(game, Loading) else game.waits_for_opening
            if reads or isinstance(game, Loading):
                from advrepl.terminal import repl

                bell = BELL if chosen["bell"] is None else chosen["bell"]
                look = repl.Look(chosen["plain"], chosen["theme"], chosen["voice"], chosen["keys"] == "vi", bell)
                left = repl.play(game, opening=begins, notices=notices, look=look)
                code, then = left.code, left.then
            else:
                output = pipe.JsonOutput(sys.stdout) if as_json else pipe.PlainOutput(sys.stdout, sys.stderr)
                code = pipe.play(game, output, pipe.unbuffered_input(), begins, notices)
        finally:
            game.close()
            if isinstance(game, Loading) and game.is_stuck:
                opening.leave_at_once(game, code, then)
    if then and not code:
        _go_on(then, game.file.path, chosen, encrypted=game.state.save.lock is not None)
    raise typer.Exit(code)


def _go_on(then: "Then", story: Path, chosen: dict[str, Any], *, encrypted: bool) -> None:
    """Play what the player has asked for in a story that is closed now, with the same options.

    What he begins in an `encrypted` one is encrypted too.
    """
    try:
        match then.kind:
            case "new":
                _begin(then.name, chosen, encrypt=encrypted)
            case "load":
                _resume(then.name, chosen | {"model": None})  # on its own model
    except AdvreplError as error:
        again = program.resume_command(story)
        raise AdvreplError(f"{error}\nThe story that you left is kept: {again}") from error
