"""Show in one line how far pip is, of what it says with -v: what it installs, and how much of llama.cpp is compiled.

Reads it from stdin, while `make` keeps all of it in a log.
"""

import re
import sys
import time

WIDTH = 70
LEAST = 20  # files; what has fewer is not llama.cpp
STEP = re.compile(r"\[(\d+)/(\d+)\]")
STARTED = re.compile(r"\s*(?:Collecting|Downloading) ([\w.-]+?)(?:==|\s|-\d|$)")


def said(line: str, seconds: float) -> str:
    """Return what to show for a line of pip's, `seconds` after compiling began; empty: nothing new."""
    if (step := STEP.search(line)) and int(step[2]) >= LEAST:
        done, files = int(step[1]), int(step[2])
        left = int(seconds * (files - done) / max(done, 1))
        share = 100 * done // files
        return f"compiling llama.cpp: {done} of {files} files, {share}%, about {left // 60}:{left % 60:02} left"
    if started := STARTED.match(line):
        return f"installing {started[1]}"
    return "installed" if line.lstrip().startswith("Successfully installed") else ""


def main() -> None:
    """Show what comes, line by line."""
    begun: float | None = None
    for line in sys.stdin:
        if begun is None and STEP.search(line):
            begun = time.monotonic()
        if text := said(line, time.monotonic() - (begun or time.monotonic())):
            sys.stdout.write(f"\r{text[:WIDTH]:<{WIDTH}}")
            sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
