"""Start a server for a model of this machine: a llama-server that is there, or the one inside xllamacpp.

Does not choose the model and prints nothing (cli/serve.py).
"""

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines.remote.address import KEY
from advrepl.program import install

BATCH = 256  # tokens that are read before a cancel is heard; llama-server's own 2,048 take seconds on a CPU
ONE_SLOT = 2  # so many players share one slot: their stories wait for each other, and none is read twice
SERVER = "llama-server"


class Serving(Struct, frozen=True):
    """What is served, where, and for how many."""

    path: Path
    n_ctx: int  # tokens for each player
    host: str = "127.0.0.1"
    port: int = 8080
    players: int = 1
    threads: int | None = None
    gpu_layers: int | None = None
    kv: str | None = None
    workers: tuple[str, ...] = ()  # HOST:PORT of llama.cpp's RPC servers

    @property
    def slots(self) -> int:
        """Return how many requests are worked on at a time."""
        return 1 if self.players <= ONE_SLOT else self.players


def command(serving: Serving, program: str = SERVER) -> list[str]:
    """Return the command line of a llama-server.

    Where each player has a slot it keeps no states in main memory: when a window slid it would take one of those back
    that begins with a token more of the same, and the turns that were to be moved are not in it. Of several slots it
    would take the one that begins most alike, as all stories do: it is to take the one not used for longest.
    """
    line = [program, "-m", str(serving.path), "-c", str(serving.n_ctx * serving.slots), "-np", str(serving.slots)]
    line += ["-b", str(BATCH), "--host", serving.host, "--port", str(serving.port)]
    line += ["--cache-ram", "0"] if serving.slots == serving.players else []
    line += ["--slot-prompt-similarity", "0"] if serving.slots > 1 else []
    line += ["-t", str(serving.threads)] if serving.threads else []
    line += ["-ngl", str(serving.gpu_layers)] if serving.gpu_layers is not None else []
    line += ["-ctk", serving.kv, "-ctv", serving.kv] if serving.kv else []
    return line + (["--rpc", ",".join(serving.workers)] if serving.workers else [])


def serve(serving: Serving) -> int:
    """Serve until Ctrl-C, or until the server ends; returns its exit code. Raises AdvreplError where there is none."""
    if program := shutil.which(SERVER):
        if serving.workers and "--rpc" not in _help(program):
            raise AdvreplError(f"{program} was built without RPC: build llama.cpp with -DGGML_RPC=ON for --workers")
        # The key goes by the environment: a command line can be read by everybody on the machine.
        key = os.environ.get(KEY)
        return _become(command(serving, program), {**os.environ, **({"LLAMA_API_KEY": key} if key else {})})
    if not find_spec("xllamacpp"):
        raise AdvreplError(
            f"there is no server here: put llama.cpp's llama-server on the PATH, or `{install('advrepl[server]')}`"
        )
    if serving.workers:
        raise AdvreplError("--workers need a llama-server on the PATH that was built with RPC: xllamacpp has none")
    return _serve_in_process(serving)


def _become(line: list[str], environment: dict[str, str]) -> int:
    """Go on as that program, so that whatever ends this one ends the server; Windows can only start and await it."""
    if os.name == "nt":
        return subprocess.call(line, env=environment)
    sys.stdout.flush()
    os.execve(line[0], line, environment)


def _serve_in_process(serving: Serving) -> int:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(serving.path)
    params.n_ctx, params.n_parallel = serving.n_ctx * serving.slots, serving.slots
    params.n_batch = BATCH
    if serving.slots == serving.players:
        params.cache_ram_mib = 0
    if serving.slots > 1:
        params.slot_prompt_similarity = 0.0
    params.hostnames, params.port = [serving.host], serving.port
    if serving.threads:
        params.cpuparams.n_threads = serving.threads
    if serving.gpu_layers is not None:
        params.n_gpu_layers = serving.gpu_layers
    if serving.kv:
        kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{serving.kv.upper()}")
        params.cache_type_k = params.cache_type_v = kind
    if key := os.environ.get(KEY):
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    try:
        while True:
            time.sleep(3600)
    finally:
        del server


def _help(program: str) -> str:
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
