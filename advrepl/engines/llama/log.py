"""llama.cpp's own words go to a file, never to the screen; the first error of a failure is kept to be quoted."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import llama_cpp.llama_cpp as lib

from advrepl import atomic

ERROR = 4  # ggml_log_level
KEEP_BYTES = 1 << 20


class Log:
    """Write llama.cpp's words to a file that starts again when it has grown past a megabyte.

    It stays open until the program ends; what cannot be written is let go. llama.cpp calls from threads of its own too.
    `last_error`: the first error since `attach`, "" if there was none.
    """

    # llama.cpp keeps only a pointer to the callback, for as long as the process lives.
    _attached: ClassVar["Log | None"] = None

    def __init__(self, path: Path) -> None:
        try:
            atomic.make_folder(path.parent)
            grown = path.exists() and path.stat().st_size > KEEP_BYTES
            how = os.O_TRUNC if grown else os.O_APPEND
            how |= getattr(os, "O_NONBLOCK", 0)  # a pipe by this name would wait for a reader
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
        except OSError:  # a disk that is full or cannot be written to
            self._file = os.open(os.devnull, os.O_WRONLY)
        self._callback = lib.llama_log_callback(self._write)
        self.last_error = ""

    def attach(self) -> None:
        """Let llama.cpp write here from now on, and forget its last error."""
        self.last_error = ""
        lib.llama_log_set(self._callback, None)
        Log._attached = self

    @contextmanager
    def instead(self) -> Iterator[None]:
        """Let llama.cpp write here for a while; the log before knows nothing of it."""
        before = Log._attached
        self.attach()
        try:
            yield
        finally:
            if before:
                lib.llama_log_set(before._callback, None)
                Log._attached = before

    def _write(self, level: int, text: bytes, _data: Any) -> None:
        with suppress(OSError):
            os.write(self._file, text)
        if level == ERROR and not self.last_error:  # the lines after the first only pass it on
            self.last_error = text.decode("utf-8", "replace").strip().split(": ", 1)[-1]
