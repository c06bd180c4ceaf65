"""Feed one parser with what atheris makes of its seeds, guided by the lines that are reached: a process for each."""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

SLOW, MEMORY = 5, 700  # seconds and megabytes for one input; more is a fault


def main(name: str, seconds: str) -> None:
    """Do it for so long; ends the process, with an exit code where a parser falls over."""
    atheris = import_module("atheris")  # not in the lock: it is there for Linux alone
    with atheris.instrument_imports(include=["advrepl", "convert"], enable_loader_override=False):
        targets = import_module("tests.fuzz.targets")
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(targets.seeds(name)):
            (Path(folder) / str(number)).write_bytes(data)
        limits = [f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}"]
        atheris.Setup([sys.argv[0], folder, *limits], lambda data: targets.try_one(name, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
