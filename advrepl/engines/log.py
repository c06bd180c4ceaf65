"""llama.cpp's own words go to a file, never to the screen; the last error is kept to be quoted."""

from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib

ERROR, CONTINUED = 4, 5  # ggml_log_level
KEEP_BYTES = 1 << 20


class Log:
    """A log file that starts again when it has grown past a megabyte."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        grown = path.exists() and path.stat().st_size > KEEP_BYTES
        self._file = path.open("w" if grown else "a", encoding="utf-8", errors="replace")
        self.last_error = ""
        self._callback = lib.llama_log_callback(self._write)  # llama.cpp keeps only a pointer to it

    def attach(self) -> None:
        self.last_error = ""
        lib.llama_log_set(self._callback, None)

    def _write(self, level: int, text: bytes, _data: Any) -> None:
        line = text.decode("utf-8", "replace")
        if level == ERROR:
            # The first line of a failure names its cause, the ones after it only pass it on.
            self.last_error = self.last_error or line.strip().split(": ", 1)[-1]
        self._file.write(line)
        if level >= ERROR:
            self._file.flush()
