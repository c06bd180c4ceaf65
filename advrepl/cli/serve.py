"""`advrepl serve`: this machine's model for the others in the house."""

import socket
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, program
from advrepl.cli.flags import GpuLayers, KvType, ModelFlag, Threads, say, tell, whole

if TYPE_CHECKING:
    from advrepl.engines.serving import Serving


def serve(
    model: ModelFlag = None,
    ctx: Annotated[int | None, whole("--ctx", help="Context in tokens for each player.", least=256)] = None,
    host: Annotated[
        str, typer.Option(help="The address that others reach; 0.0.0.0: all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, whole("--port", help="The port.", least=1, most=65535, show_default=True)] = 8080,
    players: Annotated[
        int, whole("--players", help="How many play at a time; up to two share one slot.", least=1, show_default=True)
    ] = 1,
    workers: Annotated[str, typer.Option(help="RPC workers that take a part of the model: HOST:PORT,…")] = "",
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    kv: KvType = None,
) -> None:
    """Let others play on this machine's model, with a server that is there already."""
    from advrepl import paths
    from advrepl.engines import models, serving
    from advrepl.engines.base import DEFAULT_CTX, LoadOptions
    from advrepl.engines.llama.loading import devices, header_number
    from advrepl.engines.llama.log import Log
    from advrepl.tuning import store

    path = models.resolve(model, tell)
    if path.is_dir():
        raise AdvreplError(
            f"{path} is a folder: a llama-server takes GGUF files, which `{program.command('convert')}` makes"
        )
    trained = header_number(path, Log(paths.llama_log()), "context_length")
    tuned, told = store.options(path, paths.tuning_file(), LoadOptions(ctx, threads, gpu_layers, kv), devices())
    if told:
        tell(told)
    wanted = serving.Serving(
        path,
        ctx or min(DEFAULT_CTX, trained or DEFAULT_CTX),
        host,
        port,
        players,
        threads or tuned.tuning.threads,
        tuned.layers,
        kv,
        tuple(filter(None, workers.split(","))),
    )
    for line in how_to_play(wanted):
        say(line)
    raise typer.Exit(serving.serve(wanted))


def how_to_play(serving: "Serving") -> list[str]:
    """Return what to type to play on it, here and elsewhere."""
    here = serving.host in ("127.0.0.1", "localhost", "::1")
    host = socket.gethostname() if serving.host in ("0.0.0.0", "::") else serving.host
    host = f"[{host}]" if ":" in host else host
    line = f"advrepl play -m http://{host}:{serving.port}"
    if here:
        return [f"Play on it with: {line}", "Only this machine can: --host 0.0.0.0 lets others."]
    return [
        f"Play on it with: {line} --insecure",
        "What is played can be read in this network: for a network that you trust.",
    ]
