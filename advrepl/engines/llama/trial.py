"""Load a model in a child process first, once: what ends the process then ends the child.

For files of strangers; what header_checks.py knows is refused before. Does not tell why a model cannot be loaded
otherwise (loading.py does).
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

import advrepl
from advrepl import AdvreplError, atomic
from advrepl.engines.files import parts, size_of
from advrepl.engines.llama.header import read_header

TRIED_CTX = 256  # tokens
MOST_REMEMBERED = 256  # files
MINUTES = 10  # a model of 100 GB is read from a slow disk in less


def check_loads(path: Path, remembered: Path) -> None:
    """Raise AdvreplError where loading a GGUF file ends the process; `remembered`: a file of those that did not.

    What our own converter made is not tried.
    """
    if read_header(path).texts("advrepl.source.sha256") or size_of(path) > psutil.virtual_memory().total:
        return
    tried, stamp = _read(remembered), _stamp(path)
    if tried.get(str(path)) == stamp:
        return
    search = os.pathsep.join([str(Path(advrepl.__file__).parent.parent), *filter(None, sys.path)])
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "advrepl.engines.llama.trial", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": search},
            timeout=60 * MINUTES,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # it could not be tried: loading tells what is wrong
    if reason := _ended(child.returncode):
        raise AdvreplError(
            f"{path.name} makes llama.cpp end the process that loads it ({reason}): it is damaged, or made for a newer "
            "llama.cpp; choose another"
        )
    others = list(tried.items())[-MOST_REMEMBERED + 1 :]
    with suppress(OSError):  # then it is tried again the next time
        remembered.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(remembered, json.dumps(dict(others) | {str(path): stamp}, indent=1).encode(), private=True)


def _ended(code: int) -> str:
    """Name what ended a child that did not end by itself; "" if it did."""
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    if code < 0:
        return signal.Signals(-code).name
    return f"{code:#x}" if code > 0xFF or code == 3 else ""  # Windows: an exception, abort()


def _stamp(path: Path) -> list[Any]:
    files = [part.stat() for part in parts(path) if part.is_file()]
    return [version("llama-cpp-python"), *([file.st_size, file.st_mtime_ns] for file in files)]


def _read(remembered: Path) -> dict[str, Any]:
    try:
        found = json.loads(remembered.read_bytes()) if remembered.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def main(path: str) -> None:
    """Load the model and make a small context for it; whether that works makes no difference."""
    import llama_cpp.llama_cpp as lib

    params = lib.llama_model_default_params()
    params.n_gpu_layers, params.use_extra_bufts = 0, False
    if model := lib.llama_model_load_from_file(os.fsencode(path), params):
        context = lib.llama_context_default_params()
        context.n_ctx = context.n_batch = context.n_ubatch = TRIED_CTX
        lib.llama_init_from_model(model, context)


if __name__ == "__main__":
    with suppress(ImportError, ValueError, OSError):  # no core of gigabytes for each model that fails
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(sys.argv[1])
