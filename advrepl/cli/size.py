"""`advrepl size`: what a model needs for so many players, worked out from its header."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl.cli import completion
from advrepl.cli.flags import AsJson, flag, say, tell, whole
from advrepl.cli.tables import show_json

if TYPE_CHECKING:
    from advrepl.tuning.sizing import ModelShape, Sizing


def size(
    model: Annotated[
        str,
        typer.Argument(
            help="GGUF file or Hugging Face folder, or (a part of) its name.", autocompletion=completion.models
        ),
    ],
    players: Annotated[
        int, whole("--players", help="How many play at a time.", least=1, most=100_000, show_default=True)
    ] = 1,
    ctx: Annotated[int | None, whole("--ctx", help="Context in tokens for each player.", least=128)] = None,
    card: Annotated[
        list[str] | None,
        flag("--card", help="A card as GB:GB/s:TFLOPS (24:936:71); may be given again. Else this machine is taken."),
    ] = None,
    tensor_parallel: Annotated[
        bool, typer.Option("--tensor-parallel", help="Divide each layer over the cards, as vLLM does.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Work out what a model needs for so many players, and how fast it would be."""
    from advrepl.cli.tables import listing, screen_width
    from advrepl.engines import models
    from advrepl.engines.base import DEFAULT_CTX
    from advrepl.tuning import sizing

    shape = shape_of(models.resolve(model, tell))
    devices = [sizing.read_device(each) for each in card] if card else [sizing.this_device()]
    n_ctx = ctx or min(DEFAULT_CTX, shape.context or DEFAULT_CTX)
    found = sizing.size(shape, players, n_ctx, devices, tensor_parallel)
    if json:
        show_json(found)
        return
    told = rows(found, shape, players, n_ctx, bool(card))
    for line in listing(("figure", "value", "what it is"), told, screen_width(), right=("value",)):
        say(line)


def shape_of(path: Path) -> "ModelShape":
    """Return what the header of a file or folder says of its size."""
    from advrepl import paths
    from advrepl.engines.files import size_of
    from advrepl.engines.hf.folder import open_folder
    from advrepl.engines.llama.log import Log
    from advrepl.engines.llama.shape import header
    from advrepl.tuning.sizing import ModelShape, checked, folder_shape

    if path.is_dir():
        return folder_shape(path, open_folder(path).parameters)
    return checked(ModelShape(name=path.stem, weights=size_of(path), **header(path, Log(paths.llama_log()))))


def rows(found: "Sizing", shape: "ModelShape", players: int, n_ctx: int, cards: bool) -> list[tuple[str, str, str]]:
    """Return the figures as name, value and what it is."""
    fits = "fits" if found.needed <= found.there else "does not fit"
    where = "the cards" if cards else "this machine's memory"
    slide = "not known" if found.slide is None else f"{found.slide:.1f} s"
    return [
        ("weights", _gb(found.weights), f"{shape.name}, {shape.parameters / 1e9:.2f}B parameters"),
        ("cache", _gb(found.cache_a_player), f"a player at {n_ctx} tokens, {shape.cache_a_token / 1e6:.2f} MB a token"),
        ("needed", _gb(found.needed), f"{players} at full context: {fits} into {_gb(found.there)} of {where}"),
        ("players", str(found.players_that_fit), "fit at full context"),
        (
            "written ahead",
            _gb(found.ahead),
            "more, on a llama-server with a slot for each branch; vLLM shares the story",
        ),
        ("each writes", f"{found.each:.1f} tokens/s", "while all are writing"),
        ("all together", f"{found.all_together:.0f} tokens/s", "bound by how fast weights and caches are read"),
        ("a slide", slide, "where the server moves nothing and reads the context again (vLLM)"),
    ]


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size < 1e10 else f"{size / 1e9:.1f} GB"
