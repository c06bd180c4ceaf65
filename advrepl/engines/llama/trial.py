"""Load a model and decode a token in a child process first, once: what ends the process then ends the child.

For files of strangers; what header_checks.py knows is refused before. Does not tell why a model cannot be loaded
otherwise (loading.py does).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

import advrepl
from advrepl import AdvreplError
from advrepl.engines import facts
from advrepl.engines.files import size_of

TRIED_CTX = 256  # tokens
LOADS = "loads"  # what is known of a file
MINUTES = 10  # a model of 100 GB is read from a slow disk in less
LONGEST = 4.0, 4e-9  # seconds of one core for the token, and more for each byte; some headers make it endless
ENDLESS = 70  # exit code


def check_loads(path: Path) -> None:
    """Raise AdvreplError where loading a GGUF file ends the process; one that did not is known from then on.

    What our own converter has made here is known to (`trust`): what a header says of that may be forged.
    """
    if size_of(path) > psutil.virtual_memory().total or facts.recall(path, LOADS):
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
    trust(path)


def trust(path: Path) -> None:
    """Take a GGUF file for one that loads."""
    facts.remember(path, LOADS, True)


def _ended(code: int) -> str:
    """Name what ended a child that did not end by itself; "" if it did."""
    if code == ENDLESS:
        return "its first word would never be done"
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    if code < 0:
        return signal.Signals(-code).name
    return f"{code:#x}" if code > 0xFF or code == 3 else ""  # Windows: an exception, abort()


def main(path: str) -> None:
    """Load the model, make a small context for it, decode; whether that works makes no difference."""
    import llama_cpp.llama_cpp as lib

    params = lib.llama_model_default_params()
    params.n_gpu_layers, params.use_extra_bufts = 0, False
    if model := lib.llama_model_load_from_file(os.fsencode(path), params):
        context = lib.llama_context_default_params()
        context.n_ctx = context.n_batch = context.n_ubatch = TRIED_CTX
        context.n_threads = context.n_threads_batch = 1  # others would spin while the disk is read
        made = lib.llama_init_from_model(model, context)
        start, each = LONGEST
        threading.Thread(target=_end, args=(start + each * size_of(Path(path)),), daemon=True).start()
        if made:
            lib.llama_decode(made, lib.llama_batch_get_one((lib.llama_token * 1)(), 1))


def _end(seconds: float) -> None:
    """End the process when it has computed for so long."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        time.sleep(0.1)
    os._exit(ENDLESS)


if __name__ == "__main__":
    with suppress(ImportError, ValueError, OSError):  # no core of gigabytes for each model that fails
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(sys.argv[1])
