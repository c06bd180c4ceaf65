"""`advrepl judge`: which quantization of a model is good enough for a story."""

from typing import TYPE_CHECKING, Annotated

import typer

from advrepl.cli import passphrases
from advrepl.cli.flags import AsJson, GpuLayers, SavesFolder, Threads, say, tell, whole
from advrepl.cli.tables import show_json

if TYPE_CHECKING:
    from advrepl.engines.llama.model import LlamaModel
    from advrepl.prompt.formats import Format
    from advrepl.tuning.judge import Agreement, Judged

LIMIT = 0.1  # nats


def judge(
    reference: Annotated[str, typer.Argument(metavar="F16.gguf", help="What the others were made from.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE.gguf...", help="The quantized files.")],
    on: Annotated[str, typer.Option("--on", metavar="SAVE", help="The story: its name, or its file.")],
    limit: Annotated[float, typer.Option(help="The mean KL divergence that is good enough, in nats.", min=0)] = LIMIT,
    tokens: Annotated[
        int, whole("--tokens", help="Tokens of the story to judge, at most.", least=64, show_default=True)
    ] = 2000,
    ctx: Annotated[int | None, whole("--ctx", help="Context in tokens.", least=256)] = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    folder: SavesFolder = None,
    json: AsJson = False,
) -> None:
    """Compare quantized files with their F16 over a story, and name the smallest that is good enough."""
    from advrepl import AdvreplError, paths
    from advrepl.cli.console import Report, bars
    from advrepl.cli.tables import listing, screen_width
    from advrepl.engines import models
    from advrepl.engines.base import LoadOptions
    from advrepl.engines.llama.log import Log
    from advrepl.engines.llama.playable import check_playable
    from advrepl.play import lookup
    from advrepl.story import saves
    from advrepl.tuning import judge as judging

    found = [models.resolve(file, tell) for file in (reference, *files)]
    for path in found:
        if path.is_dir():
            raise AdvreplError(f"{path} is a folder: judge compares GGUF files")
        check_playable(path)
    story, _ = lookup.story(on, paths.saves_folder(folder), tell)
    passphrases.unlock(story)
    save = saves.load(story)
    reports: dict[str, Report] = {}
    with bars() as step:

        def report(name: str, share: float) -> None:
            reports[name] = reports.get(name) or step("reading")
            reports[name](name, share, 1)

        judged = judging.judge(
            found,
            save,
            LoadOptions(ctx, threads, gpu_layers),
            tokens,
            lambda model: _format(save.format, model),
            aloud,
            Log(paths.llama_log()),
            report,
        )
    best = judging.smallest(judged, limit)
    if json:
        show_json({"limit": limit, "smallest": best.file if best else None, "files": judged})
        return
    for line in listing(HEADINGS, _rows(judged), screen_width(), right=HEADINGS[1:2] + HEADINGS[3:]):
        say(line)
    say(f"Within {limit:g}: {best.file}." if best else f"None is within {limit:g}: take a larger one.")


HEADINGS = ("file", "size", "of the story", "tokens", "KL divergence", "same first choice")


def _format(name: str, model: "LlamaModel") -> "Format":
    """The format that the story was played in, where this model can be told it."""
    from advrepl.engines import models
    from advrepl.engines.llama.engine import LlamaEngine
    from advrepl.prompt.formats import FORMATS

    return models.choose_format(name if name in FORMATS else None, LlamaEngine(model))


def aloud(text: str) -> list[bool]:
    """Tell of each character whether it is spoken, as the terminal shows it."""
    from advrepl.terminal.speech import spoken
    from advrepl.terminal.text import SPEECH, SPOKEN

    told, inside = list[bool](), False
    for char in spoken(text.translate(dict.fromkeys(map(ord, (SPEECH, SPOKEN)), " "))):  # a model may write any byte
        if char in (SPEECH, SPOKEN):
            inside = char == SPEECH
        else:
            told.append(inside)
    return told


def _rows(judged: "list[Judged]") -> list[tuple[str, ...]]:
    rows = []
    for each in judged:
        named = [("all", each.all), *each.kinds.items()]
        rows += [_row(each if not at else None, kind, agreement) for at, (kind, agreement) in enumerate(named)]
    return rows


def _row(judged: "Judged | None", kind: str, found: "Agreement") -> tuple[str, ...]:
    file, size = (judged.file, f"{judged.bytes / 1e6:.0f} MB") if judged else ("", "")
    return file, size, kind, str(found.tokens), f"{found.kl:.4f}", f"{found.same:.1%}"
