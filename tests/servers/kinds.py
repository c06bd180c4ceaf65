"""The servers that can be started here, and how.

Plays nothing (story.py does). llama-server is looked for on the PATH, `ggml-rpc-server` beside it; vLLM in the
environment of its own that VLLM names.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import httpx
import psutil

from advrepl.engines.remote.address import KEY
from tests import ROOT
from tests.bench.rivals import free_port

VLLM = "ADVREPL_VLLM"  # names the environment that holds vLLM
FOLDER = "smollm2"  # beside it, made by folder.py
PATIENCE = 600.0  # seconds; vLLM compiles for minutes
MODULES = {"llama_cpp.server": ("-m", "llama_cpp.server"), "vLLM": ("-m", "vllm.entrypoints.openai.api_server")}


@dataclass(frozen=True)
class Kind:
    """A server, and how it is started: its command line lacks the address."""

    name: str
    command: tuple[str, ...]
    workers: int = 0  # RPC workers that are started before it
    environment: dict[str, str] = field(default_factory=dict)
    no_programs: bool = False  # is it to find no llama-server?


@dataclass
class Running:
    """A server that answers, with what it runs in."""

    url: str
    process: "subprocess.Popen[bytes]"
    workers: list["subprocess.Popen[bytes]"]
    log: Path

    def family(self) -> list[int]:
        """Return the process ids of the server and of what it has started."""
        return [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]

    def engine(self) -> int:
        """Return the process in which a vLLM computes, apart from the one that answers; 0: another server."""
        names = {number: " ".join(psutil.Process(number).cmdline()) for number in self.family()}
        return next((number for number, name in names.items() if "EngineCore" in name), 0)


def kinds(model: Path, ctx: int, threads: int, slots: int = 1) -> list[Kind]:
    """Return the servers that there are, each for a model file, with so much context for each of its slots."""
    serve = (sys.executable, "-m", "advrepl", "serve", "-m", str(model), "--ctx", str(ctx), "--threads", str(threads))
    players = ("--players", str(slots if slots > 2 else 1))
    found = list[Kind]()
    if program := shutil.which("llama-server"):
        found.append(Kind("llama-server", (*serve, *players)))
        if Path(program).with_name("ggml-rpc-server").exists():
            found.append(Kind("llama-server with two workers", (*serve, *players), workers=2))
    how = ("--n_ctx", str(ctx), "--n_threads", str(threads), "--n_threads_batch", str(threads))
    binding = (sys.executable, *MODULES["llama_cpp.server"], "--model", str(model), *how)
    found.append(Kind("llama_cpp.server", (*binding, "--interrupt_requests", "false")))
    if find_spec("xllamacpp"):
        found.append(Kind("xllamacpp", (*serve, *players), no_programs=True))
    if (place := os.environ.get(VLLM)) and Path(place, FOLDER).is_dir():
        found.append(vllm(Path(place), ctx, threads))
    return found


def vllm(place: Path, ctx: int, threads: int) -> Kind:
    """vLLM out of an environment of its own, with the folder that its Python has written there (folder.py)."""
    python, folder = place.absolute() / "bin" / "python", place.absolute() / FOLDER
    command = (str(python), *MODULES["vLLM"], "--model", str(folder), "--served-model-name", folder.name)
    how = ("--max-model-len", str(ctx), "--enforce-eager", "--enable-prompt-tokens-details", "--dtype", "bfloat16",
           "--generation-config", "vllm")  # fmt: skip
    cores = f"0-{threads - 1}" if threads > 1 else "0"
    return Kind("vLLM", (*command, *how), environment={"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": str(threads),
                                                      "VLLM_CPU_OMP_THREADS_BIND": cores})  # fmt: skip


@contextmanager
def started(kind: Kind, port: int | None = None) -> Iterator[Running]:
    """Start a server and its workers, and wait until it answers; all are gone at the end."""
    port, environment = port or free_port(), {**os.environ, "PYTHONPATH": str(ROOT), **kind.environment}
    if old := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] += os.pathsep + old
    if key := environment.get(KEY):
        environment |= {"API_KEY": key, "VLLM_API_KEY": key}
    if kind.no_programs:
        environment["PATH"] = str(Path(sys.executable).parent)
    with ExitStack() as ends:
        log = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="advrepl-servers-"))) / "log"
        out = ends.enter_context(log.open("wb"))
        command, workers = [*kind.command, "--host", "127.0.0.1", "--port", str(port)], []
        for _ in range(kind.workers):
            worker = free_port()
            workers.append(process([_beside("ggml-rpc-server"), "-H", "127.0.0.1", "-p", str(worker)], ends, out))
            command += ["--workers", f"127.0.0.1:{worker}"] if len(workers) == 1 else []
            command[-1] += f",127.0.0.1:{worker}" if len(workers) > 1 else ""
        server = Running(f"http://127.0.0.1:{port}", process(command, ends, out, environment), workers, log)
        wait_until_ready(server)
        yield server


def process(
    command: list[str], ends: ExitStack, out: IO[bytes], environment: dict[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program that is gone, with all that it has started, at the end."""
    child = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    ends.callback(end)
    return child


def wait_until_ready(server: Running) -> None:
    """Return once a server has a model; raises SystemExit with the end of what it said."""
    end, key = time.monotonic() + PATIENCE, os.environ.get(KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    while time.monotonic() < end:
        try:
            httpx.get(f"{server.url}/v1/models", headers=headers, timeout=5, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            if server.process.poll() is not None:
                break
            time.sleep(0.2)
    raise SystemExit(f"the server has not started: {server.log.read_text(errors='replace')[-2000:]}")


def _beside(name: str) -> str:
    program = shutil.which("llama-server")
    assert program
    return str(Path(program).with_name(name))
